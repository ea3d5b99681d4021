// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "heddle/index.h"
#include "Operand.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace heddle;
using namespace heddle::runtime;

namespace {

constexpr int64_t None = int64_t(1) << 62;

const heddle_index &Ask = *heddle_index_functions();

std::mt19937 Random(7);

int64_t draw(int64_t Lo, int64_t Hi) {
  return std::uniform_int_distribution<int64_t>(Lo, Hi)(Random);
}

/// A prepared table of two axes.
struct Table {
  Table(std::vector<int64_t> Elements, int64_t Rows, int64_t Columns)
      : Elements(std::move(Elements)) {
    int64_t Shape[] = {Rows, Columns};
    heddle_tensor Tensor = {this->Elements.data(), HEDDLE_I64, 2, Shape,
                            nullptr};
    heddle_param Param = {"t", {}, 0, HEDDLE_INTEGER_TABLE, 2, 1};
    ErrorText Bad = prepareTable(Param, &Tensor, Prepared);
    EXPECT_FALSE(Bad) << *Bad;
  }
  const heddle_table *get() const { return &Prepared.Table; }
  int64_t row(int64_t R) const { return R * get()->pyramid_stride[0]; }

  std::vector<int64_t> Elements;
  PreparedTable Prepared;
};

/// Rows of several characters: ids that ascend, noise, constants, few values.
std::vector<int64_t> randomRow(int64_t Size) {
  std::vector<int64_t> Row(Size);
  int64_t Kind = draw(0, 3), Now = draw(-5, 5);
  for (int64_t &X : Row) {
    Now += Kind == 0 && draw(0, 3) == 0;
    X = Kind == 0   ? Now
        : Kind == 1 ? draw(-20, 20)
        : Kind == 2 ? Now
                    : draw(0, 1) * 10;
  }
  return Row;
}

/// A family of sets of one index, as lists.
struct Sets {
  Sets(std::vector<std::vector<int64_t>> Rows, int64_t Size)
      : Rows(std::move(Rows)) {
    int64_t Capacity = 1;
    for (const auto &Row : this->Rows)
      Capacity = std::max<int64_t>(Capacity, static_cast<int64_t>(Row.size()));
    std::vector<int64_t> Indices, Lengths;
    for (const auto &Row : this->Rows) {
      Indices.insert(Indices.end(), Row.begin(), Row.end());
      Indices.resize(Indices.size() + Capacity - Row.size(), -1);
      Lengths.push_back(static_cast<int64_t>(Row.size()));
    }
    int64_t Shape[] = {static_cast<int64_t>(this->Rows.size()), Capacity};
    heddle_tensor IndexTensor = {Indices.data(), HEDDLE_I64, 2, Shape, nullptr};
    heddle_tensor LengthTensor = {Lengths.data(), HEDDLE_I64, 1, Shape,
                                  nullptr};
    heddle_sets Given = {HEDDLE_LISTS,  Size,    &IndexTensor,
                         &LengthTensor, nullptr, nullptr};
    heddle_param Param = {"s", {}, 0, HEDDLE_SET, 1, 0};
    ErrorText Bad = prepareSet(Param, &Given, false, Prepared);
    EXPECT_FALSE(Bad) << *Bad;
  }
  const heddle_set *get() const { return &Prepared.Set; }

  std::vector<std::vector<int64_t>> Rows;
  PreparedSet Prepared;
};

std::vector<int64_t> randomMembers(int64_t Size) {
  std::vector<int64_t> Members;
  int64_t Kind = draw(0, 4);
  for (int64_t X = 0; X < Size; ++X)
    if (Kind == 0   ? draw(0, 9) == 0
        : Kind == 1 ? draw(0, 9) != 0
        : Kind == 2 ? X / 40 % 2 == 0
                    : Kind == 3)
      Members.push_back(X);
  return Members;
}

} // namespace

TEST(Index, SpanIsTheScan) {
  for (int Draw = 0; Draw < 400; ++Draw) {
    int64_t Size = Draw < 40 ? Draw + 1 : draw(1, 700);
    std::vector<int64_t> All = randomRow(Size), Second = randomRow(Size);
    All.insert(All.end(), Second.begin(), Second.end());
    Table T(All, 2, Size);
    for (int Question = 0; Question < 30; ++Question) {
      int64_t R = draw(0, 1), First = draw(0, Size - 1);
      int64_t Last = draw(First, Size - 1), Out[2];
      Ask.span(T.get(), T.row(R), First, Last, Out);
      auto [Low, High] = std::minmax_element(All.begin() + R * Size + First,
                                             All.begin() + R * Size + Last + 1);
      EXPECT_EQ(Out[0], *Low);
      EXPECT_EQ(Out[1], *High);
    }
    // Indices outside are moved to the nearest element.
    int64_t Out[2], Whole[2];
    Ask.span(T.get(), 0, -9, Size + 9, Out);
    Ask.span(T.get(), 0, 0, Size - 1, Whole);
    EXPECT_EQ(Out[0], Whole[0]);
    EXPECT_EQ(Out[1], Whole[1]);
    Ask.span(T.get(), 0, Size + 3, Size + 9, Out);
    EXPECT_EQ(Out[0], All[Size - 1]);
    Ask.span(T.get(), 0, -9, -3, Out);
    EXPECT_EQ(Out[1], All[0]);
  }
}

