// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "frontends/common/Run.h"
#include "frontends/common/Values.h"
#include "runtime/npy/Npy.h"

#include <cmath>
#include <set>

using namespace heddle;
using namespace heddle::frontend;
using namespace heddle::test;

static void expectText(const ErrorText &Bad,
                       std::initializer_list<const char *> Parts) {
  ASSERT_TRUE(Bad);
  for (const char *Part : Parts)
    EXPECT_NE(Bad->find(Part), std::string::npos)
        << "'" << Part << "' is not in: " << *Bad;
}

TEST(Shape, ParsesAndFillsIn) {
  ShapeSolver Solver;
  ASSERT_FALSE(Solver.addText("b=2,hq=8,hkv=2,sq=100,sk=50,d=64,dv=32"));
  Problem Sizes;
  ASSERT_FALSE(Solver.solve(Sizes));
  EXPECT_EQ(Sizes.Batch, 2);
  EXPECT_EQ(Sizes.HeadsQ, 8);
  EXPECT_EQ(Sizes.HeadsKv, 2);
  EXPECT_EQ(Sizes.SeqQ, 100);
  EXPECT_EQ(Sizes.SeqK, 50);
  EXPECT_EQ(Sizes.HeadDim, 64);
  EXPECT_EQ(Sizes.ValueDim, 32);
  ShapeSolver Short;
  ASSERT_FALSE(Short.addText("hq=3,sq=0,d=8"));
  ASSERT_FALSE(Short.solve(Sizes));
  EXPECT_EQ(Sizes.Batch, 1);
  EXPECT_EQ(Sizes.HeadsKv, 3);
  EXPECT_EQ(Sizes.SeqK, 0);
  EXPECT_EQ(Sizes.ValueDim, 8);
}

TEST(Shape, RefusesBadText) {
  const struct {
    const char *Text;
    const char *Message;
  } Cases[] = {{"", "--shape has ''"},
               {"b", "--shape has 'b'"},
               {"x=3", "--shape has 'x=3'"},
               {"b=1,", "--shape has ''"},
               {"b=", "'b' in --shape is ''"},
               {"b=two", "'b' in --shape is 'two'"},
               {"b=1.5", "'b' in --shape is '1.5'"},
               {"b= 1", "'b' in --shape is ' 1'"},
               {"b=1,b=1", "'b' twice"},
               {"sq=-1", "'sq' is -1 in --shape"},
               {"sq=99999999999", "'sq' is 99999999999"},
               {"sq=99999999999999999999", "'sq' in --shape is 9999"},
               {"d=0", "'d' is 0 in --shape, expected 1 to 512"},
               {"dv=513", "'dv' is 513"}};
  for (const auto &Case : Cases) {
    ShapeSolver Solver;
    expectText(Solver.addText(Case.Text), {Case.Message});
  }
}

TEST(Shape, DeducesFromTensorsInBothLayouts) {
  for (Layout Order : {Layout::Bhsd, Layout::Bshd}) {
    auto Stored = [&](std::vector<int64_t> Shape) {
      if (Order == Layout::Bshd)
        std::swap(Shape[1], Shape[2]);
      return Shape;
    };
    ShapeSolver Solver;
    ASSERT_FALSE(Solver.addTensor('q', Stored({2, 8, 10, 64}), Order, "q.npy"));
    ASSERT_FALSE(Solver.addTensor('k', Stored({2, 4, 20, 64}), Order, "k.npy"));
    ASSERT_FALSE(Solver.addTensor('v', Stored({2, 4, 20, 32}), Order, "v.npy"));
    ASSERT_FALSE(Solver.addText("hkv=4"));
    Problem Sizes;
    ASSERT_FALSE(Solver.solve(Sizes));
    EXPECT_EQ(Sizes.HeadsQ, 8);
    EXPECT_EQ(Sizes.HeadsKv, 4);
    EXPECT_EQ(Sizes.SeqK, 20);
    EXPECT_EQ(Sizes.ValueDim, 32);
  }
}

