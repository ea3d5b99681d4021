// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lists, CSR and maps made into words, ranks and members.

#include "Operand.h"
#include "Strided.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// The indices of a family of sets, and its rows: those that differ are stored.
struct Family {
  int32_t Rank = 0;
  /// Extents of the indices as the tensors have them, and as they are stored.
  int64_t Shape[3] = {1, 1, 1};
  int64_t Stored[3] = {1, 1, 1};
  int64_t Rows = 1;
};

/// Prepares the sets of one parameter.
class SetBuilder {
public:
  SetBuilder(const heddle_param &Param, const heddle_sets &Sets, bool Trusted,
             PreparedSet &Out)
      : Param(Param), Sets(Sets), Trusted(Trusted), Out(Out) {}

  ErrorText run();

private:
  ErrorText lists();
  ErrorText csr();
  ErrorText map();

  std::string tensorName(const char *Tensor) const {
    return fmt::format("'{}' of set '{}'", Tensor, Param.name);
  }
  /// "set 'cols'(0, 3)": one row, in messages.
  std::string rowName(const Odometer &At) const {
    return fmt::format("set '{}'{}", Param.name, tupleText(At.Index, At.Rank));
  }

  ErrorText merge(const Strided &Tensor, int32_t Axes);
  ErrorText allocate();
  /// Takes over `Count` sorted members as row `Row`.
  template <typename T>
  ErrorText fillRow(int64_t Row, const Odometer &At, const T *From,
                    int64_t Stride);
  template <typename T>
  ErrorText badMember(const Odometer &At, const T *From, int64_t Stride,
                      int64_t Count) const;
  void countWords();

  const heddle_param &Param;
  const heddle_sets &Sets;
  bool Trusted;
  PreparedSet &Out;
  Family Rows;
};

} // namespace

/// Joins the first `Axes` axes of a tensor to the family's: extents agree or
/// one of them is 1.
ErrorText SetBuilder::merge(const Strided &Tensor, int32_t Axes) {
  for (int32_t Axis = 0; Axis < Axes; ++Axis) {
    int64_t Extent = Tensor.Shape[Axis];
    int64_t &Known = Rows.Shape[Axis];
    if (Known != 1 && Extent != 1 && Known != Extent)
      return fmt::format("the tensors of set '{}' have extents {} and {} along "
                         "axis {}, expected equal ones or 1",
                         Param.name, Known, Extent, Axis);
    if (Known == 1)
      Known = Extent;
    if (Tensor.Stride[Axis] != 0)
      Rows.Stored[Axis] = Rows.Shape[Axis];
  }
  return std::nullopt;
}

/// Sizes what does not depend on the number of members.
ErrorText SetBuilder::allocate() {
  heddle_set &Set = Out.Set;
  Set.size = Sets.size;
  Set.rank = Rows.Rank;
  // One word at least: a kernel may read the first though it is not asked for.
  Set.words_per_row = std::max<int64_t>(1, (Sets.size + 63) / 64);
  bool Empty = false;
  for (int32_t Axis = 0; Axis < Rows.Rank; ++Axis)
    Empty |= Rows.Shape[Axis] == 0;
  int64_t Pitch = 1, Words = Set.words_per_row;
  for (int32_t Axis = Rows.Rank; Axis-- > 0;) {
    Set.shape[Axis] = Rows.Shape[Axis] == 1 ? RepeatedExtent : Rows.Shape[Axis];
    if (Empty)
      continue;
    Set.stride[Axis] = Rows.Stored[Axis] == 1 ? 0 : Pitch;
    if (__builtin_mul_overflow(Words, Rows.Stored[Axis], &Words))
      return fmt::format("set '{}' has more rows than memory can hold: {} of "
                         "members in [0, {})",
                         Param.name, tupleText(Rows.Shape, Rows.Rank),
                         Sets.size);
    Pitch *= Rows.Stored[Axis];
  }
  // An empty family has one row, empty too, which nobody asks.
  Rows.Rows = Empty ? 0 : Pitch;
  Out.Words.assign(Words + 1, 0);
  Out.Before.resize(Words);
  Out.Starts.assign(Pitch + 1, 0);
  return std::nullopt;
}

