// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Operand.h"
#include "heddle/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

using namespace heddle;
using namespace heddle::runtime;

namespace {

std::mt19937 Random(11);

int64_t draw(int64_t Lo, int64_t Hi) {
  return std::uniform_int_distribution<int64_t>(Lo, Hi)(Random);
}

/// A tensor of any rank with strides of its own: axes in a random order in
/// memory, some reversed, some repeating, all with gaps.
template <typename T> struct Scattered {
  std::vector<T> Memory;
  std::vector<int64_t> Shape, Strides;
  int64_t Begin = 0;

  Scattered() = default;
  Scattered(std::vector<int64_t> Extents, bool Odd)
      : Shape(std::move(Extents)), Strides(Shape.size()) {
    std::vector<size_t> Order(Shape.size());
    for (size_t I = 0; I < Order.size(); ++I)
      Order[I] = Order.size() - 1 - I;
    if (Odd)
      std::shuffle(Order.begin(), Order.end(), Random);
    int64_t Size = 1;
    for (size_t Axis : Order) {
      Strides[Axis] = Size * (Odd ? draw(1, 2) : 1);
      Size = Strides[Axis] * std::max<int64_t>(1, Shape[Axis]);
      if (Odd && draw(0, 5) == 0)
        Strides[Axis] = 0;
      if (Odd && draw(0, 3) == 0) {
        Begin += Strides[Axis] * std::max<int64_t>(0, Shape[Axis] - 1);
        Strides[Axis] = -Strides[Axis];
      }
    }
    Memory.resize(Size);
  }
  T &at(const std::vector<int64_t> &Index) {
    int64_t At = Begin;
    for (size_t Axis = 0; Axis < Shape.size(); ++Axis)
      At += Index[Axis] * Strides[Axis];
    return Memory[At];
  }
  heddle_tensor view(heddle_dtype Dtype) {
    return {Memory.data() + Begin, Dtype, static_cast<int32_t>(Shape.size()),
            Shape.data(), Strides.data()};
  }
};

/// Calls `Fn` with every index of a shape.
void forEach(const std::vector<int64_t> &Shape,
             const std::function<void(const std::vector<int64_t> &)> &Fn) {
  std::vector<int64_t> Index(Shape.size());
  for (int64_t Extent : Shape)
    if (Extent == 0)
      return;
  while (true) {
    Fn(Index);
    size_t Axis = Shape.size();
    while (Axis > 0 && ++Index[Axis - 1] == Shape[Axis - 1])
      Index[--Axis] = 0;
    if (Axis == 0)
      return;
  }
}

/// An index of an axis that may stand for all: any number will do.
int64_t reach(int64_t Index, int64_t Extent) {
  return Extent == 1 ? draw(0, 1000) : Index;
}

heddle_param table(int32_t Rank, int32_t Kind = HEDDLE_INTEGER_TABLE,
                   int32_t NeedsBounds = 1) {
  return {"t", {}, 0, Kind, Rank, NeedsBounds};
}
heddle_param set(int32_t Rank) { return {"s", {}, 0, HEDDLE_SET, Rank, 0}; }

void expectText(const ErrorText &Bad, const char *Part) {
  ASSERT_TRUE(Bad) << "accepted, expected: " << Part;
  EXPECT_NE(Bad->find(Part), std::string::npos)
      << "'" << Part << "' is not in: " << *Bad;
}

template <typename T> void tablesHold(heddle_dtype Dtype) {
  for (int Draw = 0; Draw < 300; ++Draw) {
    int64_t Rank = draw(1, 4);
    std::vector<int64_t> Shape;
    for (int64_t Axis = 0; Axis < Rank; ++Axis)
      Shape.push_back(draw(0, 9) == 0 ? 0 : draw(1, Axis + 1 == Rank ? 40 : 4));
    Scattered<T> From(Shape, Draw % 2 != 0);
    for (T &X : From.Memory)
      X = static_cast<T>(draw(INT32_MIN, INT32_MAX));
    heddle_tensor Tensor = From.view(Dtype);
    heddle_param Param =
        table(static_cast<int32_t>(Rank),
              Dtype == HEDDLE_F32 ? HEDDLE_REAL_TABLE : HEDDLE_INTEGER_TABLE,
              static_cast<int32_t>(draw(0, 1)));
    PreparedTable Prepared;
    ErrorText Bad = prepareTable(Param, &Tensor, Prepared);
    ASSERT_FALSE(Bad) << *Bad;
    const heddle_table &Table = Prepared.Table;
    ASSERT_NE(Table.data, nullptr);
    for (int64_t Axis = 0; Axis < Rank; ++Axis)
      EXPECT_EQ(Table.shape[Axis],
                Shape[Axis] == 1 ? RepeatedExtent : Shape[Axis]);
    forEach(Shape, [&](const std::vector<int64_t> &Index) {
      int64_t At = 0, Row = 0;
      for (int64_t Axis = 0; Axis < Rank; ++Axis) {
        int64_t I = reach(Index[Axis], Shape[Axis]);
        At += I * Table.stride[Axis];
        Row += Axis + 1 < Rank ? I * Table.pyramid_stride[Axis] : 0;
      }
      if (Dtype == HEDDLE_F32) {
        EXPECT_EQ(static_cast<const float *>(Table.data)[At],
                  static_cast<float>(From.at(Index)));
        return;
      }
      EXPECT_EQ(static_cast<const int32_t *>(Table.data)[At],
                static_cast<int64_t>(From.at(Index)));
      if (!Param.needs_bounds)
        return;
      int64_t Out[2], Last = Index.back();
      heddle_index_functions()->span(&Table, Row, Last, Last, Out);
      EXPECT_EQ(Out[0], static_cast<int64_t>(From.at(Index)));
      EXPECT_EQ(Out[1], Out[0]);
    });
  }
}

/// Rows of members, by one, two or three indices.
struct Members {
  std::vector<int64_t> Shape;
  int64_t Size = 0, Longest = 0;
  std::vector<std::vector<int64_t>> Rows;

