// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

#include <limits>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

constexpr int64_t Lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t Highest = std::numeric_limits<int64_t>::max();

class PredicateTest : public testing::Test, protected Patterns {
protected:
  /// Whether the region keeps (q, k), the parameters given.
  bool keep(const Predicate &P, int64_t Q, int64_t K,
            llvm::ArrayRef<int64_t> Params = {}, int64_t NumKeys = 0) {
    PredicatePoint At;
    At.Q = Q;
    At.NumKeys = NumKeys;
    At.Params = Params;
    llvm::Expected<bool> Kept = P.keep(At, K);
    if (Kept)
      return *Kept;
    ADD_FAILURE() << llvm::toString(Kept.takeError());
    return false;
  }

  /// Checks `Op(A, B) == Want` for an operation of two `index` operands: q and
  /// k are the operands, the parameter is the value expected.
  void expectValue(llvm::StringRef Op, int64_t A, int64_t B, int64_t Want) {
    Predicate P = compile("(%w: index)",
                          ("%x = " + Op + " %q, %k : index\n" +
                           "%e = arith.cmpi eq, %x, %w : index\nattn.keep %e")
                              .str());
    EXPECT_TRUE(keep(P, A, B, {Want}))
        << Op.str() << " of " << A << " and " << B << " is not " << Want;
    EXPECT_FALSE(keep(P, A, B, {Want == 0 ? 1 : Want - 1}));
  }

  std::string failure(const Predicate &P, int64_t Q, int64_t K) {
    PredicatePoint At;
    At.Q = Q;
    llvm::Expected<bool> Kept = P.keep(At, K);
    if (Kept)
      return "";
    return llvm::toString(Kept.takeError());
  }
};

TEST_F(PredicateTest, Arithmetic) {
  expectValue("arith.addi", 3, -5, -2);
  expectValue("arith.subi", 3, -5, 8);
  expectValue("arith.muli", -3, 5, -15);
  expectValue("arith.minsi", -3, 2, -3);
  expectValue("arith.maxsi", -3, 2, 2);
}

TEST_F(PredicateTest, ArithmeticWrapsAround) {
  expectValue("arith.addi", Highest, 1, Lowest);
  expectValue("arith.subi", Lowest, 1, Highest);
  expectValue("arith.muli", Highest, 2, -2);
}

TEST_F(PredicateTest, Divisions) {
  expectValue("arith.floordivsi", 7, 2, 3);
  expectValue("arith.floordivsi", -7, 2, -4);
  expectValue("arith.floordivsi", 7, -2, -4);
  expectValue("arith.floordivsi", -8, 2, -4);
  expectValue("arith.floordivsi", -8, -3, 2);
  expectValue("arith.ceildivsi", 7, 2, 4);
  expectValue("arith.ceildivsi", -7, 2, -3);
  expectValue("arith.ceildivsi", -7, -2, 4);
  expectValue("arith.ceildivsi", 8, 2, 4);
  expectValue("arith.divsi", -7, 2, -3);
  expectValue("arith.divui", 7, 2, 3);
  expectValue("arith.divui", -2, 2, Highest);
  expectValue("arith.remsi", -7, 3, -1);
  expectValue("arith.remui", 7, 3, 1);
  expectValue("arith.remui", -1, 16, 15);
}

TEST_F(PredicateTest, Modulo) {
  Predicate P = compile("(%w: index)", R"(
    %x = attn.mod %q, 8
    %e = arith.cmpi eq, %x, %w : index
    attn.keep %e)");
  EXPECT_TRUE(keep(P, 13, 0, {5}));
  EXPECT_TRUE(keep(P, -1, 0, {7}));
  EXPECT_TRUE(keep(P, -16, 0, {0}));
  EXPECT_FALSE(keep(P, -1, 0, {-1}));
}

