// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Windows.h"
#include "test/unit/attn/Support.h"

using namespace heddle::attn;

namespace {

class WindowsTest : public FormulaFixture {
protected:
  /// The window along an axis, 0 for none; parameter 0 is 100 and 1 is 9.
  int64_t window(const std::string &Text, unsigned Axis = 0) {
    return windowAlong(
               formula(Text), Axis,
               [](unsigned Param) -> int64_t { return Param == 0 ? 100 : 9; })
        .value_or(0);
  }
};

TEST_F(WindowsTest, DistancesThatAreBoundedFromBothSides) {
  EXPECT_EQ(window("q - k in interval<0, 5>"), 5);
  EXPECT_EQ(window("q - k in interval<0, min(p1, p0)>"), 9);
  EXPECT_EQ(window("q - k in interval<p1 floordiv 2 - p1 + 1,"
                   " p1 floordiv 2 + 1>"),
            9);
  EXPECT_EQ(window("all(q - k in interval<0, inf>, q - k in interval<-inf, 7>,"
                   " k in residue<0, 2>)"),
            7);
}

TEST_F(WindowsTest, OtherDistancesAreNoWindow) {
  EXPECT_EQ(window("true"), 0);
  EXPECT_EQ(window("q - k in interval<0, inf>"), 0);
  EXPECT_EQ(window("q - k in interval<0, n>"), 0);
  EXPECT_EQ(window("k in interval<0, 5>"), 0);
  EXPECT_EQ(window("q - k in pow2"), 0);
  EXPECT_EQ(window("q + q1 - k in interval<0, 5>"), 0);
}

TEST_F(WindowsTest, EndsOfAnAxisAreNotAskedFor) {
  // As of natten_2d, where windows are shifted at the borders.
  EXPECT_EQ(window("all(any(q - k in interval<-inf, p1 floordiv 2 + 1>,"
                   " k in interval<p0 - p1, inf>),"
                   " any(all(q - k in interval<p1 floordiv 2 - p1 + 1, inf>,"
                   " k in interval<-inf, p0>), k in interval<-inf, p1>))"),
            9);
}

TEST_F(WindowsTest, AlternativesReachAsFarAsTheFarthest) {
  EXPECT_EQ(window("any(q - k in interval<0, 4>, q - k in interval<16, 20>)"),
            20);
  // One of them has all keys of the other axis.
  const char *Cross = "any(q - k in interval<0, 4>, q1 - k1 in interval<0, 4>)";
  EXPECT_EQ(window(Cross, 0), 0);
  EXPECT_EQ(window(Cross, 1), 0);
  const char *Box = "all(q - k in interval<0, 4>, q1 - k1 in interval<0, 6>)";
  EXPECT_EQ(window(Box, 0), 4);
  EXPECT_EQ(window(Box, 1), 6);
}

TEST_F(WindowsTest, UnitsAreKeys) {
  EXPECT_EQ(window("q floordiv 7 - (k floordiv 7) in interval<0, 1>"), 7);
  EXPECT_EQ(window("(q floordiv 4) * 4 - k in interval<-3, 6>"), 9);
  EXPECT_EQ(window("q - k * 2 in interval<0, 9>"), 5);
}

} // namespace
