// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about PowerAttention: the mask, its reach, its work.

#include "test/exec/Statement.h"

#include <cmath>

using namespace heddle;
using namespace heddle::exec;

namespace {

Keep powerMask(int64_t Sink, int64_t Window) {
  return [=](const Pair &P) {
    return P.K <= P.Q && (P.K < Sink || P.Q - P.K < Window ||
                          isPowerOfTwo(P.Q / 64 - P.K / 64));
  };
}

TEST(Power, EqualsItsMask) {
  const Statement What = Statement::example("power_block");
  for (int64_t N : {1, 64, 65, 333, 1100}) {
    Inputs In(1, 2, 1, N, N, 1);
    EXPECT_TRUE(
        What.equals(In, {{"sink", 10}, {"window", 70}}, powerMask(10, 70)))
        << N;
    In.Origin = {1000};
    EXPECT_TRUE(What.equals(In, {{"sink", 0}, {"window", 1}}, powerMask(0, 1)))
        << N;
  }
}

/// The blocks that the kernel gives a weight to are the boolean mask of one
/// layer. Every distance below 2^d is a sum of at most d powers of two, so d
/// layers reach 2^d blocks without a gap; the window keeps the own block.
TEST(Power, LayersReachAllBlocksBelowTwoToTheDepth) {
  constexpr int64_t Blocks = 32, N = 64 * Blocks;
  const Inputs In(1, 1, 1, N, N);
  OutputOptions Wanted;
  Wanted.BlockQ = Wanted.BlockK = 64;
  Outputs Found;
  ASSERT_TRUE(Statement::example("power_block")
                  .run(In, {{"sink", 0}, {"window", 64}}, Found, "", Wanted));
  using Mask = std::vector<std::vector<bool>>;
  Mask Layer(Blocks, std::vector<bool>(Blocks));
  for (size_t I = 0; I < Blocks; ++I)
    for (size_t J = 0; J < Blocks; ++J)
      Layer[I][J] = Found.BlockMax[I * Blocks + J] > 0;
  Mask Reached = Layer;
  for (int64_t Depth = 1; Depth <= 5; ++Depth) {
    for (int64_t I = 0; I < Blocks; ++I)
      for (int64_t J = 0; J < Blocks; ++J) {
        const bool Is = Reached[static_cast<size_t>(I)][static_cast<size_t>(J)];
        if (J > I)
          EXPECT_FALSE(Is) << "block " << I << " sees " << J << ", after it";
        else if (I - J < int64_t{1} << Depth)
          EXPECT_TRUE(Is) << Depth << " layers do not bring " << J << " to "
                          << I;
      }
    Mask Next(Blocks, std::vector<bool>(Blocks));
    for (size_t I = 0; I < Blocks; ++I)
      for (size_t J = 0; J < Blocks; ++J)
        for (size_t M = 0; M < Blocks; ++M)
          Next[I][J] = Next[I][J] || (Layer[I][M] && Reached[M][J]);
    Reached = Next;
  }
}

/// Live tiles per row of tiles grow by a constant when the length doubles.
TEST(Power, WorkGrowsAsLengthTimesItsLogarithm) {
  const Statement What = Statement::example("power_block");
  double Before = 0;
  for (int64_t N : {1024, 2048, 4096, 8192}) {
    const Inputs In(1, 1, 1, N, N, 1, 4);
    const Outputs Found = What.result(In, {});
    const int64_t Rows = (N + Found.QueryTile - 1) / Found.QueryTile;
    const double PerRow =
        static_cast<double>(Found.liveTiles()) / static_cast<double>(Rows);
    // A row of tiles meets two blocks of queries at most, and one more power of
    // two puts one more block of keys before each.
    const int64_t PerBlock = 64 / Found.KeyTile + 2;
    if (Before > 0)
      EXPECT_LE(PerRow, Before + static_cast<double>(2 * PerBlock)) << N;
    Before = PerRow;
  }
}

} // namespace