  Members(std::vector<int64_t> Extents, int64_t Size)
      : Shape(std::move(Extents)), Size(Size) {
    int64_t Count = 1;
    for (int64_t Extent : Shape)
      Count *= Extent;
    for (int64_t R = 0; R < Count; ++R) {
      Rows.emplace_back();
      int64_t Density = draw(0, 4);
      for (int64_t X = 0; X < Size; ++X)
        if (draw(1, 4) <= Density)
          Rows.back().push_back(X);
      Longest = std::max(Longest, static_cast<int64_t>(Rows.back().size()));
    }
  }
  int64_t number(const std::vector<int64_t> &Index) const {
    int64_t R = 0;
    for (size_t Axis = 0; Axis < Shape.size(); ++Axis)
      R = R * Shape[Axis] + Index[Axis];
    return R;
  }
  const std::vector<int64_t> &row(const std::vector<int64_t> &Index) const {
    return Rows[number(Index)];
  }

  /// Every row of a prepared set has these members.
  void expectIn(const heddle_set &Set) const {
    EXPECT_EQ(Set.size, Size);
    EXPECT_EQ(Set.rank, static_cast<int32_t>(Shape.size()));
    forEach(Shape, [&](const std::vector<int64_t> &Index) {
      int64_t Row = 0;
      for (size_t Axis = 0; Axis < Shape.size(); ++Axis) {
        EXPECT_EQ(Set.shape[Axis],
                  Shape[Axis] == 1 ? RepeatedExtent : Shape[Axis]);
        Row += reach(Index[Axis], Shape[Axis]) * Set.stride[Axis];
      }
      const std::vector<int64_t> &Want = row(Index);
      std::vector<int64_t> Listed(Set.members + Set.starts[Row],
                                  Set.members + Set.starts[Row + 1]);
      EXPECT_EQ(Listed, Want);
      std::vector<int64_t> Found;
      for (int64_t X = 0; X < Size; ++X) {
        EXPECT_EQ(heddle_index_functions()->rank(&Set, Row, X),
                  static_cast<int64_t>(Found.size()));
        int64_t Word = Row * Set.words_per_row + X / 64;
        if (Set.words[Word] >> (X % 64) & 1)
          Found.push_back(X);
      }
      EXPECT_EQ(Found, Want);
    });
  }
};

Members randomMembers(int64_t Rank) {
  std::vector<int64_t> Shape;
  for (int64_t Axis = 0; Axis < Rank; ++Axis)
    Shape.push_back(draw(1, 4));
  return Members(Shape, draw(0, 6) == 0 ? 0 : draw(1, 200));
}

/// The set of a parameter, which must be valid.
PreparedSet prepared(int32_t Rank, const heddle_sets &Given, bool Trusted) {
  PreparedSet Result;
  ErrorText Bad = prepareSet(set(Rank), &Given, Trusted, Result);
  EXPECT_FALSE(Bad) << *Bad;
  return Result;
}

template <typename T> void listsHold(heddle_dtype Dtype) {
  for (int Draw = 0; Draw < 150; ++Draw) {
    int64_t Rank = draw(0, 3);
    Members Want = randomMembers(Rank);
    std::vector<int64_t> Shape = Want.Shape;
    Scattered<T> Lengths(Shape, Draw % 2 != 0);
    Shape.push_back(Want.Longest + draw(0, 3));
    Scattered<T> Indices(Shape, Draw % 2 != 0);
    // A stride of zero makes all rows one.
    for (const auto *Strides : {&Lengths.Strides, &Indices.Strides})
      for (size_t Axis = 0; Axis < Strides->size(); ++Axis)
        if ((*Strides)[Axis] == 0 && Shape[Axis] > 1)
          Indices = {}, Lengths = {};
    if (Indices.Shape.empty())
      continue;
    forEach(Want.Shape, [&](const std::vector<int64_t> &Index) {
      Lengths.at(Index) = static_cast<T>(Want.row(Index).size());
      std::vector<int64_t> At = Index;
      At.push_back(0);
      for (int64_t Member : Want.row(Index)) {
        Indices.at(At) = static_cast<T>(Member);
        ++At.back();
      }
    });
    heddle_tensor IndexTensor = Indices.view(Dtype);
    heddle_tensor LengthTensor = Lengths.view(Dtype);
    heddle_sets Given = {HEDDLE_LISTS,  Want.Size, &IndexTensor,
                         &LengthTensor, nullptr,   nullptr};
    for (bool Trusted : {false, true})
      Want.expectIn(prepared(static_cast<int32_t>(Rank), Given, Trusted).Set);
  }
}

template <typename T> void csrHolds(heddle_dtype Dtype) {
  for (int Draw = 0; Draw < 150; ++Draw) {
    int64_t Rank = draw(1, 3), Capacity = 0;
    Members Want = randomMembers(Rank);
    int64_t PerMatrix = Want.Shape.back();
    std::vector<int64_t> Leading(Want.Shape.begin(), Want.Shape.end() - 1);
    for (size_t R = 0; R < Want.Rows.size(); R += PerMatrix) {
      int64_t Sum = draw(0, 3);
      for (int64_t I = 0; I < PerMatrix; ++I)
        Sum += static_cast<int64_t>(Want.Rows[R + I].size());
      Capacity = std::max(Capacity, Sum + 3);
    }
    std::vector<int64_t> Shape = Leading;
    Shape.push_back(PerMatrix + 1);
    Scattered<T> Indptr(Shape, false);
    Shape.back() = Capacity;
    Scattered<T> Indices(Shape, false);
    forEach(Leading, [&](const std::vector<int64_t> &Index) {
      std::vector<int64_t> At = Index, Row = Index, Next = Index;
      Row.push_back(0);
      At.push_back(0);
      // Rows need not begin at the first member of the array.
      Next.push_back(draw(0, 3));
      Indptr.at(At) = static_cast<T>(Next.back());
      for (; Row.back() < PerMatrix; ++Row.back()) {
        for (int64_t Member : Want.row(Row)) {
          Indices.at(Next) = static_cast<T>(Member);
          ++Next.back();
        }
        ++At.back();
        Indptr.at(At) = static_cast<T>(Next.back());
      }
    });
    heddle_tensor IndptrTensor = Indptr.view(Dtype);
    heddle_tensor IndexTensor = Indices.view(Dtype);
    heddle_sets Given = {HEDDLE_CSR, Want.Size,     &IndexTensor,
                         nullptr,    &IndptrTensor, nullptr};
    for (bool Trusted : {false, true})
      Want.expectIn(prepared(static_cast<int32_t>(Rank), Given, Trusted).Set);
  }
}

} // namespace

