// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/attn/Support.h"

using namespace heddle::attn;

namespace {

class FormulaTest : public FormulaFixture {};

TEST_F(FormulaTest, TextRoundTrips) {
  for (const char *Text : {"true", "false", "q - k in interval<0, inf>",
                           "q - k in interval<-inf, p0>",
                           "all(k in interval<-inf, p1>, q in residue<3, 8>)",
                           "any(q - k in interval<0, p0>, k in pow2)",
                           "q floordiv 64 - (k floordiv 64) not in pow2",
                           "q - k in interval<max(0, p0), min(n, p1)>",
                           "k mod 48 in interval<12, inf>",
                           "q * 2 - (k * 3) in interval<h * 5 + 1, inf>",
                           "k in interval<-b, inf>"})
    EXPECT_EQ(text(formula(Text)), Text);
}

TEST_F(FormulaTest, EqualMeaningGivesOneAttribute) {
  EXPECT_EQ(formula("k - q in interval<-inf, 1>"),
            formula("q - k in interval<0, inf>"));
  EXPECT_EQ(formula("q - k + p0 in interval<0, inf>"),
            formula("q - k in interval<-p0, inf>"));
  EXPECT_EQ(formula("q * 4 - k * 4 in interval<1, 9>"),
            formula("q - k in interval<1, 3>"));
  EXPECT_EQ(formula("(q + 64) floordiv 64 in interval<1, inf>"),
            formula("q floordiv 64 in interval<0, inf>"));
  EXPECT_EQ(formula("k - q in residue<1, 4>"),
            formula("q - k in residue<3, 4>"));
  EXPECT_EQ(formula("q - k + 9 in residue<1, 4>"),
            formula("q - k in residue<0, 4>"));
  EXPECT_EQ(formula("(q * 6 + 5) floordiv 4"
                    " in interval<0, inf>"),
            formula("(q * 3 + 2) floordiv 2 in interval<0, inf>"));
}

TEST_F(FormulaTest, IntervalsOfOneFormMerge) {
  EXPECT_EQ(text(formula(
                "all(q - k in interval<0, inf>, q - k in interval<-inf, p0>)")),
            "q - k in interval<0, p0>");
  EXPECT_EQ(
      text(formula("all(q - k in interval<0, inf>, k - q in interval<-7, inf>, "
                   "q - k in interval<2, p1>)")),
      "q - k in interval<2, min(8, p1)>");
}

TEST_F(FormulaTest, ConstantsFold) {
  EXPECT_EQ(text(formula("k in interval<-3, inf>")),
            "true"); // keys are not negative
  EXPECT_EQ(text(formula("k in interval<-inf, 0>")), "false");
  EXPECT_EQ(text(formula("q in interval<5, 5>")), "false");
  EXPECT_EQ(text(formula("q * 4 in interval<1, 4>")),
            "false"); // no multiple of four
  EXPECT_EQ(text(formula("all(q in interval<0, 4>, q in interval<4, 9>)")),
            "false");
  EXPECT_EQ(text(formula("any(q in interval<0, inf>, q in interval<-inf, 0>)")),
            "true");
  EXPECT_EQ(text(formula("q * 8 in residue<2, 4>")), "false");
  EXPECT_EQ(text(formula("q - q + 4 in pow2")), "true");
  EXPECT_EQ(text(formula("all(k in pow2, k not in pow2)")), "false");
}

TEST_F(FormulaTest, NegationMovesToTheAtoms) {
  EXPECT_EQ(text(getNot(formula("q - k in interval<0, p0>"))),
            "any(q - k in interval<-inf, 0>, q - k in interval<p0, inf>)");
  EXPECT_EQ(text(getNot(formula("any(k in pow2, q in interval<0, inf>)"))),
            "all(k not in pow2, q in interval<-inf, 0>)");
  for (const char *Text : {"all(q - k in interval<0, p0>, k in pow2)",
                           "any(q in residue<1, 3>, k in interval<-inf, p1>)"})
    EXPECT_EQ(getNot(getNot(formula(Text))), formula(Text));
}

TEST_F(FormulaTest, Uses) {
  FormulaAttr Formula = formula("q - k in interval<h + p1, inf>");
  EXPECT_TRUE(uses(Formula, DimH));
  EXPECT_FALSE(uses(Formula, DimB));
  EXPECT_EQ(numSymbols(Formula), 3u); // n, p0, p1
  EXPECT_EQ(numSymbols(formula("q in interval<0, inf>")), 0u);
}

} // namespace
