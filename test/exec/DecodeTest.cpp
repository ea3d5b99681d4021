// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short queries: kernels whose rows are the heads of a group and whose keys are
// split, on every level, against the interpreter.

#include "test/exec/DecodeCases.h"

using namespace heddle;
using namespace heddle::exec;

namespace {

/// 0 where the plan runs ordinary code.
int64_t partsOf(const Program &Kernel, const Sizes &Of) {
  const PlanHandle Plan = makePlan(Kernel, Of);
  return heddle_plan_parts(Plan.get());
}

class Decode : public testing::TestWithParam<DecodeCase> {
protected:
  const DecodeCase &Given = GetParam();
  Compiler Host;
  std::mt19937_64 Random{11};
};

TEST_P(Decode, AgreesWithTheInterpreter) {
  OnEveryLevel Kernels(Host, Given.Text, shortQueries(40, 24));
  uint64_t Seed = 1;
  for (Sizes Of :
       {decoding(1, 8, 5000), decoding(1, 1, 5000), decoding(1, 20, 1000),
        decoding(2, 3, 3001), decoding(5, 8, 1000, 2, 2), decoding(1, 3, 63, 3),
        decoding(5, 20, 129), decoding(1, 8, 1), decoding(2, 3, 0)}) {
    Of.Params = Given.Params(Random, Of);
    ASSERT_TRUE(Kernels.agree(Of, Layout::Bhsd, Seed++));
  }
}

/// Partial results are f32 and rounded once.
TEST_P(Decode, AgreesInOtherTypesAndLayouts) {
  uint64_t Seed = 100;
  for (heddle_dtype Dtype : {HEDDLE_F16, HEDDLE_BF16})
    for (int64_t HeadDim : {80, 128}) {
      KernelSpec Spec = shortQueries(HeadDim);
      Spec.Dtype = Dtype;
      if (HeadDim == 128)
        Spec.OutputDtype = HEDDLE_F32;
      OnEveryLevel Kernels(Host, Given.Text, Spec);
      for (Layout Order : {Layout::Bshd, Layout::Padded}) {
        Sizes Of = decoding(2, 5, 2500, 2);
        Of.Params = Given.Params(Random, Of);
        ASSERT_TRUE(Kernels.agree(Of, Order, Seed++));
      }
    }
}

TEST_P(Decode, RowMaximaOfAllParts) {
  KernelSpec Spec = shortQueries(16);
  Spec.Outputs.RowMax = true;
  OnEveryLevel Kernels(Host, Given.Text, Spec);
  Sizes Of = decoding(1, 6, 4000, 2);
  Of.Params = Given.Params(Random, Of);
  ASSERT_TRUE(Kernels.agree(Of));
}

TEST_P(Decode, RaggedBatches) {
  OnEveryLevel Kernels(Host, Given.Text, shortQueries(24));
  Sizes Of = Sizes::ragged(8, 2, {1, 2, 0, 1, 3}, {1500, 64, 20, 0, 4000});
  Of.Origin = {1499, 62, 19, 0, 3997};
  Of.Params = Given.Params(Random, Of);
  ASSERT_TRUE(Kernels.agree(Of));
}

TEST_P(Decode, BitEqualForAnyNumberOfThreads) {
  const Result<Pattern> What = Pattern::parse(Host, Given.Text, "test.mlir");
  ASSERT_TRUE(What);
  const KernelSpec Spec = shortQueries(32);
  const std::optional<Program> Kernel = compile(Host, *What, Spec);
  ASSERT_TRUE(Kernel);
  Sizes Of = decoding(2, 4, 6000);
  Of.Params = Given.Params(Random, Of);
  Operands First(Of, Spec);
  ASSERT_TRUE(launch(*Kernel, Of, First, 1));
  for (int32_t Threads : {1, 2, 3, 3, 3}) {
    Operands Again(Of, Spec, Layout::Bshd);
    ASSERT_TRUE(launch(*Kernel, Of, Again, Threads));
    EXPECT_TRUE(First.O.sameBits(Again.O)) << Threads << " threads";
    if (Given.HasLse)
      EXPECT_TRUE(First.Lse.sameBits(Again.Lse)) << Threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(Patterns, Decode, testing::ValuesIn(decodeCases()),
                         [](const testing::TestParamInfo<DecodeCase> &Info) {
                           return std::string(Info.param.Name);
                         });

/// The heads of a row are at one position, the keys at theirs.
TEST(DecodeRotated, AgreesWithTheInterpreter) {
  Compiler Host;
  std::mt19937_64 Random{5};
  const DecodeCase Case = rotatedCase(40);
  OnEveryLevel Kernels(Host, Case.Text, shortQueries(40, 24));
  uint64_t Seed = 1;
  for (Sizes Of : {decoding(1, 8, 3000), decoding(3, 20, 500, 2),
                   decoding(2, 3, 0), decoding(1, 8, 1)}) {
    Of.Params = Case.Params(Random, Of);
    ASSERT_TRUE(Kernels.agree(Of, Layout::Bshd, Seed++));
  }
}

class DecodePlan : public testing::Test {
protected:
  std::optional<Program> make(const std::string &Text, KernelSpec Spec) {
    const Result<Pattern> What = Pattern::parse(Host, Text, "test.mlir");
    if (!What) {
      ADD_FAILURE() << What.failure().str();
      return std::nullopt;
    }
    return compile(Host, *What, Spec);
  }
  std::optional<Program> make(const char *Name) {
    return make(decodeCase(Name).Text, shortQueries(16));
  }

  Compiler Host;
};

TEST_F(DecodePlan, SplitsRowsWhereThereAreFew) {
  const std::optional<Program> Kernel = make("Dense");
  ASSERT_TRUE(Kernel);
  // Sixty-four tasks in all; sixteen key tiles per part at least.
  EXPECT_EQ(partsOf(*Kernel, decoding(1, 8, 131072, 8)), 8);
  EXPECT_EQ(partsOf(*Kernel, decoding(1, 8, 131072)), 64);
  EXPECT_EQ(partsOf(*Kernel, decoding(1, 8, 4096)), 4);
  EXPECT_EQ(partsOf(*Kernel, decoding(1, 8, 1000)), 1);
  EXPECT_EQ(partsOf(*Kernel, decoding(1, 8, 131072, 8, 8)), 1);
}

TEST_F(DecodePlan, SplitsTheKeysThatAreKept) {
  const std::optional<Program> Kernel = make("Window");
  ASSERT_TRUE(Kernel);
  Sizes Of = decoding(1, 8, 1 << 20);
  Of.Params = ValueList{8192};
  EXPECT_EQ(partsOf(*Kernel, Of), 8);
  Of.Params = ValueList{1000};
  EXPECT_EQ(partsOf(*Kernel, Of), 1);
}

TEST_F(DecodePlan, LeavesLongQueriesToOrdinaryCode) {
  const std::optional<Program> Kernel = make("Dense");
  ASSERT_TRUE(Kernel);
  const heddle_code *Code = nullptr;
  ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
  ASSERT_NE(Code->packed, nullptr);
  EXPECT_LT(Code->packed->query_tile, Code->query_tile);
  // As many rows either way, then one fewer.
  const int64_t Group = Code->packed->query_tile;
  EXPECT_EQ(partsOf(*Kernel, decoding(Code->query_tile, Group, 2000)), 0);
  EXPECT_GT(partsOf(*Kernel, decoding(Code->query_tile - 1, Group, 2000)), 0);
  EXPECT_EQ(partsOf(*Kernel, decoding(200, 1, 2000)), 0);
}

/// A column here and there is gathered by ordinary code; a tile of heads would
/// visit all key tiles that one of them has a column in.
TEST_F(DecodePlan, ComparesWhatIsVisited) {
  const std::optional<Program> Kernel = make("ColumnsAndDiagonals");
  ASSERT_TRUE(Kernel);
  constexpr int64_t Keys = 20000;
  std::vector<int64_t> Spread, Together;
  for (int64_t I = 0; I < 200; ++I) {
    Spread.push_back(100 * I);
    Together.push_back(I);
  }
  Sizes Of = decoding(1, 2, Keys);
  const Value None = Value::sets({1, 1}, Keys, {{}});
  Of.Params = ValueList{Value::sets({1, 1}, Keys, {Spread}), None};
  EXPECT_EQ(partsOf(*Kernel, Of), 0);
  Of.Params = ValueList{Value::sets({1, 1}, Keys, {Together}), None};
  EXPECT_GT(partsOf(*Kernel, Of), 0);
}

TEST_F(DecodePlan, HasNoPackedCodeWherePairsAreNotAll) {
  const char *Texts[] = {
      R"(
attn.pattern @landmark keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} normalize grouped 64)",
      R"(
attn.pattern @grid(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %true = arith.constant true
  attn.keep %true
})",
      R"(
attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.combine @both [@all, @all])"};
  for (const char *Text : Texts) {
    const std::optional<Program> Kernel = make(Text, shortQueries(16));
    ASSERT_TRUE(Kernel) << Text;
    EXPECT_EQ(heddle_kernel_entry(Kernel->kernel())->codes[0].packed, nullptr)
        << Text;
  }
  KernelSpec Sums = shortQueries(16);
  Sums.Outputs.ColumnSums = true;
  const std::optional<Program> Kernel = make(decodeCase("Dense").Text, Sums);
  ASSERT_TRUE(Kernel);
  EXPECT_EQ(heddle_kernel_entry(Kernel->kernel())->codes[0].packed, nullptr);
}

} // namespace