TEST(Operand, TablesHoldTheirElements) {
  tablesHold<int32_t>(HEDDLE_I32);
  tablesHold<int64_t>(HEDDLE_I64);
  tablesHold<float>(HEDDLE_F32);
}

TEST(Operand, RepeatedTablesTakeNoMemory) {
  // A table expanded to 2^30 x 2^30 by strides of zero.
  int32_t One = 42;
  int64_t Shape[] = {1 << 30, 1 << 30}, Strides[] = {0, 0};
  heddle_tensor Tensor = {&One, HEDDLE_I32, 2, Shape, Strides};
  PreparedTable Prepared;
  ASSERT_FALSE(prepareTable(table(2), &Tensor, Prepared));
  EXPECT_EQ(Prepared.Low.size(), 1U);
  int64_t Out[2];
  heddle_index_functions()->span(&Prepared.Table, 0, 5, 1 << 29, Out);
  EXPECT_EQ(Out[0], 42);
}

TEST(Operand, ListsHoldTheirMembers) {
  listsHold<int32_t>(HEDDLE_I32);
  listsHold<int64_t>(HEDDLE_I64);
}

TEST(Operand, ListsWithoutLengthsAreFull) {
  int32_t Indices[] = {0, 2, 5, 1, 3, 4};
  int64_t Shape[] = {2, 3};
  heddle_tensor Tensor = {Indices, HEDDLE_I32, 2, Shape, nullptr};
  heddle_sets Given = {HEDDLE_LISTS, 6, &Tensor, nullptr, nullptr, nullptr};
  PreparedSet Result = prepared(1, Given, false);
  EXPECT_EQ(Result.Starts, (std::vector<int64_t>{0, 3, 6}));
  EXPECT_EQ(Result.Members, (Integers{0, 2, 5, 1, 3, 4}));
}

