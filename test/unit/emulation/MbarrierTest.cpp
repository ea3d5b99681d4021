// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Mbarrier.h"

#include <gtest/gtest.h>

using namespace heddle::ptx;

namespace {

// PTX ISA, Phase Completion of the mbarrier object: a phase is complete when
// pending arrivals and tx-count are zero; then the count starts anew.
TEST(Mbarrier, CountsArrivals) {
  for (uint32_t Count : {1U, 2U, 3U, 32U, 128U, Mbarrier::MaxCount}) {
    Mbarrier Object;
    ASSERT_TRUE(Object.init(Count));
    for (uint64_t Phase = 0; Phase < 4; ++Phase) {
      EXPECT_EQ(Object.phase(), Phase);
      EXPECT_EQ(Object.pending(), Count);
      if (Count > 1)
        ASSERT_TRUE(Object.arrive(Count - 1)) << Object.error();
      EXPECT_EQ(Object.phase(), Phase);
      ASSERT_TRUE(Object.arrive());
    }
    EXPECT_EQ(Object.phase(), 4U);
  }
}

// Waiting by parity: even phases have parity 0. A fresh object makes a wait for
// parity 1 pass (the phase before the first) and one for parity 0 wait.
TEST(Mbarrier, WaitsByParityAndToken) {
  Mbarrier Object;
  ASSERT_TRUE(Object.init(1));
  for (uint64_t Phase = 0; Phase < 6; ++Phase) {
    bool Odd = Phase % 2 == 1;
    EXPECT_FALSE(Object.completedParity(Odd));
    EXPECT_TRUE(Object.completedParity(!Odd));
    uint64_t Token = Object.token();
    bool Known = false;
    EXPECT_FALSE(Object.completed(Token, Known));
    EXPECT_TRUE(Known);
    ASSERT_TRUE(Object.arrive());
    EXPECT_TRUE(Object.completedParity(Odd));
    EXPECT_TRUE(Object.completed(Token, Known));
    EXPECT_TRUE(Known);
    if (Phase > 0) {
      // Neither the current phase nor the one before.
      Object.completed(Token - 1, Known);
      EXPECT_FALSE(Known);
    }
    Object.completed(Token + 2, Known);
    EXPECT_FALSE(Known);
  }
}

TEST(Mbarrier, WaitsForBytes) {
  Mbarrier Object;
  ASSERT_TRUE(Object.init(2));
  ASSERT_TRUE(Object.expectBytes(4096));
  ASSERT_TRUE(Object.arrive());
  ASSERT_TRUE(Object.arrive());
  EXPECT_EQ(Object.phase(), 0U); // no arrival, but bytes outstanding
  EXPECT_FALSE(Object.arrive()) << "a third arrival has nothing to arrive at";
  ASSERT_TRUE(Object.completeBytes(4095));
  EXPECT_EQ(Object.phase(), 0U);
  ASSERT_TRUE(Object.completeBytes(1));
  EXPECT_EQ(Object.phase(), 1U);
  EXPECT_EQ(Object.pending(), 2U);
  EXPECT_EQ(Object.bytes(), 0);
  // Bytes may arrive before they are expected: tx-count may be negative.
  ASSERT_TRUE(Object.completeBytes(64));
  EXPECT_EQ(Object.bytes(), -64);
  ASSERT_TRUE(Object.arrive());
  ASSERT_TRUE(Object.expectBytes(64));
  EXPECT_EQ(Object.phase(), 1U);
  ASSERT_TRUE(Object.arrive());
  EXPECT_EQ(Object.phase(), 2U);
}

TEST(Mbarrier, DropsArrivals) {
  Mbarrier Object;
  ASSERT_TRUE(Object.init(3));
  ASSERT_TRUE(Object.arriveDrop());
  EXPECT_EQ(Object.pending(), 2U);
  ASSERT_TRUE(Object.arrive(2));
  EXPECT_EQ(Object.phase(), 1U);
  EXPECT_EQ(Object.pending(), 2U) << "later phases expect one fewer";
  EXPECT_FALSE(Object.arriveDrop(2)) << "nothing would be left to wait for";
}

TEST(Mbarrier, CountsAsynchronousArrivals) {
  Mbarrier Object;
  ASSERT_TRUE(Object.init(1));
  ASSERT_TRUE(Object.expectArrival());
  ASSERT_TRUE(Object.arrive());
  EXPECT_EQ(Object.phase(), 0U);
  ASSERT_TRUE(Object.arrive());
  EXPECT_EQ(Object.phase(), 1U);
  EXPECT_EQ(Object.pending(), 1U) << "the increment is for one phase only";
}

TEST(Mbarrier, RefusesWhatHasNoMeaning) {
  Mbarrier Object;
  EXPECT_FALSE(Object.arrive());
  EXPECT_NE(Object.error().find("no mbarrier"), std::string::npos);
  EXPECT_FALSE(Object.expectBytes(1));
  EXPECT_FALSE(Object.completeBytes(1));
  EXPECT_FALSE(Object.invalidate());
  EXPECT_FALSE(Object.init(0));
  EXPECT_FALSE(Object.init(1U << 20));
  ASSERT_TRUE(Object.init(2));
  EXPECT_FALSE(Object.init(2)) << "in use";
  EXPECT_FALSE(Object.arrive(3));
  EXPECT_NE(Object.error().find("waits for 2"), std::string::npos)
      << Object.error();
  EXPECT_EQ(Object.pending(), 2U) << "a refused operation changes nothing";
  EXPECT_FALSE(Object.arrive(0));
  EXPECT_FALSE(Object.expectBytes(1U << 20));
  ASSERT_TRUE(Object.expectBytes(Mbarrier::MaxCount));
  EXPECT_FALSE(Object.expectBytes(1));
  ASSERT_TRUE(Object.completeBytes(Mbarrier::MaxCount));
  ASSERT_TRUE(Object.completeBytes(Mbarrier::MaxCount));
  EXPECT_FALSE(Object.completeBytes(1));
  EXPECT_EQ(Object.describe(),
            "phase 0, 2 of 2 arrivals and -1048575 bytes outstanding");
  ASSERT_TRUE(Object.invalidate());
  EXPECT_FALSE(Object.arrive());
  ASSERT_TRUE(Object.init(1));
  EXPECT_EQ(Object.phase(), 0U);
}

} // namespace