TEST(Shape, NamesBothSidesOfAContradiction) {
  ShapeSolver Solver;
  ASSERT_FALSE(Solver.addText("sq=10"));
  expectText(Solver.addTensor('q', {1, 8, 11, 64}, Layout::Bhsd, "q.npy"),
             {"'sq' is 10 in --shape but 11 in 'q.npy'", "(1, 8, 11, 64)"});
  expectText(Solver.addTensor('k', {8, 11, 64}, Layout::Bhsd, "k.npy"),
             {"'k.npy' has rank 3", "expected rank 4", "bhsd"});
  expectText(Solver.addTensor('v', {1, 1, 1, 1000}, Layout::Bhsd, "v.npy"),
             {"'dv' is 1000 in 'v.npy'"});
}

TEST(Shape, RefusesUnsolvable) {
  Problem Sizes;
  ShapeSolver Nothing;
  expectText(Nothing.solve(Sizes), {"'hq' is not known", "--shape hq="});
  ShapeSolver Groups;
  ASSERT_FALSE(Groups.addText("hq=8,hkv=3,sq=1,d=1"));
  expectText(Groups.solve(Sizes), {"'hq' is 8", "'hkv', which is 3"});
  ShapeSolver NoKeys;
  ASSERT_FALSE(NoKeys.addText("hq=8,hkv=0,sq=1,d=1"));
  expectText(NoKeys.solve(Sizes), {"'hkv', which is 0"});
}

TEST(Shape, SplitsPackedHeads) {
  const struct {
    const char *Text;
    int64_t HeadsQ, HeadsKv;
  } Cases[] = {{"", 4, 4}, {"hq=8", 8, 2}, {"hkv=1", 10, 1}};
  for (const auto &Case : Cases) {
    ShapeSolver Solver;
    if (*Case.Text)
      ASSERT_FALSE(Solver.addText(Case.Text));
    ASSERT_FALSE(Solver.addPacked({2, 10, 12, 64}, "qkv.npy"));
    Problem Sizes;
    ASSERT_FALSE(Solver.solve(Sizes));
    EXPECT_EQ(Sizes.HeadsQ, Case.HeadsQ);
    EXPECT_EQ(Sizes.HeadsKv, Case.HeadsKv);
    EXPECT_EQ(Sizes.SeqQ, 10);
    EXPECT_EQ(Sizes.SeqK, 10);
  }
  ShapeSolver Uneven;
  Problem Sizes;
  ASSERT_FALSE(Uneven.addPacked({2, 10, 11, 64}, "qkv.npy"));
  expectText(Uneven.solve(Sizes), {"11 heads", "'qkv.npy'", "hq + 2 hkv = 11"});
}

TEST(Shape, RaggedBatches) {
  ShapeSolver Solver;
  ASSERT_FALSE(Solver.addRagged({0, 5, 12}, {0, 7, 7}));
  ASSERT_FALSE(Solver.addText("hq=2,d=8"));
  expectText(Solver.addTensor('q', {2, 2, 12, 8}, Layout::Bhsd, "q.npy"),
             {"one batch element"});
  ASSERT_FALSE(Solver.addTensor('q', {1, 2, 12, 8}, Layout::Bhsd, "q.npy"));
  Problem Sizes;
  ASSERT_FALSE(Solver.solve(Sizes));
  EXPECT_EQ(Sizes.Batch, 2);
  EXPECT_EQ(Sizes.tensorBatch(), 1);
  EXPECT_EQ(Sizes.SeqK, 7);
  EXPECT_EQ(Sizes.longestQ(), 7);
  EXPECT_EQ(Sizes.pairs(), 2 * 5 * 7);
  EXPECT_EQ(Sizes.blockRows(4), 2 + 2);
  ShapeSolver Other;
  expectText(Other.addRagged({0, 5}, {0, 5, 7}),
             {"'b' is 1 in --cu-seqlens-q but 2 in --cu-seqlens-k"});
}

static ErrorText parseOne(const Parameter &Of, const std::string &Value,
                          Setting &Out) {
  std::vector<Setting> All;
  ErrorText Bad =
      parseSettings("pattern 'p'", {Of}, {Of.Name + "=" + Value}, All);
  if (!Bad)
    Out = All.front();
  return Bad;
}

