// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Trace.h"
#include "test/unit/reference/Patterns.h"

#include "llvm/Support/JSON.h"
#include "gmock/gmock.h"

#include <cmath>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

TEST(TracePointTest, Text) {
  TracePoint P = llvm::cantFail(parseTracePoint("b=1,h=3,q=17"));
  EXPECT_EQ(P.B, 1);
  EXPECT_EQ(P.H, 3);
  EXPECT_EQ(P.Q, 17);
  P = llvm::cantFail(parseTracePoint("q=5"));
  EXPECT_EQ(P.B, 0);
  EXPECT_EQ(P.Q, 5);
  auto Failure = [](llvm::StringRef Text) {
    llvm::Expected<TracePoint> Point = parseTracePoint(Text);
    return Point ? std::string() : llvm::toString(Point.takeError());
  };
  EXPECT_THAT(Failure("b=1"), testing::HasSubstr("needs a row"));
  EXPECT_THAT(Failure(""), testing::HasSubstr("unknown coordinate ''"));
  EXPECT_THAT(Failure("q=1,x=2"), testing::HasSubstr("'x'"));
  EXPECT_THAT(Failure("q=-1"), testing::HasSubstr("found '-1'"));
  EXPECT_THAT(Failure("q=one"), testing::HasSubstr("found 'one'"));
  EXPECT_THAT(Failure("q=1,q=2"), testing::HasSubstr("twice"));
  EXPECT_THAT(Failure("q=99999999999999999999"), testing::HasSubstr("found"));
}

class TraceTest : public testing::Test, protected Patterns {
protected:
  TraceTest() : Q(2, 4, 40, 8), K(2, 2, 60, 8), V(2, 2, 60, 3) {
    Q.randomise(1);
    K.randomise(2);
    V.randomise(3);
    Problem.Q = Q.view();
    Problem.K = K.view();
    Problem.V = V.view();
    Problem.Origin = Origin;
    Problem.Scale = 0.5;
  }

  std::string print(const RowTrace &Trace, unsigned Width = 100) {
    std::string Text;
    llvm::raw_string_ostream Stream(Text);
    printTrace(Trace, Stream, Width);
    return Text;
  }

  const int64_t Origin[2] = {0, 7};
  Tensor Q, K, V;
  AttentionProblem Problem;
};

constexpr llvm::StringLiteral SinkAndWindow = R"(
  %d = arith.subi %q, %k : index
  %near = attn.in %d, #attn.interval<0, 4>
  %first = attn.in %k, #attn.interval<0, 2>
  %r = arith.ori %near, %first : i1
  attn.keep %r)";

TEST_F(TraceTest, AgreesWithTheReference) {
  Variant P = variant("", SinkAndWindow);
  ReferenceResult R = llvm::cantFail(computeReference(P, Problem, {1}));
  RowTrace T = llvm::cantFail(traceRow(P, Problem, {1, 3, 10}));
  EXPECT_EQ(T.Position, 17);
  EXPECT_EQ(T.Sources[0].KeyHead, 1);
  EXPECT_EQ(T.Sources[0].Kept, (std::vector<KeyRun>{{0, 2}, {14, 18}}));
  ASSERT_EQ(T.Scores.size(), 6U);
  EXPECT_EQ(T.Lse, R.Lse[R.row(1, 3, 10)]);
  double Sum = 0;
  for (size_t I = 0; I < 6; ++I) {
    EXPECT_NEAR(T.Weights[I], std::exp(T.Scores[I] - T.Lse), 1e-14);
    Sum += T.Weights[I];
  }
  EXPECT_NEAR(Sum, 1.0, 1e-14);
  for (size_t I = 0; I < 3; ++I)
    EXPECT_EQ(T.Output[I], R.output(1, 3, 10)[I]);
}

TEST_F(TraceTest, Table) {
  Variant P = variant("", SinkAndWindow);
  std::string Text = print(llvm::cantFail(traceRow(P, Problem, {1, 3, 10})));
  EXPECT_THAT(Text,
              testing::HasSubstr("@p b=1 h=3 q=10 (position 17, key head 1)"));
  EXPECT_THAT(Text, testing::HasSubstr("keeps   6 of 60 keys"));
  EXPECT_THAT(Text, testing::HasSubstr("keys    0..1, 14..17"));
  for (const char *Key : {"\n         0 ", "\n        14 ", "\n        17 "})
    EXPECT_THAT(Text, testing::HasSubstr(Key));
  EXPECT_THAT(Text, testing::Not(testing::HasSubstr("not listed")));
}

TEST_F(TraceTest, LongTablesAreCut) {
  Variant P = variant("", DenseBody);
  std::string Text = print(llvm::cantFail(traceRow(P, Problem, {0, 0, 0})), 60);
  EXPECT_THAT(Text, testing::HasSubstr("44 lighter keys are not listed"));
  llvm::SmallVector<llvm::StringRef> Lines;
  llvm::StringRef(Text).split(Lines, '\n');
  for (llvm::StringRef Line : Lines)
    EXPECT_LE(Line.size(), 60U) << Line.str();
}

TEST_F(TraceTest, EmptyRow) {
  Variant P = variant("", "%f = arith.constant false\nattn.keep %f");
  RowTrace T = llvm::cantFail(traceRow(P, Problem, {0, 0, 0}));
  std::string Text = print(T);
  EXPECT_THAT(Text, testing::HasSubstr("keeps   0 of 60 keys"));
  EXPECT_THAT(Text, testing::HasSubstr("lse     -inf"));
  EXPECT_THAT(Text, testing::HasSubstr("output  0, 0, 0"));
}

TEST_F(TraceTest, Json) {
  Variant P = variant("", DenseBody);
  K.at(0, 0, 2, 0) = HUGE_VALF;
  Q.at(0, 1, 4, 0) = -1;
  std::string Text;
  llvm::raw_string_ostream Stream(Text);
  printTraceJson(llvm::cantFail(traceRow(P, Problem, {0, 1, 4})), Stream);
  llvm::json::Value Json = llvm::cantFail(llvm::json::parse(Text));
  const llvm::json::Object &Object = *Json.getAsObject();
  EXPECT_EQ(Object.getInteger("kept"), 60);
  ASSERT_EQ(Object.getArray("scores")->size(), 60U);
  EXPECT_EQ((*Object.getArray("scores"))[2].getAsString(), "-inf");
  EXPECT_EQ((*Object.getArray("weights"))[2].getAsNumber(), 0.0);
  EXPECT_EQ(Object.getArray("output")->size(), 3U);
  EXPECT_EQ((*Object.getArray("kept_runs"))[0],
            llvm::json::Value(llvm::json::Array{0, 60}));
}

TEST_F(TraceTest, OutOfRange) {
  Variant P = variant("", DenseBody);
  auto Failure = [&](TracePoint Point) {
    llvm::Expected<RowTrace> T = traceRow(P, Problem, Point);
    return T ? std::string() : llvm::toString(T.takeError());
  };
  EXPECT_THAT(Failure({2, 0, 0}), testing::HasSubstr("b=2"));
  EXPECT_THAT(Failure({0, 4, 0}), testing::HasSubstr("h=4"));
  EXPECT_THAT(Failure({0, 0, 40}), testing::HasSubstr("q=40"));
}

} // namespace