TEST(Operand, ListsOfOneHeadServeAll) {
  // Indices by batch, lengths by head: together one set for each pair.
  int32_t Indices[] = {0, 2, 4, 1, 3, 5}, Lengths[] = {0, 3, 1};
  int64_t Shape[] = {2, 1, 3}, LengthShape[] = {1, 3};
  heddle_tensor IndexTensor = {Indices, HEDDLE_I32, 3, Shape, nullptr};
  heddle_tensor LengthTensor = {Lengths, HEDDLE_I32, 2, LengthShape, nullptr};
  heddle_sets Given = {HEDDLE_LISTS,  6,       &IndexTensor,
                       &LengthTensor, nullptr, nullptr};
  PreparedSet Result = prepared(2, Given, false);
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < 3; ++H) {
      int64_t Row = B * Result.Set.stride[0] + H * Result.Set.stride[1];
      ASSERT_EQ(Result.Starts[Row + 1] - Result.Starts[Row], Lengths[H]);
      for (int64_t I = 0; I < Lengths[H]; ++I)
        EXPECT_EQ(Result.Members[Result.Starts[Row] + I], Indices[B * 3 + I]);
    }
}

TEST(Operand, CsrHoldsItsMembers) {
  csrHolds<int32_t>(HEDDLE_I32);
  csrHolds<int64_t>(HEDDLE_I64);
}

