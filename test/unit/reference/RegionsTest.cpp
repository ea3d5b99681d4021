// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keep regions with run-time tables and sets, applied patterns, requirements
// and token grids.

#include "test/unit/reference/Patterns.h"

#include "gmock/gmock.h"

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

using testing::HasSubstr;

class RegionsTest : public testing::Test, protected Patterns {
protected:
  using Patterns::compile;

  static PredicatePoint at(int64_t B, int64_t H, int64_t Q, int64_t NumKeys,
                           OperandList Params) {
    return {B, H, Q, NumKeys, std::move(Params)};
  }

  /// The kept keys of a row as text: '#' and '.'.
  static std::string row(const Predicate &P, const PredicatePoint &At) {
    Predicate::Scratch Registers;
    std::vector<KeyRun> Runs;
    if (llvm::Error E = P.keptRuns(At, Registers, Runs))
      return llvm::toString(std::move(E));
    std::string Text(static_cast<size_t>(At.NumKeys), '.');
    for (KeyRun Run : Runs)
      std::fill(Text.begin() + Run.Begin, Text.begin() + Run.End, '#');
    return Text;
  }

  static std::string failure(const Predicate &P, const PredicatePoint &At,
                             int64_t K) {
    llvm::Expected<bool> Kept = P.keep(At, K);
    return Kept ? "" : llvm::toString(Kept.takeError());
  }

  /// Where the pattern `Text` is refused, and why.
  std::string refusal(llvm::StringRef Text) {
    PatternOp Pattern = parse(Text, /*Verify=*/false);
    if (!Pattern)
      return "does not parse: " + Errors.back();
    EXPECT_TRUE(mlir::failed(Variant::compile(Pattern)));
    return Errors.empty() ? "" : Errors.front();
  }
};

TEST_F(RegionsTest, TablesByQueryAndKey) {
  Predicate P = compile("(%doc: tensor<?x?xindex>)", R"(
    %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
    %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
    %same = arith.cmpi eq, %i, %j : index
    attn.keep %same)");
  OperandList Doc = {Operand::integers({2, 5}, {0, 0, 1, 1, 0, 7, 8, 8, 8, 9})};
  EXPECT_EQ(row(P, at(0, 0, 0, 5, Doc)), "##..#");
  EXPECT_EQ(row(P, at(0, 0, 3, 5, Doc)), "..##.");
  EXPECT_EQ(row(P, at(1, 0, 3, 5, Doc)), ".###.");
  EXPECT_TRUE(P.usesBatch());
  EXPECT_FALSE(P.usesHead());
  // One row of ids for all sequences.
  OperandList Shared = {Operand::integers({1, 3}, {4, 5, 4})};
  EXPECT_EQ(row(P, at(6, 0, 2, 3, Shared)), "#.#");
}

TEST_F(RegionsTest, ReadsOutsideAreErrors) {
  Predicate P = compile("(%t: tensor<?x?xindex>)", R"(
    %x = attn.at %t[%h, %k] : tensor<?x?xindex>
    %r = attn.in %x, #attn.interval<0, inf>
    attn.keep %r)");
  OperandList Table = {Operand::integers({2, 3}, {1, 1, 1, 1, 1, 1})};
  EXPECT_EQ(failure(P, at(0, 1, 0, 3, Table), 2), "");
  EXPECT_THAT(failure(P, at(0, 1, 0, 3, Table), 3),
              HasSubstr("reads index 3 along axis 1 of parameter 't', which "
                        "has 3 at b=0, h=1, q=0, k=3"));
  EXPECT_THAT(failure(P, at(0, 2, 0, 3, Table), 0),
              HasSubstr("index 2 along axis 0"));
  EXPECT_THAT(failure(P, at(0, 0, 0, 3, Table), -1), HasSubstr("index -1"));
  EXPECT_THAT(row(P, at(0, 0, 0, 4, Table)), HasSubstr("reads index 3"));
  // What is evaluated once per query is checked all the same.
  Predicate ByQuery = compile("(%t: tensor<?xindex>)", R"(
    %x = attn.at %t[%q] : tensor<?xindex>
    %r = arith.cmpi eq, %x, %k : index
    attn.keep %r)");
  OperandList Short = {Operand::integers({2}, {1, 0})};
  EXPECT_EQ(row(ByQuery, at(0, 0, 0, 2, Short)), ".#");
  EXPECT_THAT(row(ByQuery, at(0, 0, 2, 2, Short)), HasSubstr("reads index 2"));
}

TEST_F(RegionsTest, UnusedReadsAreNotDone) {
  Predicate P = compile("(%t: tensor<?xindex>)", R"(
    %x = attn.at %t[%k] : tensor<?xindex>
    %r = arith.cmpi sge, %q, %k : index
    attn.keep %r)");
  EXPECT_EQ(row(P, at(0, 0, 2, 4, {Operand::integers({2}, {0, 0})})), "###.");
}

