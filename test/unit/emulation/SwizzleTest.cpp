// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/Swizzle.h"

#include <gtest/gtest.h>

#include <set>

using namespace heddle::ptx;

namespace {

// PTX ISA, Swizzling Modes: where each table has, per row of 128 bytes, the
// numbers of the 16-byte units. The 64-byte table repeats after four rows, the
// 32-byte table after two.
const unsigned Table[8][8] = {
    {0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6},
    {2, 3, 0, 1, 6, 7, 4, 5}, {3, 2, 1, 0, 7, 6, 5, 4},
    {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
    {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};

unsigned rows(Swizzle Mode) {
  switch (Mode) {
  case Swizzle::None:
    return 1;
  case Swizzle::B32:
    return 2;
  case Swizzle::B64:
    return 4;
  case Swizzle::B128:
    return 8;
  }
  return 1;
}

const Swizzle Modes[] = {Swizzle::None, Swizzle::B32, Swizzle::B64,
                         Swizzle::B128};

TEST(Swizzle, IsTheTableOfTheIsa) {
  for (Swizzle Mode : Modes)
    for (uint32_t Address = 0; Address < 8192; ++Address) {
      unsigned Row = Address / 128, Unit = (Address / 16) % 8,
               InUnit = Address % 16;
      uint32_t Should = Row * 128 + 16 * Table[Row % rows(Mode)][Unit] + InUnit;
      ASSERT_EQ(swizzled(Address, Mode), Should) << Address;
    }
}

TEST(Swizzle, PermutesWithinItsWidth) {
  for (Swizzle Mode : Modes) {
    std::set<uint32_t> Seen;
    for (uint32_t Address = 0; Address < 2048; ++Address) {
      uint32_t To = swizzled(Address, Mode);
      Seen.insert(To);
      EXPECT_EQ(To / swizzleBytes(Mode), Address / swizzleBytes(Mode));
      EXPECT_EQ(swizzled(To, Mode), Address);
      // The pattern starts anew at the boundaries that the ISA lists.
      EXPECT_EQ(swizzled(Address + swizzlePeriod(Mode), Mode),
                To + swizzlePeriod(Mode));
    }
    EXPECT_EQ(Seen.size(), 2048U);
  }
  EXPECT_EQ(swizzlePeriod(Swizzle::B128), 1024U);
  EXPECT_EQ(swizzlePeriod(Swizzle::B64), 512U);
  EXPECT_EQ(swizzlePeriod(Swizzle::B32), 256U);
}

// Matrix Descriptor Format: base offset = (pattern start address >> 7) & 7.
TEST(Swizzle, StartsAtTheBaseOffset) {
  for (Swizzle Mode : Modes)
    for (uint32_t Start = 0; Start < 2048; Start += 128)
      for (uint32_t Offset = 0; Offset < 1024; Offset += 16) {
        unsigned Row = Offset / 128, Unit = (Offset / 16) % 8;
        uint32_t Should =
            Start + 128 * Row + 16 * Table[Row % rows(Mode)][Unit];
        ASSERT_EQ(swizzled(Start + Offset, Mode, (Start >> 7) & 7), Should);
      }
}

} // namespace