TEST(Settings, Binds) {
  const std::vector<Parameter> Known = {
      {"window", HEDDLE_INTEGER, 0, 64},
      {"sink", HEDDLE_INTEGER},
      {"cap", HEDDLE_REAL, 0, std::nullopt, 30.0}};
  std::vector<Setting> Values;
  ASSERT_FALSE(parseSettings("pattern 'p'", Known, {"sink=-4"}, Values));
  EXPECT_EQ(Values[0].Integer, 64);
  EXPECT_EQ(Values[1].Integer, -4);
  EXPECT_EQ(Values[2].Real, 30);
  ASSERT_FALSE(parseSettings("pattern 'p'", Known,
                             {"sink=1", "cap=0.5", "window=2"}, Values));
  EXPECT_EQ(Values[0].Integer, 2);
  EXPECT_EQ(Values[2].Real, 0.5);
  const struct {
    std::vector<std::string> Items;
    std::initializer_list<const char *> Parts;
  } Cases[] = {
      {{}, {"'sink' of pattern 'p' has no default", "--set sink="}},
      {{"sin=1"}, {"no parameter 'sin'", "'window', 'sink', 'cap'"}},
      {{"sink"}, {"'sink', expected name=value"}},
      {{"sink=1", "sink=1"}, {"'sink' twice"}},
      {{"sink=x"}, {"'sink' in --set is 'x', expected an integer"}},
      {{"sink=2147483648"}, {"'sink' in --set is 2147483648"}},
      {{"sink=1", "cap=big"}, {"'cap' in --set is 'big'", "finite number"}}};
  for (const auto &Case : Cases)
    expectText(parseSettings("pattern 'p'", Known, Case.Items, Values),
               Case.Parts);
}

TEST(Settings, RefusesWhatIsNoOperand) {
  const Parameter Table = {"t", HEDDLE_INTEGER_TABLE, 2};
  const Parameter Reals = {"r", HEDDLE_REAL_TABLE, 1};
  const Parameter Sets = {"s", HEDDLE_SET, 1};
  const struct {
    const Parameter &Of;
    const char *Text, *Message;
  } Cases[] = {{Table, "", "expected a table"},
               {Table, "5", "expected a table"},
               {Table, "normal@q", "expected a table"},
               {Table, "iota", "expected a shape, as in 'iota@k'"},
               {Table, "iota@q,size=3", "'size=3' is none of seed=NUMBER"},
               {Table, "iota@q,seed=x", "expected an integer"},
               {Table, "iota@q,seed=1,seed=2", "'seed' twice"},
               {Table, "[1,2", "lacks a ']'"},
               {Table, "[1,2]x", "'x' after its list"},
               {Table, "[1,[2]]", "mixes numbers and lists"},
               {Table, "[[[1]]]", "deeper than the 2"},
               {Reals, "sorted:3@q", "expected a table"},
               {Sets, "all", "expected sets"},
               {Sets, "lists:", "'' does not end in .npy"},
               {Sets, "lists:size=4", "expected 1 or 2 .npy files, found 0"},
               {Sets, "csr:a.npy", "expected 2 .npy files, found 1"},
               {Sets, "map:a.npy,size=4", "the size of a map"},
               {Sets, "lists:a.npy,seed=4", "'seed=4' is none of size=NUMBER"},
               {Sets, "lists:a.npy,size=4,size=4", "'size' twice"}};
  for (const auto &Case : Cases) {
    Setting Out;
    expectText(parseOne(Case.Of, Case.Text, Out), {Case.Message});
  }
}

/// The operand that a value makes, for a problem with b = 2, h = 3, q = 10, k =
/// 100.
static ErrorText makeOne(const Parameter &Of, const std::string &Value,
                         PatternValues &Out) {
  Extents Sizes;
  Sizes.Batch = 2;
  Sizes.Heads = 3;
  Sizes.SeqQ = 10;
  Sizes.SeqK = 100;
  Setting From;
  if (ErrorText Bad = parseOne(Of, Value, From))
    return Bad;
  return Out.make({Of}, {From}, Sizes);
}