/// What is wrong with members that are not ascending inside the universe.
template <typename T>
ErrorText SetBuilder::badMember(const Odometer &At, const T *From,
                                int64_t Stride, int64_t Count) const {
  for (int64_t I = 0; I < Count; ++I) {
    int64_t Member = From[I * Stride];
    if (Member < 0 || Member >= Sets.size)
      return fmt::format("{} has member {} at {}, expected 0 to {}",
                         rowName(At), Member, I, Sets.size - 1);
    if (I == 0 || From[(I - 1) * Stride] < Member)
      continue;
    if (From[(I - 1) * Stride] == Member)
      return fmt::format("{} has member {} twice, at {} and {}; leave out "
                         "duplicates",
                         rowName(At), Member, I - 1, I);
    return fmt::format("{} is not sorted: member {} at {} follows {}; sort it",
                       rowName(At), Member, I, int64_t(From[(I - 1) * Stride]));
  }
  return std::nullopt;
}

template <typename T>
ErrorText SetBuilder::fillRow(int64_t Row, const Odometer &At, const T *From,
                              int64_t Stride) {
  int64_t Count = Out.Starts[Row + 1] - Out.Starts[Row];
  int32_t *Members = Out.Members.data() + Out.Starts[Row];
  if (!Trusted && Count > 0) {
    bool Sorted = true;
    auto Check = [&](int64_t Step) {
      for (int64_t I = 1; I < Count; ++I)
        Sorted &= From[(I - 1) * Step] < From[I * Step];
    };
    // A step known to be one makes vectors.
    if (Stride == 1)
      Check(1);
    else
      Check(Stride);
    if (!Sorted || From[0] < 0 || From[(Count - 1) * Stride] >= Sets.size)
      return badMember(At, From, Stride, Count);
  }
  uint64_t *Words = Out.Words.data() + Row * Out.Set.words_per_row;
  for (int64_t I = 0; I < Count; ++I) {
    auto Member = static_cast<int32_t>(From[I * Stride]);
    Members[I] = Member;
    // Holds for every examined list; keeps an unexamined one from writing
    // elsewhere.
    if (Member >= 0 && Member < Sets.size)
      Words[Member / 64] |= uint64_t(1) << (Member % 64);
  }
  return std::nullopt;
}

/// Fills `Before` from the words.
void SetBuilder::countWords() {
  // The one row of an empty family too.
  for (int64_t Row = 0; Row + 1 < int64_t(Out.Starts.size()); ++Row) {
    int64_t Begin = Row * Out.Set.words_per_row;
    int64_t Count = 0;
    for (int64_t W = Begin; W < Begin + Out.Set.words_per_row; ++W) {
      Out.Before[W] = static_cast<int32_t>(Count);
      Count += __builtin_popcountll(Out.Words[W]);
    }
  }
}

