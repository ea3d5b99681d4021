// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Operands.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace heddle::attn;

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A tensor of a caller over the elements of a vector.
template <typename T> struct Given {
  Given(heddle_dtype Type, std::vector<int64_t> Shape, std::vector<T> Data,
        std::vector<int64_t> Strides = {})
      : Shape(std::move(Shape)), Strides(std::move(Strides)),
        Data(std::move(Data)) {
    Tensor.data = this->Data.data();
    Tensor.dtype = Type;
    Tensor.rank = static_cast<int32_t>(this->Shape.size());
    Tensor.shape = this->Shape.data();
    Tensor.strides = this->Strides.empty() ? nullptr : this->Strides.data();
  }
  Given(const Given &) = delete;

  std::vector<int64_t> Shape, Strides;
  std::vector<T> Data;
  heddle_tensor Tensor = {};
};

const ParamInfo IntegerTable = {"t", HEDDLE_INTEGER_TABLE, 2};
const ParamInfo RealTable = {"r", HEDDLE_REAL_TABLE, 1};

ParamInfo setParam(unsigned Rank) { return {"s", HEDDLE_SET, Rank}; }

Operand table(const heddle_tensor &Tensor, const ParamInfo &Of) {
  heddle_value Value = {};
  Value.table = &Tensor;
  return llvm::cantFail(Operand::read(Value, Of));
}

llvm::Expected<Operand> tryRead(const heddle_sets &Sets, unsigned Rank) {
  heddle_value Value = {};
  Value.sets = &Sets;
  return Operand::read(Value, setParam(Rank));
}

Operand read(const heddle_sets &Sets, unsigned Rank) {
  return llvm::cantFail(tryRead(Sets, Rank));
}

std::string readFailure(const heddle_sets &Sets, unsigned Rank) {
  llvm::Expected<Operand> Out = tryRead(Sets, Rank);
  return Out ? "" : llvm::toString(Out.takeError());
}

int64_t find(const Operand &Of, std::vector<int64_t> Indices) {
  unsigned Axis = 0;
  return Of.find(Indices.data(), Axis);
}

std::vector<int64_t> members(const Operand &Of, std::vector<int64_t> Indices) {
  return Of.members(find(Of, std::move(Indices))).vec();
}

TEST(OperandTest, Scalars) {
  heddle_value Value = {};
  Value.integer = -7;
  Value.real = 0.1;
  EXPECT_EQ(
      llvm::cantFail(Operand::read(Value, {"w", HEDDLE_INTEGER, 0})).integer(),
      -7);
  // Parameters are f32.
  EXPECT_EQ(llvm::cantFail(Operand::read(Value, {"x", HEDDLE_REAL, 0})).real(),
            static_cast<double>(0.1F));
}

TEST(OperandTest, TablesOfAnyStride) {
  // Columns before rows, and one element between two.
  Given<int32_t> T(HEDDLE_I32, {2, 3}, {1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6},
                   {2, 4});
  Operand Read = table(T.Tensor, IntegerTable);
  EXPECT_EQ(Read.kind(), HEDDLE_INTEGER_TABLE);
  for (int64_t I = 0; I < 2; ++I)
    for (int64_t J = 0; J < 3; ++J)
      EXPECT_EQ(Read.integerAt(find(Read, {I, J})), 3 * I + J + 1);
  Given<int64_t> Wide(HEDDLE_I64, {1, 2}, {int64_t(1) << 40, -3});
  Read = table(Wide.Tensor, IntegerTable);
  EXPECT_EQ(Read.integerAt(find(Read, {0, 0})), int64_t(1) << 40);
  Given<float> Real(HEDDLE_F32, {3}, {0.5F, 1.5F, 2.5F}, {-1});
  Real.Tensor.data = &Real.Data[2];
  Read = table(Real.Tensor, RealTable);
  EXPECT_EQ(Read.realAt(find(Read, {0})), 2.5);
  EXPECT_EQ(Read.realAt(find(Read, {2})), 0.5);
}

TEST(OperandTest, AxesOfOneElementStandForAll) {
  Operand T = Operand::integers({1, 3}, {5, 6, 7});
  EXPECT_EQ(T.integerAt(find(T, {9, 2})), 7);
  unsigned Axis = 0;
  const int64_t Outside[] = {0, 3}, Below[] = {0, -1};
  EXPECT_EQ(T.find(Outside, Axis), -1);
  EXPECT_EQ(Axis, 1U);
  EXPECT_EQ(T.find(Below, Axis), -1);
}

TEST(OperandTest, Lists) {
  Given<int64_t> Indices(HEDDLE_I64, {1, 2, 3}, {1, 4, 9, 0, 7, 7});
  Given<int32_t> Lengths(HEDDLE_I32, {2, 1}, {3, 2});
  heddle_sets Sets = {};
  Sets.format = HEDDLE_LISTS;
  Sets.size = 10;
  Sets.indices = &Indices.Tensor;
  EXPECT_THAT(readFailure(Sets, 2), HasSubstr("found 7 after 7 in set 1"));
  // Lengths differ along the first axis, indices along the second.
  Given<int64_t> Good(HEDDLE_I64, {1, 2, 3}, {1, 4, 9, 0, 7, 8});
  Sets.indices = &Good.Tensor;
  Sets.lengths = &Lengths.Tensor;
  Operand Read = read(Sets, 2);
  EXPECT_EQ(Read.size(), 10);
  EXPECT_THAT(members(Read, {0, 0}), ElementsAre(1, 4, 9));
  EXPECT_THAT(members(Read, {0, 1}), ElementsAre(0, 7, 8));
  EXPECT_THAT(members(Read, {1, 0}), ElementsAre(1, 4));
  EXPECT_THAT(members(Read, {1, 1}), ElementsAre(0, 7));
  Sets.size = 9;
  EXPECT_THAT(readFailure(Sets, 2), HasSubstr("in [0, 9), found 9 in set 0"));
  Sets.size = 10;
  Lengths.Data[1] = 4;
  EXPECT_THAT(readFailure(Sets, 2), HasSubstr("the members [0, 4) of 3"));
  Lengths.Data[1] = 0;
  EXPECT_TRUE(members(read(Sets, 2), {1, 1}).empty());
  EXPECT_THAT(readFailure(Sets, 1), HasSubstr("expected 2 axes"));
}