TEST(Values, WrittenTablesAndSets) {
  PatternValues Made;
  ASSERT_FALSE(makeOne({"t", HEDDLE_INTEGER_TABLE, 2}, "[3,-4]", Made));
  const heddle_tensor *Table = Made.data()->table;
  EXPECT_EQ(Table->rank, 2);
  EXPECT_EQ(Table->shape[0], 1);
  EXPECT_EQ(Table->shape[1], 2);
  EXPECT_EQ(static_cast<const int32_t *>(Table->data)[1], -4);
  EXPECT_EQ(Made.operand(0).Summary, "table (1, 2) of i32");

  ASSERT_FALSE(makeOne({"s", HEDDLE_SET, 2}, "[[0,4],[],[7]]", Made));
  const heddle_sets *Sets = Made.data()->sets;
  EXPECT_EQ(Sets->format, HEDDLE_LISTS);
  EXPECT_EQ(Sets->size, 8);
  EXPECT_EQ(Sets->indices->rank, 3);
  EXPECT_EQ(Sets->indices->shape[1], 3);
  EXPECT_EQ(Sets->lengths->rank, 2);
  EXPECT_EQ(static_cast<const int32_t *>(Sets->lengths->data)[0], 2);
  EXPECT_EQ(Made.operand(0).Summary, "lists (1, 3) in [0, 8), 3 members");
  ASSERT_FALSE(makeOne({"s", HEDDLE_SET, 1}, "[],size=k/64", Made));
  EXPECT_EQ(Made.data()->sets->size, 2);
  expectText(makeOne({"t", HEDDLE_INTEGER_TABLE, 2}, "[[1],[2,3]]", Made),
             {"rows of 1 and of 2 numbers"});
  expectText(makeOne({"t", HEDDLE_INTEGER_TABLE, 3}, "[[[1]],[[1],[2]]]", Made),
             {"lists of 1 and of 2 lists"});
}

TEST(Values, GeneratedTables) {
  PatternValues Made;
  ASSERT_FALSE(makeOne({"t", HEDDLE_INTEGER_TABLE, 2}, "sorted:4@bxk", Made));
  const auto *Ids = static_cast<const int32_t *>(Made.data()->table->data);
  EXPECT_EQ(Made.data()->table->shape[0], 2);
  for (int64_t Row = 0; Row < 2; ++Row)
    for (int64_t I = 1; I < 100; ++I)
      ASSERT_LE(Ids[Row * 100 + I - 1], Ids[Row * 100 + I]);
  EXPECT_GE(Ids[0], 0);
  EXPECT_LE(Ids[199], 3);
  ASSERT_FALSE(makeOne({"t", HEDDLE_INTEGER_TABLE, 1}, "random:-3..3@k", Made));
  std::set<int32_t> Seen;
  for (int64_t I = 0; I < 100; ++I)
    Seen.insert(static_cast<const int32_t *>(Made.data()->table->data)[I]);
  EXPECT_EQ(*Seen.begin(), -3);
  EXPECT_EQ(*Seen.rbegin(), 3);
  ASSERT_FALSE(makeOne({"t", HEDDLE_REAL_TABLE, 2}, "cos:10000@qx4", Made));
  EXPECT_FLOAT_EQ(static_cast<const float *>(Made.data()->table->data)[5],
                  std::cos(0.1F));
  ASSERT_FALSE(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "fill:-inf@3", Made));
  EXPECT_EQ(static_cast<const float *>(Made.data()->table->data)[2], -INFINITY);
  ASSERT_FALSE(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "[0,-inf,inf]", Made));
  EXPECT_EQ(static_cast<const float *>(Made.data()->table->data)[1], -INFINITY);
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "[nan]", Made),
             {"finite number"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "random:-inf..0@3", Made),
             {"finite number"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "iota@f", Made),
             {"only recurrences have"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "cos:10000@q", Made),
             {"two axes"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "iota@2x3", Made),
             {"at most 1 extents"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "iota@n", Made),
             {"extent 'n'"});
  expectText(makeOne({"t", HEDDLE_REAL_TABLE, 1}, "iota@k/0", Made),
             {"divisor"});
  expectText(makeOne({"t", HEDDLE_INTEGER_TABLE, 1}, "random:3..1@k", Made),
             {"end is before its start"});
  expectText(makeOne({"t", HEDDLE_INTEGER_TABLE, 1}, "random:3@k", Made),
             {"expected a range"});
}

