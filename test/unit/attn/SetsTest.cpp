// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the algebra answers on patterns one knows by heart, and how many
// questions a query tile asks. The promises themselves are tested on random
// formulas in the fuzz suite.

#include "dialect/attn/HostSets.h"
#include "test/unit/attn/Support.h"

using namespace heddle::attn;

namespace {

class SetsTest : public FormulaFixture {
protected:
  /// The runs that a kernel sees for queries [Q, Q + Rows): "e0 p640 f704 …",
  /// status and first key of each answer.
  static std::string runs(const HostPattern &Pattern, int64_t Q, int64_t Rows,
                          int64_t Width) {
    std::string Result;
    for (int64_t K = 0; K < Pattern.getNumKeys();) {
      auto Answer = Pattern.at(0, 0, Q, Rows, K, Width);
      Result += (Result.empty() ? "" : " ") +
                std::string(1, "epf"[static_cast<int>(Answer.status)]) +
                std::to_string(K);
      K = Answer.until;
    }
    return Result;
  }

  HostPattern pattern(const std::string &Text, int64_t NumKeys,
                      llvm::ArrayRef<int64_t> Params = {}) {
    return HostPattern(formula(Text), NumKeys, Params);
  }
};

TEST_F(SetsTest, DenseIsOneRun) {
  EXPECT_EQ(runs(pattern("true", 4096), 0, 64, 64), "f0");
  // The last tile reaches past the keys: it needs a mask.
  EXPECT_EQ(runs(pattern("true", 4000), 0, 64, 64), "f0 p3968");
  EXPECT_EQ(runs(pattern("true", 0), 0, 64, 64), "");
}

TEST_F(SetsTest, CausalIsThreeRuns) {
  EXPECT_EQ(runs(pattern("q - k in interval<0, inf>", 4096), 1024, 64, 64),
            "f0 p1024 e1088");
  EXPECT_EQ(runs(pattern("q - k in interval<0, inf>", 4096), 1000, 64, 64),
            "f0 p960 e1088");
}

TEST_F(SetsTest, WindowIsFiveRunsAtAnyLength) {
  for (int64_t NumKeys : {8192, 1 << 20, 1 << 30})
    EXPECT_EQ(runs(pattern("q - k in interval<0, p0>", NumKeys, {1024}), 4096,
                   64, 64),
              "e0 p3072 f3136 p4096 e4160");
}

TEST_F(SetsTest, AShape) {
  // Sink 64, window 1024: the sink tile, a gap, the window.
  auto AShape =
      pattern("all(q - k in interval<0, inf>, any(k in interval<-inf, p0>, "
              "q - k in interval<-inf, p1>))",
              8192, {64, 1024});
  EXPECT_EQ(runs(AShape, 4096, 64, 64), "f0 e64 p3072 f3136 p4096 e4160");
}

TEST_F(SetsTest, PowersOfTwoAreFoundWithoutAScan) {
  // Blocks of 64 at power-of-two distance: the number of answers grows with the
  // logarithm of the position.
  auto Power = [&](int64_t Position) {
    auto Pattern = pattern("all(q - k in interval<0, inf>, q floordiv 64 - "
                           "(k floordiv 64) in pow2)",
                           1 << 24);
    std::string Runs = runs(Pattern, Position, 64, 64);
    return std::count(Runs.begin(), Runs.end(), ' ') + 1;
  };
  EXPECT_LE(Power(1 << 12), 16);
  EXPECT_LE(Power(1 << 20), 34);
  EXPECT_LE(Power(1 << 23), 40);
}

TEST_F(SetsTest, ResidueJumpsToTheNextMember) {
  // Every fourth block of 256: three tiles in four are skipped in one jump.
  auto Strided = pattern("k floordiv 256 in residue<1, 4>", 4096);
  EXPECT_EQ(runs(Strided, 0, 64, 64),
            "e0 f256 e512 f1280 e1536 f2304 e2560 f3328 e3584");
}

TEST_F(SetsTest, Bits) {
  auto Window = pattern("q - k in interval<0, 3>", 100);
  EXPECT_EQ(Window.bits(0, 0, 66, 64), 7u);
  EXPECT_EQ(Window.bits(0, 0, 64, 0), uint64_t(3) << 62);
  EXPECT_EQ(pattern("true", 70).bits(0, 0, 0, 64), 63u);
  EXPECT_EQ(pattern("k in residue<1, 2>", 64).bits(0, 0, 0, 0),
            0xaaaaaaaaaaaaaaaau);
}

TEST_F(SetsTest, LargestValuesDoNotOverflow) {
  const int64_t Most = int64_t(1) << 31;
  for (int64_t Param : {-Most, Most})
    for (const char *Text :
         {"(q * 33554432) floordiv 67108863 - (k floordiv 16777215) in "
          "interval<p0, inf>",
          "q * 30000000 - k * 30000001 in interval<p0 * 1000, inf>",
          "(k + p0 * 67108863) floordiv 134217728 in interval<p0, inf>"}) {
      auto Pattern = pattern(Text, Most - 1, {Param});
      for (int64_t Q : {-Most + 1, int64_t(0), Most - 64}) {
        auto Answer = Pattern.at(0, 0, Q, 64, 0, 64);
        bool Some = false, All = true;
        for (int64_t I : {0, 63})
          for (int64_t K : {0, 63}) {
            bool Kept = Pattern.contains(0, 0, Q + I, K);
            Some |= Kept;
            All &= Kept;
          }
        if (Some)
          EXPECT_NE(Answer.status, TileStatus::Empty) << Text;
        if (!All)
          EXPECT_NE(Answer.status, TileStatus::Full) << Text;
        EXPECT_GT(Answer.until, 0) << Text;
      }
    }
}

} // namespace