ErrorText SetBuilder::lists() {
  Strided Indices, Lengths;
  if (ErrorText Bad = Indices.bind(tensorName("indices"), Sets.indices,
                                   Param.rank + 1, {HEDDLE_I32, HEDDLE_I64}))
    return Bad;
  if (ErrorText Bad = merge(Indices, Param.rank))
    return Bad;
  if (Sets.lengths) {
    if (ErrorText Bad = Lengths.bind(tensorName("lengths"), Sets.lengths,
                                     Param.rank, {HEDDLE_I32, HEDDLE_I64}))
      return Bad;
    if (ErrorText Bad = merge(Lengths, Param.rank))
      return Bad;
  }
  if (ErrorText Bad = allocate())
    return Bad;
  int64_t Capacity = Indices.Shape[Param.rank];
  Odometer At(Rows.Stored, Rows.Rank);
  for (int64_t Row = 0; Row < Rows.Rows; ++Row, At.step()) {
    int64_t Length = Capacity;
    if (Sets.lengths)
      Length = Lengths.atOffset(At.dot(Lengths.Stride), [](const auto *P) {
        return static_cast<int64_t>(*P);
      });
    if (Length < 0 || Length > Capacity)
      return fmt::format("{} has length {}, expected 0 to {}, the last extent "
                         "of 'indices'",
                         rowName(At), Length, Capacity);
    Out.Starts[Row + 1] = Out.Starts[Row] + Length;
  }
  Out.Members.resize(Out.Starts.back());
  At = Odometer(Rows.Stored, Rows.Rank);
  for (int64_t Row = 0; Row < Rows.Rows; ++Row, At.step())
    if (ErrorText Bad =
            Indices.atOffset(At.dot(Indices.Stride), [&](const auto *From) {
              return fillRow(Row, At, From, Indices.Stride[Param.rank]);
            }))
      return Bad;
  return std::nullopt;
}

ErrorText SetBuilder::csr() {
  if (Param.rank < 1)
    return fmt::format("set '{}' has no index whose rows CSR could hold; give "
                       "it as a list or a map",
                       Param.name);
  Strided Indptr, Indices;
  if (ErrorText Bad = Indptr.bind(tensorName("indptr"), Sets.indptr, Param.rank,
                                  {HEDDLE_I32, HEDDLE_I64}))
    return Bad;
  if (ErrorText Bad = Indices.bind(tensorName("indices"), Sets.indices,
                                   Param.rank, {HEDDLE_I32, HEDDLE_I64}))
    return Bad;
  int32_t Last = Param.rank - 1;
  int64_t NumRows = Indptr.Shape[Last] - 1, Capacity = Indices.Shape[Last];
  if (NumRows < 0)
    return fmt::format("'indptr' of set '{}' is empty along its last axis, "
                       "expected one value more than rows",
                       Param.name);
  if (ErrorText Bad = merge(Indptr, Last))
    return Bad;
  if (ErrorText Bad = merge(Indices, Last))
    return Bad;
  Rows.Shape[Last] = Rows.Stored[Last] = NumRows;
  if (ErrorText Bad = allocate())
    return Bad;
  auto Bound = [&](const Odometer &At, int64_t Row) {
    int64_t Offset = Row * Indptr.Stride[Last];
    for (int32_t Axis = 0; Axis < Last; ++Axis)
      Offset += At.Index[Axis] * Indptr.Stride[Axis];
    return Indptr.atOffset(
        Offset, [](const auto *P) { return static_cast<int64_t>(*P); });
  };
  Odometer At(Rows.Stored, Rows.Rank);
  for (int64_t Row = 0; Row < Rows.Rows; ++Row, At.step()) {
    int64_t Begin = Bound(At, At.Index[Last]);
    int64_t End = Bound(At, At.Index[Last] + 1);
    if (Begin < 0 || End < Begin || End > Capacity)
      return fmt::format("'indptr' gives {} the members {} to {}, expected "
                         "ascending values from 0 to {}, the last extent of "
                         "'indices'",
                         rowName(At), Begin, End, Capacity);
    Out.Starts[Row + 1] = Out.Starts[Row] + (End - Begin);
  }
  Out.Members.resize(Out.Starts.back());
  At = Odometer(Rows.Stored, Rows.Rank);
  for (int64_t Row = 0; Row < Rows.Rows; ++Row, At.step()) {
    int64_t Offset = Bound(At, At.Index[Last]) * Indices.Stride[Last];
    for (int32_t Axis = 0; Axis < Last; ++Axis)
      Offset += At.Index[Axis] * Indices.Stride[Axis];
    if (ErrorText Bad = Indices.atOffset(Offset, [&](const auto *From) {
          return fillRow(Row, At, From, Indices.Stride[Last]);
        }))
      return Bad;
  }
  return std::nullopt;
}