TEST(Values, GeneratedSets) {
  const Parameter Sets = {"s", HEDDLE_SET, 2};
  PatternValues Made, Again, Other;
  ASSERT_FALSE(makeOne(Sets, "random:5@3", Made));
  ASSERT_FALSE(makeOne(Sets, "random:5@3", Again));
  ASSERT_FALSE(makeOne(Sets, "random:5@3,seed=9", Other));
  auto Members = [](const PatternValues &From) {
    const heddle_tensor *Indices = From.data()->sets->indices;
    const auto *First = static_cast<const int32_t *>(Indices->data);
    return std::vector<int32_t>(First, First + 15);
  };
  EXPECT_EQ(Members(Made), Members(Again));
  EXPECT_NE(Members(Made), Members(Other));
  for (size_t I = 1; I < 5; ++I)
    EXPECT_LT(Members(Made)[I - 1], Members(Made)[I]);
  EXPECT_EQ(Made.data()->sets->size, 100);
  ASSERT_FALSE(makeOne(Sets, "random:100%,size=7", Made));
  EXPECT_EQ(Made.operand(0).Summary, "lists (1, 1) in [0, 7), 7 members");
  ASSERT_FALSE(makeOne(Sets, "random:0%", Made));
  EXPECT_EQ(Made.operand(0).Summary, "lists (1, 1) in [0, 100), 0 members");
  expectText(makeOne(Sets, "random:101", Made), {"expected 0 to 100"});
  expectText(makeOne(Sets, "random:101%", Made), {"expected 0 to 100"});
  expectText(makeOne(Sets, "random", Made), {"expected an integer"});
}

TEST(Tensors, RandomValuesAreNormalAndIndependentOfLayout) {
  Tensor A, B;
  ASSERT_TRUE(A.allocate(HEDDLE_F32, 2, 3, 500, 33, Layout::Bhsd));
  ASSERT_TRUE(B.allocate(HEDDLE_F32, 2, 3, 500, 33, Layout::Bshd));
  A.fillNormal(1);
  B.fillNormal(1);
  double Sum = 0, Squares = 0;
  for (int64_t I = 0; I < 2 * 3 * 500; ++I) {
    int64_t Batch = I / 1500, Head = I / 500 % 3, Row = I % 500;
    for (int64_t F = 0; F < 33; ++F) {
      double X = A.get(Batch, Head, Row, F);
      EXPECT_EQ(A.get(Batch, Head, Row, F), B.get(Batch, Head, Row, F));
      Sum += X;
      Squares += X * X;
    }
  }
  auto Count = static_cast<double>(A.size());
  EXPECT_NEAR(Sum / Count, 0, 0.02);
  EXPECT_NEAR(Squares / Count, 1, 0.02);
  B.fillNormal(2);
  EXPECT_NE(A.get(0, 0, 0, 0), B.get(0, 0, 0, 0));
  EXPECT_NE(A.get(0, 0, 0, 0), A.get(0, 0, 1, 0));
}

TEST(Tensors, PackedHoldsTheSameAsApart) {
  const Problem Sizes = {2, 4, 2, 9, 9, 6, 6};
  for (heddle_dtype Dtype : {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16}) {
    TensorTypes Types;
    Types.Input = Dtype;
    RunTensors Apart, Packed;
    ASSERT_FALSE(loadTensors({}, Sizes, Types, Layout::Bhsd, Apart));
    ASSERT_FALSE(loadTensors({}, Sizes, Types, Layout::Packed, Packed));
    for (Tensor RunTensors::*Member :
         {&RunTensors::Q, &RunTensors::K, &RunTensors::V}) {
      const Tensor &A = Apart.*Member, &P = Packed.*Member;
      ASSERT_EQ(A.shape(), P.shape());
      for (int64_t B = 0; B < 2; ++B)
        for (int64_t H = 0; H < A.shape()[1]; ++H)
          for (int64_t I = 0; I < 9; ++I)
            for (int64_t F = 0; F < 6; ++F)
              ASSERT_EQ(A.get(B, H, I, F), P.get(B, H, I, F));
    }
  }
}

