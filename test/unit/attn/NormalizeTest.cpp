// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/unit/attn/Support.h"

using namespace heddle::attn;

namespace {

class NormalizeTest : public FormulaFixture {};

TEST_F(NormalizeTest, SlidingWindowIsOneAtom) {
  EXPECT_EQ(normalized(R"(
    %d = arith.subi %q, %k : index
    %past = attn.in %d, #attn.interval<0, inf>
    %near = arith.cmpi slt, %d, %p0 : index
    %kept = arith.andi %past, %near : i1
    attn.keep %kept)"),
            "q - k in interval<0, p0>");
}

TEST_F(NormalizeTest, MinimaAndMaximaBecomeConnectives) {
  EXPECT_EQ(normalized(R"(
    %m = arith.minsi %q, %p0 : index
    %kept = arith.cmpi sge, %k, %m : index
    attn.keep %kept)"),
            "any(q - k in interval<-inf, 1>, k in interval<p0, inf>)");
  EXPECT_EQ(normalized(R"(
    %m = arith.maxsi %q, %p0 : index
    %kept = arith.cmpi sge, %k, %m : index
    attn.keep %kept)"),
            "all(q - k in interval<-inf, 1>, k in interval<p0, inf>)");
}

TEST_F(NormalizeTest, ConnectivesOnBooleans) {
  EXPECT_EQ(
      normalized(R"(
    %a = attn.in %q, #attn.pow2
    %b0 = attn.in %k, #attn.pow2
    %same = arith.cmpi eq, %a, %b0 : i1
    attn.keep %same)"),
      "all(any(q not in pow2, k in pow2), any(q in pow2, k not in pow2))");
}

TEST_F(NormalizeTest, EqualityIsAnIntervalOfOne) {
  EXPECT_EQ(normalized(R"(
    %c = arith.cmpi eq, %k, %p0 : index
    attn.keep %c)"),
            "k in interval<p0, p0 + 1>");
}

TEST_F(NormalizeTest, WhatHasNoPlaceInAFormula) {
  EXPECT_EQ(normalized(R"(
    %x = arith.muli %q, %p0 : index
    %c = arith.cmpi slt, %k, %x : index
    attn.keep %c)"),
            "error: expected one factor of a product to be a constant, found "
            "the query position and parameter 'p0'; pass the product as a "
            "parameter of its own");
  EXPECT_EQ(
      normalized(R"(
    %x = arith.floordivsi %q, %p1 : index
    %c = arith.cmpi slt, %k, %x : index
    attn.keep %c)"),
      "error: expected a positive constant as divisor, found parameter "
      "'p1'; a pattern is compiled for its divisors, so write a constant");
  EXPECT_EQ(
      normalized(R"(
    %c8 = arith.constant 8 : index
    %x = arith.remsi %q, %c8 : index
    %c = arith.cmpi slt, %k, %x : index
    attn.keep %c)"),
      "error: expected a dividend that is never negative, found the query "
      "position; use 'attn.mod', which rounds down");
  EXPECT_EQ(normalized(R"(
    %big = arith.constant 1152921504606846976 : index
    %c = arith.cmpi slt, %k, %big : index
    attn.keep %c)"),
            "error: value may need more than 58 bits; expected constants small "
            "enough for coordinates and parameters of up to 2^31");
}

TEST_F(NormalizeTest, ExplosionIsRefused) {
  std::string Region = "%x0 = attn.in %q, #attn.pow2\n";
  for (int I = 1; I < 12; ++I) {
    std::string N = std::to_string(I), Last = std::to_string(I - 1);
    Region += "%c" + N + " = arith.constant " + N + " : index\n";
    Region += "%s" + N + " = arith.addi %k, %c" + N + " : index\n";
    Region += "%a" + N + " = attn.in %s" + N + ", #attn.pow2\n";
    Region += "%x" + N + " = arith.xori %x" + Last + ", %a" + N + " : i1\n";
  }
  std::string Message = normalized(Region + "attn.keep %x11");
  EXPECT_NE(Message.find("expected at most 256 conditions"), std::string::npos)
      << Message;
}

} // namespace