TEST(Operand, MapsHoldTheirMembers) {
  for (int Draw = 0; Draw < 300; ++Draw) {
    int64_t Rank = draw(0, 3);
    Members Want = randomMembers(Rank);
    std::vector<int64_t> Shape = Want.Shape;
    Shape.push_back(Want.Size);
    bool Odd = Draw % 2 != 0;
    Scattered<unsigned char> Map(Shape, Odd);
    if (std::count(Map.Strides.begin(), Map.Strides.end(), 0) > 0)
      Map = Scattered<unsigned char>(Shape, false);
    forEach(Want.Shape, [&](const std::vector<int64_t> &Index) {
      std::vector<int64_t> At = Index;
      At.push_back(0);
      // Any byte but zero is true.
      for (int64_t Member : Want.row(Index)) {
        At.back() = Member;
        Map.at(At) = static_cast<unsigned char>(draw(1, 255));
      }
    });
    heddle_tensor Tensor = Map.view(HEDDLE_BOOL);
    heddle_sets Given = {HEDDLE_MAP, Want.Size, nullptr,
                         nullptr,    nullptr,   &Tensor};
    Want.expectIn(prepared(static_cast<int32_t>(Rank), Given, false).Set);
  }
}

TEST(Operand, FamiliesMayBeEmpty) {
  int64_t Shape[] = {0, 3, 4};
  heddle_tensor Tensor = {nullptr, HEDDLE_I32, 3, Shape, nullptr};
  heddle_sets Given = {HEDDLE_LISTS, 9, &Tensor, nullptr, nullptr, nullptr};
  PreparedSet Result = prepared(2, Given, false);
  EXPECT_EQ(Result.Set.shape[0], 0);
  // What a clamped index finds is a set without members.
  EXPECT_EQ(Result.Set.stride[1], 0);
  EXPECT_EQ(heddle_index_functions()->rank(&Result.Set, 0, 9), 0);
}

TEST(Operand, RefusesOddTables) {
  int64_t Elements[] = {1, 2, int64_t(1) << 31, 4, 5, 6};
  int64_t Shape[] = {2, 3}, Wide[] = {2, (int64_t(1) << 31) + 1},
          Negative[] = {2, -1}, Far[] = {INT64_MAX / 2, INT64_MAX / 2};
  heddle_tensor Good = {Elements, HEDDLE_I64, 2, Shape, nullptr};
  auto Try = [&](heddle_tensor Tensor, heddle_param Param = table(2)) {
    PreparedTable Prepared;
    return prepareTable(Param, &Tensor, Prepared);
  };
  PreparedTable Prepared;
  expectText(prepareTable(table(2), nullptr, Prepared), "table 't' is null");
  expectText(Try(Good), "table 't' holds 2147483648 at (0, 2), expected -2^31 "
                        "to 2^31 - 1");
  Elements[2] = INT32_MIN;
  EXPECT_FALSE(Try(Good));
  expectText(Try(Good, table(1)), "table 't' has 2 axes, expected 1");
  expectText(Try(Good, table(2, HEDDLE_REAL_TABLE)),
             "table 't' has dtype i64, expected f32");
  heddle_tensor Bad = Good;
  Bad.dtype = HEDDLE_F32;
  expectText(Try(Bad), "dtype f32, expected i32 or i64");
  Bad.dtype = 99;
  expectText(Try(Bad), "dtype 99, expected i32 or i64");
  Bad = Good;
  Bad.shape = nullptr;
  expectText(Try(Bad), "has no shape");
  Bad.shape = Wide;
  expectText(Try(Bad), "extent 2147483649 along axis 1");
  Bad.shape = Negative;
  expectText(Try(Bad), "extent -1 along axis 1");
  Bad = Good;
  Bad.data = nullptr;
  expectText(Try(Bad), "table 't' of shape (2, 3) has no data");
  Bad.data = reinterpret_cast<char *>(Elements) + 4;
  expectText(Try(Bad), "not aligned to 8 bytes");
  Bad = Good;
  Bad.strides = Far;
  expectText(Try(Bad), "leaves the address space");
}