TEST(Index, SeekIsTheScan) {
  for (int Draw = 0; Draw < 400; ++Draw) {
    int64_t Size = Draw < 40 ? Draw + 2 : draw(2, 700);
    std::vector<int64_t> All = randomRow(Size), Second = randomRow(Size);
    All.insert(All.end(), Second.begin(), Second.end());
    Table T(All, 2, Size);
    for (int Question = 0; Question < 60; ++Question) {
      int64_t R = draw(0, 1), From = draw(-2, Size + 2), Lo = draw(-22, 22);
      int64_t Hi = draw(Lo - 1, Lo + 12), Want = std::max<int64_t>(From, 0);
      int32_t Outside = static_cast<int32_t>(draw(0, 1));
      while (Want < Size) {
        int64_t X = All[R * Size + Want];
        if ((X >= Lo && X < Hi) != (Outside != 0))
          break;
        ++Want;
      }
      EXPECT_EQ(Ask.seek(T.get(), T.row(R), From, Lo, Hi, Outside),
                std::min(Want, Size));
    }
  }
}

TEST(Index, RepeatedElementsStandForAll) {
  Table T({5, 7}, 2, 1);
  EXPECT_EQ(T.get()->shape[1], RepeatedExtent);
  EXPECT_EQ(T.get()->stride[1], 0);
  int64_t Out[2];
  Ask.span(T.get(), T.row(1), 1000, 2000, Out);
  EXPECT_EQ(Out[0], 7);
  EXPECT_EQ(Out[1], 7);
  EXPECT_EQ(Ask.seek(T.get(), T.row(0), 123, 5, 6, 0), 123);
  EXPECT_EQ(Ask.seek(T.get(), T.row(1), 123, 5, 6, 0), RepeatedExtent);
  EXPECT_EQ(Ask.seek(T.get(), T.row(1), 123, 5, 6, 1), 123);
}

TEST(Index, SetQuestionsAreScans) {
  for (int Draw = 0; Draw < 300; ++Draw) {
    int64_t Size = Draw < 30 ? Draw + 1 : draw(1, 400);
    std::vector<std::vector<int64_t>> Rows;
    for (int R = 0; R < 4; ++R)
      Rows.push_back(randomMembers(Size));
    Sets S(Rows, Size);
    for (int Question = 0; Question < 60; ++Question) {
      int64_t First = draw(0, 3), Step = First == 0 ? draw(0, 1) : -1;
      int64_t Count = draw(0, Step == 0 ? 5 : Step > 0 ? 4 : First + 1);
      int64_t Lo = draw(-5, Size + 5), Hi = draw(Lo - 2, Size + 5), Out[4];
      bool Some = false, Every = true;
      int64_t Next = None, Previous = -None;
      for (int64_t I = 0; I < Count; ++I) {
        int64_t Inside = 0;
        for (int64_t X : Rows[First + I * Step]) {
          Inside += X >= Lo && X <= Hi;
          Next = X > Hi ? std::min(Next, X) : Next;
          Previous = X < Lo ? std::max(Previous, X) : Previous;
        }
        Some |= Inside > 0;
        Every &= Hi < Lo || Inside == Hi - Lo + 1;
      }
      Ask.probe(S.get(), First, Step, Count, Lo, Hi, Out);
      EXPECT_EQ(Out[0], Some);
      EXPECT_EQ(Out[1], Every);
      EXPECT_EQ(Out[2], Next);
      EXPECT_EQ(Out[3], Previous);
      const std::vector<int64_t> &Row = Rows[First];
      int64_t X = draw(-3, Size + 3), Rank = draw(-1, Size);
      EXPECT_EQ(Ask.rank(S.get(), First, X),
                std::lower_bound(Row.begin(), Row.end(), X) - Row.begin());
      EXPECT_EQ(Ask.member(S.get(), First, Rank),
                Rank >= 0 && Rank < static_cast<int64_t>(Row.size()) ? Row[Rank]
                                                                     : None);
    }
  }
}

TEST(Index, SetQuestionsTakeAnyNumber) {
  Sets S({{0, 63, 64, 99}}, 100);
  int64_t Out[4];
  for (int64_t Far : {INT64_MAX, INT64_MAX - 1, None}) {
    Ask.probe(S.get(), 0, 0, 1, -Far, Far, Out);
    EXPECT_EQ(Out[0], 1);
    EXPECT_EQ(Out[1], 0);
    EXPECT_EQ(Out[2], None);
    EXPECT_EQ(Out[3], -None);
    Ask.probe(S.get(), 0, 0, 1, Far, Far, Out);
    EXPECT_EQ(Out[0], 0);
    EXPECT_EQ(Out[3], 99);
    Ask.probe(S.get(), 0, 0, 1, -Far, -Far, Out);
    EXPECT_EQ(Out[1], 0);
    EXPECT_EQ(Out[2], 0);
    EXPECT_EQ(Ask.rank(S.get(), 0, Far), 4);
    EXPECT_EQ(Ask.rank(S.get(), 0, -Far), 0);
    EXPECT_EQ(Ask.member(S.get(), 0, Far), None);
  }
}

TEST(Index, WordsMayBeReadFromAnyBit) {
  for (int64_t Size : {0, 1, 63, 64, 65, 300}) {
    Sets S({randomMembers(Size), randomMembers(Size)}, Size);
    const heddle_set &Set = *S.get();
    EXPECT_GE(Set.words_per_row * 64, Size);
    ASSERT_EQ(S.Prepared.Words.size(), size_t(2 * Set.words_per_row + 1));
    for (int64_t R = 0; R < 2; ++R)
      for (int64_t X = 0; X < Set.words_per_row * 64; ++X) {
        bool In = std::binary_search(S.Rows[R].begin(), S.Rows[R].end(), X);
        EXPECT_EQ(Set.words[R * Set.words_per_row + X / 64] >> (X % 64) & 1,
                  In);
      }
  }
}