TEST_F(RegionsTest, RunTimeSets) {
  Predicate P = compile("(%cols: !attn.set, %diags: !attn.set)", R"(
    %d = arith.subi %q, %k : index
    %past = attn.in %d, #attn.interval<0, inf>
    %column = attn.in %k, %cols[%b, %h]
    %slash = attn.in %d, %diags[%b, %h]
    %either = arith.ori %column, %slash : i1
    %kept = arith.andi %past, %either : i1
    attn.keep %kept)");
  EXPECT_EQ(P.params()[0].Rank, 2U);
  OperandList Sets = {
      Operand::sets({1, 2}, 8, {{1, 6}, {}}),
      Operand::sets({1, 2}, 8, {{0, 3}, {2}}),
  };
  EXPECT_EQ(row(P, at(0, 0, 5, 8, Sets)), ".##..#..");
  EXPECT_EQ(row(P, at(3, 0, 7, 8, Sets)), ".#..#.##");
  EXPECT_EQ(row(P, at(0, 1, 5, 8, Sets)), "...#....");
  EXPECT_THAT(row(P, at(0, 2, 5, 8, Sets)),
              HasSubstr("index 2 along axis 1 of parameter 'cols', which has "
                        "2"));
}

TEST_F(RegionsTest, AppliedPatterns) {
  // Causal within the document: positions are counted from its beginning.
  PatternOp Op = parse(R"(
    attn.pattern @outer(%begin: tensor<?xindex>, %w: index)
        keep(%b, %h, %q, %k) {
      %i = attn.at %begin[%q] : tensor<?xindex>
      %j = attn.at %begin[%k] : tensor<?xindex>
      %same = arith.cmpi eq, %i, %j : index
      %qq = arith.subi %q, %i : index
      %kk = arith.subi %k, %j : index
      %in = attn.apply @inner(%w, %begin : index, tensor<?xindex>) at(%b, %h, %qq, %kk)
      %kept = arith.andi %same, %in : i1
      attn.keep %kept
    }
    attn.pattern @inner(%limit: index, %t: tensor<?xindex>)
        keep(%b, %h, %q, %k) {
      %first = arith.cmpi slt, %k, %limit : index
      %past = arith.cmpi sge, %q, %k : index
      %x = attn.at %t[%k] : tensor<?xindex>
      %zero = attn.in %x, #attn.interval<0, 1>
      %a = arith.andi %first, %past : i1
      %r = arith.andi %a, %zero : i1
      attn.keep %r
    })");
  ASSERT_TRUE(Op) << Errors.front();
  mlir::FailureOr<Predicate> P = Predicate::compile(Op);
  ASSERT_TRUE(mlir::succeeded(P));
  // Two documents of 3 and 4 tokens; two keys at the beginning of each.
  OperandList Params = {Operand::integers({7}, {0, 0, 0, 3, 3, 3, 3}), 2};
  EXPECT_EQ(row(*P, at(0, 0, 2, 7, Params)), "##.....");
  EXPECT_EQ(row(*P, at(0, 0, 3, 7, Params)), "...#...");
  EXPECT_EQ(row(*P, at(0, 0, 6, 7, Params)), "...##..");
  // The inner table is read at the inner key, whose element is 0 below 3.
  OperandList Wide = {Operand::integers({7}, {0, 0, 0, 3, 3, 3, 3}), 9};
  EXPECT_EQ(row(*P, at(0, 0, 6, 7, Wide)), "...###.");
}

TEST_F(RegionsTest, OnePatternAppliedTwice) {
  PatternOp Op = parse(R"(
    attn.pattern @bands keep(%b, %h, %q, %k) {
      %c4 = arith.constant 4 : index
      %far = arith.addi %k, %c4 : index
      %x = attn.apply @near() at(%b, %h, %q, %k)
      %y = attn.apply @near() at(%b, %h, %q, %far)
      %r = arith.ori %x, %y : i1
      attn.keep %r
    }
    attn.pattern @near keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %r = attn.in %d, #attn.interval<0, 2>
      attn.keep %r
    })");
  ASSERT_TRUE(Op) << Errors.front();
  mlir::FailureOr<Predicate> P = Predicate::compile(Op);
  ASSERT_TRUE(mlir::succeeded(P));
  EXPECT_EQ(row(*P, at(0, 0, 6, 8, {})), ".##..##.");
}

TEST_F(RegionsTest, RecursionIsRefused) {
  EXPECT_THAT(refusal(R"(
    attn.pattern @p keep(%b, %h, %q, %k) {
      %r = attn.apply @p2() at(%b, %h, %k, %q)
      attn.keep %r
    }
    attn.pattern @p2 keep(%b, %h, %q, %k) {
      %r = attn.apply @p() at(%b, %h, %k, %q)
      attn.keep %r
    })"),
              HasSubstr("pattern @p applies itself"));
}