/// The eight lowest bits: which of eight bytes are not zero.
static uint64_t packBytes(const unsigned char *From) {
  uint64_t Bytes = 0;
  for (int I = 0; I < 8; ++I)
    Bytes |= static_cast<uint64_t>(From[I]) << (8 * I);
  constexpr uint64_t Sevens = 0x7f7f7f7f7f7f7f7f;
  uint64_t Set = (((Bytes & Sevens) + Sevens) | Bytes) & ~Sevens;
  // Every product of a bit and a term lands on a place of its own; the top byte
  // collects them in order.
  return ((Set >> 7) * 0x0102040810204080) >> 56;
}

ErrorText SetBuilder::map() {
  Strided Map;
  if (ErrorText Bad =
          Map.bind(tensorName("map"), Sets.map, Param.rank + 1, {HEDDLE_BOOL}))
    return Bad;
  if (Map.Shape[Param.rank] != Sets.size)
    return fmt::format("'map' of set '{}' has {} columns, expected {}, the "
                       "size of the set",
                       Param.name, Map.Shape[Param.rank], Sets.size);
  if (ErrorText Bad = merge(Map, Param.rank))
    return Bad;
  if (ErrorText Bad = allocate())
    return Bad;
  int64_t Step = Map.Stride[Param.rank], Size = Sets.size;
  Odometer At(Rows.Stored, Rows.Rank);
  for (int64_t Row = 0; Row < Rows.Rows; ++Row, At.step()) {
    const auto *From =
        static_cast<const unsigned char *>(Map.Data) + At.dot(Map.Stride);
    uint64_t *Words = Out.Words.data() + Row * Out.Set.words_per_row;
    int64_t K = 0, Count = 0;
    for (; Step == 1 && K + 8 <= Size; K += 8)
      Words[K / 64] |= packBytes(From + K) << (K % 64);
    for (; K < Size; ++K)
      Words[K / 64] |= static_cast<uint64_t>(From[K * Step] != 0) << (K % 64);
    for (int64_t W = 0; W < Out.Set.words_per_row; ++W)
      Count += __builtin_popcountll(Words[W]);
    Out.Starts[Row + 1] = Out.Starts[Row] + Count;
  }
  Out.Members.resize(Out.Starts.back());
  int32_t *Next = Out.Members.data();
  for (int64_t Row = 0; Row < Rows.Rows; ++Row)
    for (int64_t W = 0; W < Out.Set.words_per_row; ++W)
      for (uint64_t Bits = Out.Words[Row * Out.Set.words_per_row + W];
           Bits != 0; Bits &= Bits - 1)
        *Next++ = static_cast<int32_t>(64 * W + __builtin_ctzll(Bits));
  return std::nullopt;
}

ErrorText SetBuilder::run() {
  constexpr int64_t MaxSize = int64_t(1) << 31;
  if (Sets.size < 0 || Sets.size > MaxSize)
    return fmt::format("set '{}' has size {}, expected 0 to 2^31", Param.name,
                       Sets.size);
  Rows.Rank = Param.rank;
  ErrorText Bad;
  switch (Sets.format) {
  case HEDDLE_LISTS:
    Bad = lists();
    break;
  case HEDDLE_CSR:
    Bad = csr();
    break;
  case HEDDLE_MAP:
    Bad = map();
    break;
  default:
    return fmt::format("set '{}' has the unknown format {}", Param.name,
                       Sets.format);
  }
  if (Bad)
    return Bad;
  countWords();
  Out.Set.words = Out.Words.data();
  Out.Set.before = Out.Before.data();
  Out.Set.members = Out.Members.data();
  Out.Set.starts = Out.Starts.data();
  return std::nullopt;
}

ErrorText runtime::prepareSet(const heddle_param &Param,
                              const heddle_sets *Sets, bool Trusted,
                              PreparedSet &Out) {
  if (!Sets)
    return fmt::format("set '{}' is null", Param.name);
  Out = {};
  return SetBuilder(Param, *Sets, Trusted, Out).run();
}