TEST(Operand, RefusesOddLists) {
  int32_t Indices[] = {0, 3, 7, 9, 1, 2, 3, 4}, Lengths[] = {4, 2};
  int64_t Shape[] = {2, 4}, Three[] = {3};
  heddle_tensor IndexTensor = {Indices, HEDDLE_I32, 2, Shape, nullptr};
  heddle_tensor LengthTensor = {Lengths, HEDDLE_I32, 1, Shape, nullptr};
  heddle_sets Given = {HEDDLE_LISTS,  10,      &IndexTensor,
                       &LengthTensor, nullptr, nullptr};
  auto Try = [&](int32_t Rank = 1, bool Trusted = false) {
    PreparedSet Result;
    return prepareSet(set(Rank), &Given, Trusted, Result);
  };
  PreparedSet Result;
  expectText(prepareSet(set(1), nullptr, false, Result), "set 's' is null");
  EXPECT_FALSE(Try());
  std::swap(Indices[1], Indices[2]);
  expectText(Try(), "set 's'(0) is not sorted: member 3 at 2 follows 7");
  EXPECT_FALSE(Try(1, true));
  Indices[1] = Indices[2] = 3;
  expectText(Try(), "set 's'(0) has member 3 twice, at 1 and 2");
  Indices[2] = 7;
  Indices[3] = 10;
  expectText(Try(), "set 's'(0) has member 10 at 3, expected 0 to 9");
  // Unexamined, it must not write elsewhere.
  EXPECT_FALSE(Try(1, true));
  Indices[3] = 9;
  Indices[4] = -1;
  expectText(Try(), "set 's'(1) has member -1 at 0");
  Indices[4] = 1;
  // What lies behind the length is nobody's business.
  Indices[6] = Indices[7] = -77;
  EXPECT_FALSE(Try());
  Lengths[1] = 5;
  for (bool Trusted : {false, true})
    expectText(Try(1, Trusted), "set 's'(1) has length 5, expected 0 to 4");
  Lengths[1] = -1;
  expectText(Try(), "set 's'(1) has length -1");
  Lengths[1] = 2;
  expectText(Try(2), "'indices' of set 's' has 2 axes, expected 3");
  LengthTensor.rank = 2;
  expectText(Try(), "'lengths' of set 's' has 2 axes, expected 1");
  LengthTensor.rank = 1;
  LengthTensor.shape = Three;
  expectText(Try(), "set 's' have extents 2 and 3 along axis 0");
  LengthTensor.shape = Shape;
  IndexTensor.dtype = HEDDLE_BOOL;
  expectText(Try(), "'indices' of set 's' has dtype bool, expected i32 or i64");
  IndexTensor.dtype = HEDDLE_I32;
  Given.size = (int64_t(1) << 31) + 1;
  expectText(Try(), "set 's' has size 2147483649");
  Given.size = -1;
  expectText(Try(), "set 's' has size -1");
  Given.size = 10;
  Given.indices = nullptr;
  expectText(Try(), "'indices' of set 's' is null");
  Given.format = 7;
  expectText(Try(), "set 's' has the unknown format 7");
}