TEST(Tensors, RefusesMoreThanTheMachineHas) {
  Problem Sizes = {1, 1024, 1024, 1 << 30, 1 << 30, 512, 512};
  expectText(checkMemory(Sizes, {}), {"GiB, this machine has"});
  EXPECT_FALSE(checkMemory({1, 8, 8, 1000, 1000, 64, 64}, {}));
}

TEST(Compare, MeasuresAgainstTheRowMaximum) {
  CheckResult Result;
  const float Got[] = {1.0F, 100.001F};
  const double Want[] = {1.0, 100.0};
  Result.addRow(0, 1, 2, Got, Want, 2, 0.5F, 0.5);
  EXPECT_NEAR(Result.LargestO, 1e-5, 1e-7);
  EXPECT_TRUE(Result.passed());
  EXPECT_EQ(Result.Row, 2);
  Result.addRow(0, 1, 3, Got, Want, 2, 0.5F, 0.5001);
  EXPECT_FALSE(Result.passed());
  EXPECT_EQ(Result.Row, 3);
}

TEST(Compare, MeasuresNarrowRowsAgainstTheirHead) {
  // The second row cancels to a thousandth of what is usual.
  OutputTensors Got, Want;
  for (OutputTensors *Made : {&Got, &Want}) {
    ASSERT_TRUE(Made->O.allocate(HEDDLE_F32, 1, 1, 3, 1, Layout::Bhsd));
    for (int64_t I = 0; I < 3; ++I)
      Made->O.set(0, 0, I, 0, I == 1 ? 0.001F : 1.0F);
  }
  Got.O.set(0, 0, 1, 0, 0.001001F);
  EXPECT_TRUE(compareOutputs(Got, Want, "itself").passed());
  Got.O.set(0, 0, 1, 0, 0.0011F);
  EXPECT_FALSE(compareOutputs(Got, Want, "itself").passed());
  // Nothing but zero equals a row that keeps nothing.
  Want.O.set(0, 0, 1, 0, 0);
  Got.O.set(0, 0, 1, 0, 1e-20F);
  EXPECT_FALSE(compareOutputs(Got, Want, "itself").passed());
}

TEST(Compare, TreatsInfinityAndNanAsValues) {
  const float Inf = INFINITY, Nan = NAN, Zero = 0, One = 1, Tiny = 1e-30F;
  const struct {
    float Got, Want;
    bool Passes;
  } Cases[] = {{Nan, Nan, true},   {Inf, Inf, true},   {Inf, -Inf, false},
               {Nan, One, false},  {One, Nan, false},  {Inf, One, false},
               {Zero, Zero, true}, {Tiny, Zero, false}};
  for (const auto &Case : Cases) {
    CheckResult Result;
    Result.addRow(0, 0, 0, &Case.Got, &Case.Want, 1, 0.0F, 0.0F);
    EXPECT_EQ(Result.passed(), Case.Passes) << Case.Got << " " << Case.Want;
  }
  CheckResult Lse;
  Lse.addRow(0, 0, 0, &One, &One, 1, -Inf, -Inf);
  EXPECT_TRUE(Lse.passed());
  Lse.addRow(0, 0, 0, &One, &One, 1, Zero, -Inf);
  EXPECT_FALSE(Lse.passed());
}