TEST_F(PredicateTest, EveryComparison) {
  struct Case {
    const char *Name;
    // The verdict for (-1, 2), (2, 2), (2, -1).
    bool Want[3];
  } const Cases[] = {
      {"eq", {false, true, false}},  {"ne", {true, false, true}},
      {"slt", {true, false, false}}, {"sle", {true, true, false}},
      {"sgt", {false, false, true}}, {"sge", {false, true, true}},
      {"ult", {false, false, true}}, {"ule", {false, true, true}},
      {"ugt", {true, false, false}}, {"uge", {true, true, false}},
  };
  const int64_t Points[3][2] = {{-1, 2}, {2, 2}, {2, -1}};
  for (const Case &C : Cases) {
    Predicate P = compile("", (llvm::Twine("%e = arith.cmpi ") + C.Name +
                               ", %q, %k : index\nattn.keep %e")
                                  .str());
    for (int I = 0; I < 3; ++I)
      EXPECT_EQ(keep(P, Points[I][0], Points[I][1]), C.Want[I])
          << C.Name << " of " << Points[I][0] << " and " << Points[I][1];
  }
}

TEST_F(PredicateTest, Connectives) {
  struct Case {
    const char *Name;
    bool Want[4]; // false false, false true, true false, true true
  } const Cases[] = {{"arith.andi", {false, false, false, true}},
                     {"arith.ori", {false, true, true, true}},
                     {"arith.xori", {false, true, true, false}}};
  for (const Case &C : Cases) {
    Predicate P = compile("", (llvm::Twine(R"(
      %x = attn.in %q, #attn.interval<0, inf>
      %y = attn.in %k, #attn.interval<0, inf>
      %r = )") + C.Name + R"( %x, %y : i1
      attn.keep %r)")
                                  .str());
    for (int I = 0; I < 4; ++I)
      EXPECT_EQ(keep(P, I / 2 - 1, I % 2 - 1), C.Want[I]) << C.Name << I;
  }
}

TEST_F(PredicateTest, Select) {
  Predicate Number = compile("", R"(
    %c = arith.cmpi slt, %q, %k : index
    %m = arith.select %c, %q, %k : index
    %r = attn.in %m, #attn.interval<-4, -3>
    attn.keep %r)");
  EXPECT_TRUE(keep(Number, -4, 9));
  EXPECT_TRUE(keep(Number, 9, -4));
  EXPECT_FALSE(keep(Number, 9, 8));
  Predicate Truth = compile("", R"(
    %c = arith.cmpi slt, %q, %k : index
    %f = arith.constant false
    %t = arith.constant true
    %r = arith.select %c, %f, %t : i1
    attn.keep %r)");
  EXPECT_FALSE(keep(Truth, 0, 1));
  EXPECT_TRUE(keep(Truth, 1, 0));
}

TEST_F(PredicateTest, Intervals) {
  auto Interval = [&](llvm::StringRef Text) {
    return compile(
        "",
        ("%r = attn.in %k, #attn.interval<" + Text + ">\nattn.keep %r").str());
  };
  Predicate Both = Interval("-2, 3");
  EXPECT_FALSE(keep(Both, 0, -3));
  EXPECT_TRUE(keep(Both, 0, -2));
  EXPECT_TRUE(keep(Both, 0, 2));
  EXPECT_FALSE(keep(Both, 0, 3));
  Predicate Below = Interval("-inf, 3");
  EXPECT_TRUE(keep(Below, 0, Lowest));
  EXPECT_FALSE(keep(Below, 0, 3));
  Predicate Above = Interval("3, inf");
  EXPECT_TRUE(keep(Above, 0, Highest));
  EXPECT_FALSE(keep(Above, 0, 2));
  EXPECT_TRUE(keep(Interval("-inf, inf"), 0, -17));
  EXPECT_FALSE(keep(Interval("4, 4"), 0, 4));
}

TEST_F(PredicateTest, ResiduesAndPowers) {
  Predicate Residue =
      compile("", "%r = attn.in %k, #attn.residue<1, 4>\nattn.keep %r");
  for (int64_t K = -9; K < 10; ++K)
    EXPECT_EQ(keep(Residue, 0, K),
              K == -7 || K == -3 || K == 1 || K == 5 || K == 9)
        << K;
  Predicate Power = compile("", "%r = attn.in %k, #attn.pow2\nattn.keep %r");
  for (int64_t K = -9; K < 20; ++K)
    EXPECT_EQ(keep(Power, 0, K),
              K == 1 || K == 2 || K == 4 || K == 8 || K == 16)
        << K;
  EXPECT_TRUE(keep(Power, 0, int64_t(1) << 62));
  EXPECT_FALSE(keep(Power, 0, Lowest));
}

TEST_F(PredicateTest, NumberOfKeysAndCoordinates) {
  Predicate P = compile("", R"(
    %n = attn.num_keys
    %c2 = arith.constant 2 : index
    %from = arith.subi %n, %c2 : index
    %r = arith.cmpi sge, %k, %from : index
    attn.keep %r)");
  EXPECT_FALSE(keep(P, 0, 7, {}, 10));
  EXPECT_TRUE(keep(P, 0, 8, {}, 10));
  EXPECT_FALSE(P.usesBatch());
  EXPECT_FALSE(P.usesHead());
  Predicate Uses = compile("", R"(
    %s = arith.addi %b, %h : index
    %r = arith.cmpi eq, %s, %k : index
    attn.keep %r)");
  EXPECT_TRUE(Uses.usesBatch());
  EXPECT_TRUE(Uses.usesHead());
  PredicatePoint At;
  At.B = 3;
  At.H = 4;
  EXPECT_TRUE(llvm::cantFail(Uses.keep(At, 7)));
  EXPECT_FALSE(llvm::cantFail(Uses.keep(At, 6)));
}

TEST_F(PredicateTest, DivisionByZeroIsReported) {
  Predicate P = compile("", R"(
    %x = arith.floordivsi %q, %k : index
    %e = arith.cmpi eq, %x, %q : index
    attn.keep %e)");
  EXPECT_THAT(failure(P, 1, 0), testing::HasSubstr("'p' divides by zero"));
  EXPECT_THAT(failure(P, Lowest, -1),
              testing::HasSubstr("overflows in a division"));
  EXPECT_EQ(failure(P, 1, 1), "");
}

TEST_F(PredicateTest, WrongNumberOfParametersIsReported) {
  Predicate P = compile("(%w: index)",
                        "%e = arith.cmpi eq, %k, %w : index\nattn.keep %e");
  EXPECT_THAT(failure(P, 0, 0), testing::HasSubstr("1 parameters, found 0"));
}

TEST_F(PredicateTest, UnknownOperationIsLocated) {
  PatternOp Pattern = parse(R"(attn.pattern @p keep(%b, %h, %q, %k) {
  %x = arith.shli %q, %k : index
  %e = arith.cmpi eq, %x, %q : index
  attn.keep %e
})",
                            /*Verify=*/false);
  ASSERT_TRUE(Pattern);
  EXPECT_TRUE(mlir::failed(Predicate::compile(Pattern)));
  ASSERT_EQ(Errors.size(), 1U);
  EXPECT_THAT(Errors.front(), testing::HasSubstr("test.mlir\":2:"));
  EXPECT_THAT(Errors.front(), testing::HasSubstr("'arith.shli'"));
}