TEST(Operand, RefusesOddCsrAndMaps) {
  int64_t Indptr[] = {0, 2, 3}, Indices[] = {1, 4, 0, 0};
  int64_t PtrShape[] = {3}, IndexShape[] = {4}, None[] = {0};
  heddle_tensor PtrTensor = {Indptr, HEDDLE_I64, 1, PtrShape, nullptr};
  heddle_tensor IndexTensor = {Indices, HEDDLE_I64, 1, IndexShape, nullptr};
  heddle_sets Given = {HEDDLE_CSR, 5,          &IndexTensor,
                       nullptr,    &PtrTensor, nullptr};
  auto Try = [&](int32_t Rank = 1, bool Trusted = false) {
    PreparedSet Result;
    return prepareSet(set(Rank), &Given, Trusted, Result);
  };
  EXPECT_FALSE(Try());
  expectText(Try(0), "set 's' has no index whose rows CSR could hold");
  for (bool Trusted : {false, true}) {
    Indptr[1] = 4;
    expectText(Try(1, Trusted), "'indptr' gives set 's'(1) the members 4 to 3");
    Indptr[1] = 2;
    Indptr[2] = 5;
    expectText(Try(1, Trusted), "ascending values from 0 to 4");
    Indptr[2] = 3;
    Indptr[0] = -1;
    expectText(Try(1, Trusted), "the members -1 to 2");
    Indptr[0] = 0;
  }
  Indices[0] = 4;
  expectText(Try(), "set 's'(0) has member 4 twice");
  Indices[0] = 1;
  PtrTensor.shape = None;
  expectText(Try(), "'indptr' of set 's' is empty");
  Given.indptr = nullptr;
  expectText(Try(), "'indptr' of set 's' is null");

  unsigned char Map[6] = {};
  int64_t MapShape[] = {2, 3};
  heddle_tensor MapTensor = {Map, HEDDLE_BOOL, 2, MapShape, nullptr};
  Given = {HEDDLE_MAP, 3, nullptr, nullptr, nullptr, &MapTensor};
  EXPECT_FALSE(Try());
  Given.size = 4;
  expectText(Try(), "'map' of set 's' has 3 columns, expected 4");
  Given.size = 3;
  MapTensor.dtype = HEDDLE_I32;
  expectText(Try(), "'map' of set 's' has dtype i32, expected bool");
}

TEST(Operand, StoresKeepParametersInOrder) {
  int32_t Elements[] = {3, 1, 2};
  float Reals[] = {0.5F, 1.5F};
  int64_t Shape[] = {3}, RealShape[] = {2};
  heddle_tensor Table = {Elements, HEDDLE_I32, 1, Shape, nullptr};
  heddle_tensor RealTable = {Reals, HEDDLE_F32, 1, RealShape, nullptr};
  std::sort(Elements, Elements + 3);
  heddle_sets Sets = {HEDDLE_LISTS, 4, &Table, nullptr, nullptr, nullptr};
  heddle_param Params[] = {{"i", {}, 0, HEDDLE_INTEGER, 0, 0},
                           {"t", {}, 0, HEDDLE_INTEGER_TABLE, 1, 1},
                           {"r", {}, 0, HEDDLE_REAL, 0, 0},
                           {"s", {}, 0, HEDDLE_SET, 0, 0},
                           {"u", {}, 0, HEDDLE_REAL_TABLE, 1, 0}};
  heddle_value Values[5] = {};
  Values[0].integer = -7;
  Values[1].table = &Table;
  Values[2].real = 0.25;
  Values[3].sets = &Sets;
  Values[4].table = &RealTable;
  OperandStore Store;
  ASSERT_FALSE(Store.prepare(Params, 5, Values, false));
  EXPECT_GT(Store.milliseconds(), 0);
  OperandStore Moved = std::move(Store);
  const heddle_operand *Operands = Moved.operands();
  EXPECT_EQ(Operands[0].integer, -7);
  EXPECT_EQ(Operands[2].real, 0.25);
  EXPECT_EQ(static_cast<const int32_t *>(Operands[1].table->data)[2], 3);
  EXPECT_EQ(Operands[3].set->members[0], 1);
  // Real tables stay where they are.
  EXPECT_EQ(Operands[4].table->data, Reals);
  EXPECT_GT(Moved.bytes(), 0);

  OperandStore Again;
  expectText(Again.prepare(Params, 5, nullptr, false), "expected 5 values");
  for (double Odd : {double(NAN), double(INFINITY), 1e300}) {
    Values[2].real = Odd;
    expectText(Again.prepare(Params, 5, Values, false), "parameter 'r' is");
  }
  for (int64_t Odd : {int64_t(1) << 31, -(int64_t(1) << 31) - 1}) {
    Values[0].integer = Odd;
    expectText(Again.prepare(Params, 5, Values, false), "parameter 'i' is");
  }
  ASSERT_FALSE(Again.prepare(Params, 1, Values + 1, false));
  EXPECT_EQ(Again.milliseconds(), 0);
  EXPECT_EQ(Again.bytes(), 0);
}