TEST(Report, ComputesWork) {
  Report R;
  R.Sizes = {1, 2, 1, 10, 20, 8, 4};
  R.Stats = {3, 4, 5, 100};
  R.QueryTile = 5;
  R.KeyTile = 7;
  R.MedianSeconds = 1e-6;
  EXPECT_DOUBLE_EQ(R.density(), 0.25);
  EXPECT_DOUBLE_EQ(R.usefulFlop(), 2 * 100 * 12);
  EXPECT_DOUBLE_EQ(R.executedFlop(), 2 * 5 * 7 * 7 * 12);
  EXPECT_DOUBLE_EQ(R.rate(R.usefulFlop()), 2.4);
  EXPECT_EQ(R.json().find("fma_peak"), std::string::npos);
  R.FmaPeak = 10;
  R.CompileParts = {{"parse", 1.5}, {"lower", 2}};
  R.Pattern = "a\"b";
  EXPECT_NE(R.json().find("\"fma_peak_fraction_useful\": 0.24"),
            std::string::npos)
      << R.json();
  EXPECT_NE(R.json().find("\"compile_ms\": 3.5"), std::string::npos);
  EXPECT_NE(R.json().find("\"a\\\"b\""), std::string::npos);
  EXPECT_NE(R.text().find("3 full, 4 partial, 5 empty"), std::string::npos);
  // No division by nothing.
  Report Empty;
  EXPECT_EQ(Empty.density(), 0);
  EXPECT_EQ(Empty.rate(1), 0);
  EXPECT_EQ(Empty.json().find("nan"), std::string::npos);
}

TEST(Report, TellsRecurrencesByTheirState) {
  Report R;
  R.Sizes = {2, 3, 1, 10, 10, 8, 4};
  R.MedianSeconds = 1e-6;
  R.FmaPeak = 1000;
  RecurrenceReport &Of = R.Recurrence.emplace();
  Of.Rows = 8;
  Of.Columns = 4;
  Of.HasSums = true;
  Of.Chunk = 5;
  Of.Chunks = 12;
  Of.ChunkFlop = 1000;
  Of.StepFlop = stepFlop(8, 5, /*HasDelta=*/false);
  EXPECT_EQ(R.stateBytes(), 4 * 2 * 3 * 8 * (4 + 1));
  EXPECT_DOUBLE_EQ(R.recurrenceFlop(), 12000);
  EXPECT_DOUBLE_EQ(R.tokensPerSecond(), 20e6);
  EXPECT_NE(R.json().find("\"fma_peak_fraction\": 0.012"), std::string::npos)
      << R.json();
  EXPECT_EQ(R.json().find("kept_pairs"), std::string::npos);
  EXPECT_NE(R.text().find("12 chunks of 5 tokens"), std::string::npos);
  Of.IsStep = true;
  EXPECT_DOUBLE_EQ(R.recurrenceFlop(), 60 * 4 * 8 * 5);
  EXPECT_NE(R.text().find("token by token"), std::string::npos);
  EXPECT_DOUBLE_EQ(stepFlop(8, 5, /*HasDelta=*/true), 6 * 8 * 5);
}

TEST(Run, Medians) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({4, 1}), 2.5);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({8, 1, 2, 4}), 3);
}

TEST(Run, WritesBothOutputsOrNone) {
  ScratchFolder Folder;
  RunTensors Data;
  ASSERT_FALSE(loadTensors({}, {1, 2, 1, 3, 3, 4, 4}, {}, Layout::Bshd, Data));
  Data.Out.O.fillNormal(1);
  Data.Out.Lse.fillNormal(2);
  RunOptions Options;
  Options.OutputPath = Folder / "o.npy";
  Options.LsePath = Folder / "none/lse.npy";
  EXPECT_TRUE(checkOutputs(Options));
  EXPECT_TRUE(writeOutputs(Options, Data.Out));
  EXPECT_EQ(Folder.count(), 0U);
  Options.LsePath = Folder / "lse.npy";
  ASSERT_FALSE(writeOutputs(Options, Data.Out));
  npy::Array Array;
  ASSERT_FALSE(npy::read(Options.OutputPath, Array));
  EXPECT_EQ(Array.Shape, (std::vector<int64_t>{1, 3, 2, 4}));
  ASSERT_FALSE(npy::read(Options.LsePath, Array));
  EXPECT_EQ(Array.Shape, (std::vector<int64_t>{1, 3, 2}));
}

