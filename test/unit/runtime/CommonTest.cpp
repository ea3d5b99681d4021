// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "frontends/common/Run.h"
#include "frontends/common/Settings.h"
#include "runtime/npy/Npy.h"

#include <cmath>

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

TEST(Settings, Binds) {
  const std::vector<Parameter> Known = {{"window", 64}, {"sink", {}}};
  std::vector<int64_t> Values;
  ASSERT_FALSE(bindParameters("p", Known, {"sink=-4"}, Values));
  EXPECT_EQ(Values, (std::vector<int64_t>{64, -4}));
  ASSERT_FALSE(bindParameters("p", Known, {"sink=1", "window=2"}, Values));
  EXPECT_EQ(Values, (std::vector<int64_t>{2, 1}));
  expectText(bindParameters("p", Known, {}, Values),
             {"'sink' of pattern 'p' has no default", "--set sink="});
  expectText(bindParameters("p", Known, {"sin=1"}, Values),
             {"no parameter 'sin'", "'window', 'sink'"});
  expectText(bindParameters("p", Known, {"sink"}, Values),
             {"'sink', expected name=value"});
  expectText(bindParameters("p", Known, {"sink=1", "sink=1"}, Values),
             {"'sink' twice"});
  expectText(bindParameters("p", Known, {"sink=x"}, Values),
             {"'sink' in --set is 'x', expected an integer"});
  expectText(bindParameters("p", Known, {"sink=2147483649"}, Values),
             {"'sink' in --set is 2147483649"});
}

TEST(Tensors, RandomValuesAreNormalAndIndependentOfLayout) {
  Tensor A, B;
  ASSERT_TRUE(A.allocate(2, 3, 500, 33, Layout::Bhsd));
  ASSERT_TRUE(B.allocate(2, 3, 500, 33, Layout::Bshd));
  A.fillNormal(1);
  B.fillNormal(1);
  double Sum = 0, Squares = 0;
  for (int64_t I = 0; I < 2 * 3 * 500; ++I) {
    int64_t Batch = I / 1500, Head = I / 500 % 3, Row = I % 500;
    for (int64_t F = 0; F < 33; ++F) {
      double X = A.row(Batch, Head, Row)[F];
      EXPECT_EQ(A.row(Batch, Head, Row)[F], B.row(Batch, Head, Row)[F]);
      Sum += X;
      Squares += X * X;
    }
  }
  auto Count = static_cast<double>(A.size());
  EXPECT_NEAR(Sum / Count, 0, 0.02);
  EXPECT_NEAR(Squares / Count, 1, 0.02);
  B.fillNormal(2);
  EXPECT_NE(A.row(0, 0, 0)[0], B.row(0, 0, 0)[0]);
  EXPECT_NE(A.row(0, 0, 0)[0], A.row(0, 0, 1)[0]);
}

TEST(Tensors, RefusesMoreThanTheMachineHas) {
  Problem Sizes = {1, 1024, 1024, 1 << 30, 1 << 30, 512, 512};
  expectText(checkMemory(Sizes), {"GiB, this machine has"});
  EXPECT_FALSE(checkMemory({1, 8, 8, 1000, 1000, 64, 64}));
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

TEST(Run, Medians) {
  EXPECT_EQ(median({3}), 3);
  EXPECT_EQ(median({4, 1}), 2.5);
  EXPECT_EQ(median({9, 1, 5}), 5);
  EXPECT_EQ(median({8, 1, 2, 4}), 3);
}

TEST(Run, WritesBothOutputsOrNone) {
  ScratchFolder Folder;
  Operands Data;
  ASSERT_FALSE(loadOperands({}, {1, 2, 1, 3, 3, 4, 4}, Layout::Bshd, Data));
  std::fill_n(Data.O.data(), Data.O.size(), 1.0F);
  std::fill_n(Data.Lse.data(), Data.Lse.size(), 2.0F);
  RunOptions Options;
  Options.OutputPath = Folder / "o.npy";
  Options.LsePath = Folder / "none/lse.npy";
  EXPECT_TRUE(checkOutputs(Options));
  EXPECT_TRUE(writeOutputs(Options, Data));
  EXPECT_EQ(Folder.count(), 0U);
  Options.LsePath = Folder / "lse.npy";
  ASSERT_FALSE(writeOutputs(Options, Data));
  npy::Array Array;
  ASSERT_FALSE(npy::read(Options.OutputPath, Array));
  EXPECT_EQ(Array.Shape, (std::vector<int64_t>{1, 3, 2, 4}));
  ASSERT_FALSE(npy::read(Options.LsePath, Array));
  EXPECT_EQ(Array.Shape, (std::vector<int64_t>{1, 3, 2}));
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
      {&RunOptions::RepeatText, "-1", "--repeat is -1"}};
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
