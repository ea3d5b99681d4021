// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Short queries: kernels whose rows are the heads of a group and whose keys are
// split, on every level, against the interpreter.

#include "test/exec/Kernels.h"

#include <functional>

using namespace heddle;
using namespace heddle::exec;

namespace {

using Values = std::function<ValueList(std::mt19937_64 &, const Sizes &)>;

/// A pattern and random values for its parameters.
struct Case {
  const char *Name;
  const char *Text;
  Values Params;
  bool HasLse = true;
};

ValueList nothing(std::mt19937_64 &, const Sizes &) { return {}; }

const Case Cases[] = {
    {"Dense", R"(
attn.pattern @dense keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
})",
     nothing},
    {"Causal", R"(
attn.pattern @causal keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
})",
     nothing},
    {"Window", R"(
attn.pattern @sliding_window(%window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &, const Sizes &) { return ValueList{700}; }},
    {"SinkAndWindow", R"(
attn.pattern @a_shape(%sink: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %first = arith.cmpi slt, %k, %sink : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &, const Sizes &) { return ValueList{4, 333}; }},
    {"WindowPerHead", R"(
attn.pattern @head_windows(%window: tensor<?xindex>, %sink: tensor<?xindex>)
    keep(%b, %h, %q, %k) {
  %w = attn.at %window[%h] : tensor<?xindex>
  %s = attn.at %sink[%h] : tensor<?xindex>
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %w : index
  %first = arith.cmpi slt, %k, %s : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::randomIntegers(Random, {Of.HeadsQ}, 0, Of.SeqK + 1),
           Value::randomIntegers(Random, {Of.HeadsQ}, 0, 9)};
     }},
    // Several heads keep nothing at all, in every part or in some.
    {"WholeHeads", R"(
attn.pattern @retrieval(%kind: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %c1 = arith.constant 1 : index
  %c2500 = arith.constant 2500 : index
  %t = attn.at %kind[%h] : tensor<?xindex>
  %whole = arith.cmpi eq, %t, %c1 : index
  %late = arith.cmpi sgt, %t, %c1 : index
  %far = arith.cmpi sge, %k, %c2500 : index
  %tail = arith.andi %late, %far : i1
  %kept = arith.ori %whole, %tail : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomIntegers(Random, {Of.HeadsQ}, 0, 2)};
     }},
    {"ColumnsAndDiagonals", R"(
attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%b, %h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::randomSets(Random, {Of.Batch, Of.HeadsQ}, Of.SeqK),
           Value::randomSets(Random, {1, Of.HeadsQ}, Of.SeqK)};
     }},
    // The head is not the last index of a set.
    {"BlocksPerHead", R"(
attn.pattern @block_sparse(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %kept = attn.in %column, %rows[%b, %h, %row]
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomSets(
           Random, {Of.Batch, Of.HeadsQ, (Of.SeqQ + Of.SeqK) / 64 + 1},
           Of.SeqK / 64 + 1)};
     }},
    // Nor of a table, whose elements vary along the keys.
    {"DocumentsPerHead", R"(
attn.pattern @documents(%doc: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%h, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%h, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  attn.keep %same
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{
           Value::sorted(Random, {Of.HeadsQ, Of.SeqQ + Of.SeqK + 1}, 3)};
     }},
    {"SlopePerHead", R"(
attn.pattern @alibi(%slope: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %q, %k : index
  %i = arith.index_cast %d : index to i64
  %f = arith.sitofp %i : i64 to f32
  %c = arith.mulf %m, %f : f32
  %y = arith.subf %s, %c : f32
  attn.score %y
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, 0.001F, 0.2F)};
     }},
    {"SoftcapOfAppliedPattern", R"(
attn.pattern @softcap(%cap: f32) keep(%b, %h, %q, %k) {
  %kept = attn.apply @odd() at(%b, %h, %q, %k)
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %x = arith.divf %s, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  attn.score %y
}
attn.pattern @odd keep(%b, %h, %q, %k) {
  %x = arith.addi %q, %h : index
  %y = arith.addi %x, %k : index
  %kept = attn.in %y, #attn.residue<1, 2>
  attn.keep %kept
})",
     [](std::mt19937_64 &, const Sizes &) { return ValueList{5.0}; }},
    {"Powers", R"(
attn.pattern @powers keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %far = attn.in %d, #attn.pow2
  %near = attn.in %d, #attn.interval<0, 100>
  %kept = arith.ori %far, %near : i1
  attn.keep %kept
})",
     nothing},
    {"Sigmoid", R"(
attn.pattern @sigmoid(%bias: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %c = attn.at %bias[%h] : tensor<?xf32>
  %y = arith.addf %s, %c : f32
  attn.score %y
} normalize sigmoid)",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, -9, -6)};
     },
     false},
    {"FactorPerHead", R"(
attn.pattern @factor(%gate: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %past = arith.cmpi sge, %q, %k : index
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %c = attn.at %gate[%h] : tensor<?xf32>
  attn.score %s factor %c
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomReals(Random, {Of.HeadsQ}, 0, 1)};
     }},
    {"PerSequence", R"(
attn.pattern @padded(%length: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %n = attn.at %length[%b] : tensor<?xindex>
  %kept = arith.cmpi slt, %k, %n : index
  attn.keep %kept
})",
     [](std::mt19937_64 &Random, const Sizes &Of) {
       return ValueList{Value::randomIntegers(Random, {Of.Batch}, 0, Of.SeqK)};
     }},
};

/// A key head for `Group` query heads, queries at the end of the keys.
Sizes decoding(int64_t Queries, int64_t Group, int64_t Keys,
               int64_t HeadsKv = 1, int64_t Batch = 1) {
  Sizes Of = {Batch, Group * HeadsKv, HeadsKv, Queries, Keys, {}, {}};
  Of.Origin.assign(static_cast<size_t>(Batch),
                   std::max<int64_t>(0, Keys - Queries));
  return Of;
}

KernelSpec shortQueries(int64_t HeadDim, int64_t ValueDim = 0) {
  KernelSpec Spec;
  Spec.HeadDim = HeadDim;
  Spec.ValueDim = ValueDim;
  Spec.ShortQueries = true;
  return Spec;
}

/// 0 where the plan runs ordinary code.
int64_t partsOf(const Program &Kernel, const Sizes &Of) {
  const PlanHandle Plan = makePlan(Kernel, Of);
  return heddle_plan_parts(Plan.get());
}

class Decode : public testing::TestWithParam<Case> {
protected:
  const Case &Given = GetParam();
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

INSTANTIATE_TEST_SUITE_P(Patterns, Decode, testing::ValuesIn(Cases),
                         [](const testing::TestParamInfo<Case> &Info) {
                           return std::string(Info.param.Name);
                         });

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
    for (const Case &Known : Cases)
      if (Known.Name == std::string(Name))
        return make(Known.Text, shortQueries(16));
    return std::nullopt;
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
attn.pattern @sink(%sink: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} normalize softmax sink(%sink))",
      R"(
attn.pattern @rope(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} rotate(%cos, %sin))",
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
  const std::optional<Program> Kernel = make(Cases[0].Text, Sums);
  ASSERT_TRUE(Kernel);
  EXPECT_EQ(heddle_kernel_entry(Kernel->kernel())->codes[0].packed, nullptr);
}

} // namespace