TEST_F(RegionsTest, Requirements) {
  Variant V = variant(R"(
    attn.pattern @inner(%m: index) keep(%b, %h, %q, %k) {
      %c9 = arith.constant 9 : index
      %few = arith.cmpi sle, %m, %c9 : index
      attn.require %few, "'m' is more than nine"
      attn.keep %few
    }
    attn.pattern @p(%count: index) keep(%b, %h, %q, %k) {
      %n = attn.num_keys
      %fits = arith.cmpi sle, %count, %n : index
      attn.require %fits, "'count' is larger than the number of keys"
      %from = arith.subi %n, %count : index
      %late = arith.cmpi sge, %k, %from : index
      %in = attn.apply @inner(%count : index) at(%b, %h, %q, %k)
      %r = arith.andi %late, %in : i1
      attn.keep %r
    })");
  Tensor Q(1, 1, 2, 2), K(1, 1, 5, 2), Long(1, 1, 20, 2);
  auto Check = [&](Tensor &Keys, int64_t Count) {
    AttentionProblem Problem = problem(Q, Keys, Keys);
    Problem.Params = {Count};
    return llvm::toString(checkRequirements(V, Problem));
  };
  EXPECT_EQ(Check(K, 5), "");
  EXPECT_EQ(Check(K, 6), "'count' is larger than the number of keys");
  EXPECT_EQ(Check(Long, 9), "");
  EXPECT_EQ(Check(Long, 10), "'m' is more than nine");
  // They play no part in what is kept.
  AttentionProblem Problem = problem(Q, K, K);
  Problem.Params = {6};
  EXPECT_EQ(compute(V, Problem).KeptPairs, 10);
}

TEST_F(RegionsTest, RequirementsOnCoordinatesAreRefused) {
  EXPECT_THAT(refusal(R"(attn.pattern @p keep(%b, %h, %q, %k) {
      %r = arith.cmpi sge, %q, %k : index
      attn.require %r, "no"
      attn.keep %r
    })"),
              HasSubstr("depends on a coordinate"));
}

TEST_F(RegionsTest, GridsOfTwoAxes) {
  // Query (1, 2) of a 3 x 4 grid; keys of a 2 x 5 grid.
  PatternOp Op = parse(R"(
    attn.pattern @p(%H: index, %W: index, %h2: index, %w2: index)
        grid(%H x %W) keys(%h2 x %w2) keep(%b, %h, %qy, %qx, %ky, %kx) {
      %dy = arith.subi %qy, %ky : index
      %dx = arith.subi %qx, %kx : index
      %y = attn.in %dy, #attn.interval<0, 1>
      %x = attn.in %dx, #attn.interval<-1, 1>
      %r = arith.andi %y, %x : i1
      attn.keep %r
    })");
  ASSERT_TRUE(Op) << Errors.front();
  mlir::FailureOr<Predicate> P = Predicate::compile(Op);
  ASSERT_TRUE(mlir::succeeded(P));
  EXPECT_EQ(row(*P, at(0, 0, 6, 10, {3, 4, 2, 5})), ".......##.");
  EXPECT_EQ(row(*P, at(0, 0, 3, 10, {3, 4, 2, 5})), "...##.....");
  EXPECT_EQ(row(*P, at(0, 0, 8, 10, {3, 4, 2, 5})), "..........");
  EXPECT_THAT(row(*P, at(0, 0, 8, 10, {3, 4, 2, 0})), HasSubstr("'w2' is 0"));
}

TEST_F(RegionsTest, GridsOfThreeAxes) {
  Variant V = variant(R"(
    attn.pattern @p(%T: index, %H: index, %W: index) grid(%T x %H x %W)
        keep(%b, %h, %qz, %qy, %qx, %kz, %ky, %kx) {
      %z = arith.cmpi eq, %qx, %kz : index
      %y = arith.cmpi eq, %qy, %ky : index
      %x = arith.cmpi eq, %qz, %kx : index
      %yz = arith.andi %y, %z : i1
      %r = arith.andi %yz, %x : i1
      attn.keep %r
    })");
  // Token (1, 2, 0) of 2 x 3 x 2 keeps token (0, 2, 1).
  EXPECT_EQ(row(V.predicate(), at(0, 0, (1 * 3 + 2) * 2 + 0, 12, {2, 3, 2})),
            ".....#......");
  Tensor X(1, 1, 12, 2), Short(1, 1, 11, 2);
  auto Failure = [&](Tensor &Q, Tensor &K, const OperandList &Params) {
    AttentionProblem Problem = problem(Q, K, K);
    Problem.Params = Params;
    return test::failure(V, Problem);
  };
  EXPECT_EQ(Failure(X, X, {2, 3, 2}), "");
  EXPECT_THAT(Failure(Short, X, {2, 3, 2}),
              HasSubstr("the grid of 2 x 3 x 2 tokens does not have the 11 "
                        "queries"));
  EXPECT_THAT(Failure(X, Short, {2, 3, 2}), HasSubstr("11 keys"));
  EXPECT_THAT(Failure(X, X, {-2, -3, 2}), HasSubstr("'T' is negative"));
  AttentionProblem Problem = problem(X, X, X);
  Problem.Params = {2, 3, 2};
  const int64_t One = 1;
  Problem.Origin = One;
  EXPECT_THAT(test::failure(V, Problem), HasSubstr("no origin but 0"));
}

} // namespace
