// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The questions of heddle_index (heddle/abi.h). One text for every machine that
// asks them: it needs nothing of a standard library, and is compiled for hosts
// and for devices.

#ifndef HEDDLE_RUNTIME_INDEXQUESTIONS_H
#define HEDDLE_RUNTIME_INDEXQUESTIONS_H

#include "heddle/abi.h"

namespace heddle::index {

inline int64_t least(int64_t X, int64_t Y) { return Y < X ? Y : X; }
inline int64_t most(int64_t X, int64_t Y) { return X < Y ? Y : X; }
inline int64_t clamp(int64_t X, int64_t Low, int64_t High) {
  return X < Low ? Low : High < X ? High : X;
}

/// What stands for "no member" above and below.
inline constexpr int64_t None = int64_t(1) << 62;

/// Elements that a row of a table stores: one where it repeats.
inline int64_t storedExtent(const heddle_table &Table) {
  int Last = Table.rank - 1;
  return Table.stride[Last] == 0 ? 1 : Table.shape[Last];
}

inline void span(const heddle_table *Table, int64_t Row, int64_t First,
                 int64_t Last, int64_t Out[2]) {
  int64_t Size = storedExtent(*Table);
  Out[0] = Out[1] = 0;
  if (Size == 0)
    return;
  First = clamp(First, 0, Size - 1);
  Last = clamp(Last, First, Size - 1);
  const int32_t *Low = Table->low + Row, *High = Table->high + Row;
  int32_t Least = Low[First], Most = High[First];
  auto Take = [&](int64_t I) {
    Least = Low[I] < Least ? Low[I] : Least;
    Most = High[I] > Most ? High[I] : Most;
  };
  // Bottom up: on every level at most the two ends have no parent that covers
  // them and lies inside.
  while (First <= Last) {
    if (First % 2 != 0)
      Take(First++);
    if (Last % 2 == 0)
      Take(Last--);
    First /= 2;
    Last >>= 1;
    Low += Size;
    High += Size;
    Size = (Size + 1) / 2;
  }
  Out[0] = Least;
  Out[1] = Most;
}

inline int64_t seek(const heddle_table *Table, int64_t Row, int64_t From,
                    int64_t Lo, int64_t Hi, int32_t Outside) {
  int64_t Extent = Table->shape[Table->rank - 1];
  From = most(From, 0);
  if (From >= Extent)
    return Extent;
  const int32_t *Low = Table->low + Row, *High = Table->high + Row;
  auto Excluded = [&](int64_t I) {
    return Outside ? Low[I] >= Lo && High[I] < Hi
                   : High[I] < Lo || Low[I] >= Hi;
  };
  if (Table->stride[Table->rank - 1] == 0)
    return Excluded(0) ? Extent : From;
  // Block I of a level has the elements [I << Level, (I + 1) << Level); Low and
  // High point at the level, which has Size blocks.
  int64_t I = From, Size = Extent;
  int Level = 0;
  while (true) {
    if (!Excluded(I)) {
      if (Level == 0)
        return I;
      --Level;
      Size = (Extent + (int64_t(1) << Level) - 1) >> Level;
      Low -= Size;
      High -= Size;
      I *= 2;
      continue;
    }
    if (++I >= Size)
      return Extent;
    if (I % 2 == 0) {
      Low += Size;
      High += Size;
      Size = (Size + 1) / 2;
      ++Level;
      I /= 2;
    }
  }
}

inline int64_t rank(const heddle_set *Set, int64_t Row, int64_t X) {
  if (X <= 0)
    return 0;
  if (X >= Set->size)
    return Set->starts[Row + 1] - Set->starts[Row];
  int64_t Word = Row * Set->words_per_row + X / 64;
  uint64_t Below = Set->words[Word] & ((uint64_t(1) << (X % 64)) - 1);
  return Set->before[Word] + __builtin_popcountll(Below);
}

inline int64_t member(const heddle_set *Set, int64_t Row, int64_t Rank) {
  int64_t Begin = Set->starts[Row];
  if (Rank < 0 || Rank >= Set->starts[Row + 1] - Begin)
    return None;
  return Set->members[Begin + Rank];
}

inline void probe(const heddle_set *Set, int64_t First, int64_t Step,
                  int64_t Count, int64_t Lo, int64_t Hi, int64_t Out[4]) {
  bool Empty = Hi < Lo, Inside = Lo >= 0 && Hi < Set->size;
  // There is nothing beyond the universe.
  Lo = clamp(Lo, 0, Set->size);
  Hi = clamp(Hi, -1, Set->size - 1);
  bool Some = false, Every = true;
  int64_t Next = None, Previous = -None;
  if (Step == 0)
    Count = least(Count, 1);
  for (int64_t I = 0; I < Count; ++I) {
    int64_t Row = First + I * Step;
    const int32_t *Members = Set->members + Set->starts[Row];
    int64_t Size = Set->starts[Row + 1] - Set->starts[Row];
    int64_t Below = rank(Set, Row, Lo), Through = rank(Set, Row, Hi + 1);
    Some |= Through > Below;
    Every &= Empty || (Inside && Through - Below == Hi - Lo + 1);
    if (Through < Size)
      Next = least(Next, Members[Through]);
    if (Below > 0)
      Previous = most(Previous, Members[Below - 1]);
  }
  Out[0] = Some;
  Out[1] = Every;
  Out[2] = Next;
  Out[3] = Previous;
}

} // namespace heddle::index

#endif // HEDDLE_RUNTIME_INDEXQUESTIONS_H