TEST_F(PredicateTest, FloatsAreRefused) {
  PatternOp Pattern = parse(R"(attn.pattern @p keep(%b, %h, %q, %k) {
  %x = arith.constant 1.0 : f32
  %e = arith.constant true
  attn.keep %e
})",
                            /*Verify=*/false);
  ASSERT_TRUE(Pattern);
  EXPECT_TRUE(mlir::failed(Predicate::compile(Pattern)));
  ASSERT_EQ(Errors.size(), 1U);
  EXPECT_THAT(Errors.front(), testing::HasSubstr("integer constant"));
}

TEST_F(PredicateTest, RunsAreMaximal) {
  Predicate P = compile("(%w: index)", R"(
    %d = arith.subi %q, %k : index
    %near = attn.in %d, #attn.interval<0, 100>
    %first = arith.cmpi slt, %k, %w : index
    %r = arith.ori %near, %first : i1
    attn.keep %r)");
  PredicatePoint At;
  At.Q = 300;
  At.NumKeys = 1000;
  const int64_t Sink = 70;
  At.Params = {Sink};
  Predicate::Scratch Registers;
  std::vector<KeyRun> Runs;
  ASSERT_FALSE(P.keptRuns(At, Registers, Runs));
  EXPECT_EQ(Runs, (std::vector<KeyRun>{{0, 70}, {201, 301}}));
  // Runs are appended, the last of before is left alone.
  At.Q = 20;
  ASSERT_FALSE(P.keptRuns(At, Registers, Runs));
  EXPECT_EQ(Runs, (std::vector<KeyRun>{{0, 70}, {201, 301}, {0, 70}}));
  At.NumKeys = 0;
  Runs.clear();
  ASSERT_FALSE(P.keptRuns(At, Registers, Runs));
  EXPECT_TRUE(Runs.empty());
}

} // namespace