TEST(OperandTest, CompressedRows) {
  Given<int32_t> Starts(HEDDLE_I32, {2, 4}, {0, 2, 2, 3, 0, 0, 1, 4});
  Given<int32_t> Indices(HEDDLE_I32, {2, 4}, {0, 5, 3, 9, 4, 1, 2, 3});
  heddle_sets Sets = {};
  Sets.format = HEDDLE_CSR;
  Sets.size = 6;
  Sets.indptr = &Starts.Tensor;
  Sets.indices = &Indices.Tensor;
  Operand Read = read(Sets, 2);
  EXPECT_THAT(members(Read, {0, 0}), ElementsAre(0, 5));
  EXPECT_TRUE(members(Read, {0, 1}).empty());
  EXPECT_THAT(members(Read, {0, 2}), ElementsAre(3));
  EXPECT_THAT(members(Read, {1, 1}), ElementsAre(4));
  EXPECT_THAT(members(Read, {1, 2}), ElementsAre(1, 2, 3));
  EXPECT_EQ(find(Read, {0, 3}), -1);
  Starts.Data[2] = 1;
  EXPECT_THAT(readFailure(Sets, 2), HasSubstr("the members [2, 1) of 4"));
}

TEST(OperandTest, Maps) {
  Given<uint8_t> Map(HEDDLE_BOOL, {2, 4}, {0, 1, 0, 9, 0, 0, 0, 0});
  heddle_sets Sets = {};
  Sets.format = HEDDLE_MAP;
  Sets.size = 4;
  Sets.map = &Map.Tensor;
  Operand Read = read(Sets, 1);
  EXPECT_THAT(members(Read, {0}), ElementsAre(1, 3));
  EXPECT_TRUE(members(Read, {1}).empty());
  Sets.size = 5;
  EXPECT_THAT(readFailure(Sets, 1), HasSubstr("expected 5 elements"));
}

TEST(OperandTest, OneSetForAll) {
  Given<int32_t> Indices(HEDDLE_I32, {3}, {2, 4, 6});
  heddle_sets Sets = {};
  Sets.format = HEDDLE_LISTS;
  Sets.size = 7;
  Sets.indices = &Indices.Tensor;
  EXPECT_THAT(members(read(Sets, 0), {}), ElementsAre(2, 4, 6));
  Sets.format = HEDDLE_CSR;
  EXPECT_THAT(readFailure(Sets, 0), HasSubstr("as a list or a map"));
}

TEST(OperandTest, AbsentAndWrongTensors) {
  heddle_value Value = {};
  auto Failure = [&](const ParamInfo &Of) {
    llvm::Expected<Operand> Out = Operand::read(Value, Of);
    return Out ? "" : llvm::toString(Out.takeError());
  };
  EXPECT_THAT(Failure(IntegerTable), HasSubstr("of parameter 't' are absent"));
  EXPECT_THAT(Failure(setParam(1)), HasSubstr("of parameter 's' are absent"));
  Given<float> Real(HEDDLE_F32, {1, 1}, {1});
  Value.table = &Real.Tensor;
  EXPECT_THAT(Failure(IntegerTable), HasSubstr("wrong element type"));
  EXPECT_THAT(Failure(RealTable), HasSubstr("expected 1 axes"));
  Real.Tensor.data = nullptr;
  EXPECT_THAT(Failure({"r", HEDDLE_REAL_TABLE, 2}), HasSubstr("no data"));
}

TEST(OperandTest, ListsOfOperands) {
  const std::vector<ParamInfo> Params = {{"w", HEDDLE_INTEGER, 0}, RealTable};
  OperandList List = {5, Operand::reals({2}, {1, 2})};
  EXPECT_FALSE(List.check("pattern 'p'", Params));
  auto Failure = [&](const OperandList &Of) {
    return llvm::toString(Of.check("pattern 'p'", Params));
  };
  EXPECT_THAT(Failure({5}), HasSubstr("'p' has 2 parameters, found 1 values"));
  EXPECT_THAT(
      Failure({5, 6}),
      HasSubstr("a table of reals for parameter 'r', found an integer"));
  EXPECT_THAT(Failure({5, Operand::reals({2, 1}, {1, 2})}),
              HasSubstr("expected 1 axes for parameter 'r', found 2"));
  EXPECT_THAT(Failure({5, Operand::reals({3}, {1, 2})}),
              HasSubstr("expected 3 elements"));
  llvm::Expected<OperandList> None = OperandList::read(nullptr, Params);
  ASSERT_FALSE(static_cast<bool>(None));
  EXPECT_THAT(llvm::toString(None.takeError()), HasSubstr("found none"));
}

} // namespace