TEST(Run, WritesOneFilePerSource) {
  ScratchFolder Folder;
  Problem Sizes{2, 2, 1, 3, 4, 4, 4};
  Sizes.MoreKeys = {5, 6};
  TensorTypes Types;
  Types.ColumnSums = true;
  Types.BlockQ = 2;
  Types.BlockK = 4;
  RunTensors Data;
  ASSERT_FALSE(loadTensors({}, Sizes, Types, Layout::Bhsd, Data));
  ASSERT_EQ(Data.Out.ColumnSums.size(), 3U);
  for (size_t Source = 0; Source < 3; ++Source) {
    Data.Out.ColumnSums[Source].fillNormal(Source);
    Data.Out.BlockMax[Source].fillNormal(Source);
  }
  RunOptions Options;
  Options.MoreKeys = Sizes.MoreKeys;
  Options.ColumnSumsPath = Folder / "sums.npy";
  Options.BlockMaxPath = Folder / "max";
  ASSERT_FALSE(checkOutputs(Options));
  ASSERT_FALSE(writeOutputs(Options, Data.Out));
  EXPECT_EQ(Folder.count(), 6U);
  const std::pair<const char *, std::vector<int64_t>> Files[] = {
      {"sums.npy", {2, 2, 4}},   {"sums.1.npy", {2, 2, 5}},
      {"sums.2.npy", {2, 2, 6}}, {"max", {2, 2, 2, 1}},
      {"max.1", {2, 2, 2, 2}},   {"max.2", {2, 2, 2, 2}}};
  for (const auto &[Name, Shape] : Files) {
    npy::Array Array;
    ASSERT_FALSE(npy::read(Folder / Name, Array));
    EXPECT_EQ(Array.Shape, Shape) << Name;
  }
  // A name that a source makes may be that of another output.
  Options.MoreKeysText = "5,6";
  Options.MoreKeys.clear();
  Options.RowMaxPath = Folder / "sums.2.npy";
  expectText(Options.parse(), {"--row-max and --column-sums both name"});
}

TEST(Run, ChecksOptions) {
  const struct {
    std::string RunOptions::*Option;
    const char *Text, *Message;
  } Cases[] = {
      {&RunOptions::OriginText, "x", "--origin is 'x'"},
      {&RunOptions::OriginText, "3000000000", "--origin is 3000000000"},
      {&RunOptions::LayoutText, "shbd", "--layout is 'shbd'"},
      {&RunOptions::ScaleText, "nan", "--scale is 'nan'"},
      {&RunOptions::ScaleText, "0", "--scale is '0'"},
      {&RunOptions::ScaleText, "1e300", "--scale is '1e300'"},
      {&RunOptions::ScaleText, "2x", "--scale is '2x'"},
      {&RunOptions::ThreadsText, "0", "--threads is 0"},
      {&RunOptions::ThreadsText, "1025", "--threads is 1025"},
      {&RunOptions::RepeatText, "0", "--repeat is 0"},
      {&RunOptions::RepeatText, "-1", "--repeat is -1"},
      {&RunOptions::MoreKeysText, "4,", "a number in --more-keys is ''"},
      {&RunOptions::BlockMaxText, "64x64", "--block-max is '64x64'"},
      {&RunOptions::BlockMaxText, "64=m.npy", "--block-max is '64'"},
      {&RunOptions::BlockMaxText, "0x64=m.npy", "--block-max is 0"}};
  for (const auto &Case : Cases) {
    RunOptions Options;
    Options.*Case.Option = Case.Text;
    expectText(Options.parse(), {Case.Message, "expected"});
  }
  RunOptions Same;
  Same.OutputPath = Same.LsePath = "a.npy";
  expectText(Same.parse(), {"both name 'a.npy'"});
  RunOptions Good;
  Good.OriginText = "-7";
  Good.LayoutText = "bshd";
  Good.ScaleText = "0.5";
  ASSERT_FALSE(Good.parse());
  EXPECT_EQ(Good.Origin, -7);
  EXPECT_EQ(Good.Order, Layout::Bshd);
  EXPECT_EQ(Good.Scale, 0.5F);
}
