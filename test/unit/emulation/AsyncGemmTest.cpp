// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of matrices that tensor copies bring, right kernels and broken ones.

#include "AsyncRun.h"

#include "codegen/nv/emulation/semantics/Convert.h"

#include <cmath>
#include <random>

using namespace heddle::ptx;
using namespace heddle::ptx::test;

namespace {

struct GemmResult {
  std::optional<Fault> Found;
  std::vector<float> Is, Should;
  bool right() const { return !Found && Is == Should; }
};

/// Runs the kernel on matrices of small numbers, for which every sum is exact.
/// `A` has `Rows` rows; what the box has below them is zero.
GemmResult run(const GemmText &Text, uint64_t Seed = 0, unsigned Rows = 64) {
  std::mt19937 Random(Text.N + Text.K + Text.Width);
  auto Pick = [&] { return float(int(Random() % 17) - 8) / 4; };
  std::vector<float> A(size_t(64) * Text.K), B(size_t(Text.K) * Text.N);
  for (float &X : A)
    X = Pick();
  for (float &X : B)
    X = Pick();
  auto Bits = [&](float X) { return Text.Brain ? toBF16(X) : toF16(X); };
  Device On;
  uint64_t AtA = On.allocate(A.size() * 2), AtB = On.allocate(B.size() * 2);
  GemmResult Result;
  Result.Is.assign(size_t(64) * Text.N, 0);
  Result.Should = Result.Is;
  uint64_t AtD = On.allocate(Result.Is.size() * 4);
  for (size_t I = 0; I < A.size(); ++I)
    reinterpret_cast<uint16_t *>(AtA)[I] = Bits(A[I]);
  for (unsigned K = 0; K < Text.K; ++K)
    for (unsigned N = 0; N < Text.N; ++N)
      reinterpret_cast<uint16_t *>(
          AtB)[Text.OuterMajorB ? K * Text.N + N : N * Text.K + K] =
          Bits(B[K * Text.N + N]);
  for (unsigned M = 0; M < Rows; ++M)
    for (unsigned N = 0; N < Text.N; ++N)
      for (unsigned K = 0; K < Text.K; ++K)
        Result.Should[M * Text.N + N] += A[M * Text.K + K] * B[K * Text.N + N];

  auto Map = [&](uint64_t Address, unsigned BoxRows, unsigned Columns,
                 unsigned InTensor) {
    TensorMap Made;
    std::string Error;
    uint64_t Dims[] = {Columns, InTensor}, Strides[] = {uint64_t(Columns) * 2};
    uint32_t Box[] = {Text.Width / 2, BoxRows}, Steps[] = {1, 1};
    unsigned Mode = 0;
    for (unsigned W = Text.Width; W > 16; W /= 2)
      ++Mode;
    EXPECT_TRUE(makeTensorMap(Made, Error, Text.Brain ? 9 : 6, 2, Address, Dims,
                              Strides, Box, Steps, 0, Mode, 0))
        << Error;
    return Made;
  };
  Block Parameters;
  Parameters.map(Map(AtA, 64, Text.K, Rows));
  Parameters.map(Text.OuterMajorB ? Map(AtB, Text.K, Text.N, Text.K)
                                  : Map(AtB, Text.N, Text.K, Text.N));
  Parameters.address(AtD);
  Parameters.address(AtA);
  Result.Found =
      launch(Text.text(), Parameters, 128, Text.sharedBytes(), On, Seed);
  std::memcpy(Result.Is.data(), reinterpret_cast<const void *>(AtD),
              Result.Is.size() * 4);
  return Result;
}

TEST(Async, TensorCopiesFeedWgmma) {
  for (unsigned Width : {16U, 32U, 64U, 128U})
    for (bool OuterMajorB : {false, true})
      for (bool RegisterA : {false, true})
        for (unsigned N : {64U, 192U}) {
          GemmText Text;
          Text.N = N;
          Text.K = N == 64 ? 128 : 64;
          Text.Width = Width;
          Text.OuterMajorB = OuterMajorB;
          Text.RegisterA = RegisterA;
          Text.Brain = N == 64;
          GemmResult Result = run(Text);
          EXPECT_FALSE(Result.Found) << said(Result.Found);
          EXPECT_TRUE(Result.right())
              << Width << " " << OuterMajorB << " " << RegisterA << " " << N;
        }
}

TEST(Async, RowsOutOfBoundsAreZero) {
  for (unsigned Rows : {1U, 17U, 63U}) {
    GemmResult Result = run(GemmText(), 0, Rows);
    EXPECT_TRUE(Result.right()) << said(Result.Found);
  }
}

TEST(Async, AnyOrderOfWarps) {
  GemmText Text;
  for (uint64_t Seed = 1; Seed < 12; ++Seed)
    EXPECT_TRUE(run(Text, Seed).right()) << Seed;
}

void expectFault(const GemmText &Text, FaultKind Kind, const char *Says) {
  GemmResult Result = run(Text);
  ASSERT_TRUE(Result.Found) << "expected: " << Says;
  EXPECT_EQ(Result.Found->Kind, Kind) << said(Result.Found);
  EXPECT_NE(said(Result.Found).find(Says), std::string::npos)
      << said(Result.Found);
}

TEST(Async, BrokenKernelsAreCaught) {
  GemmText Text;
  Text.SkipWait = true;
  expectFault(Text, FaultKind::Pending, "was not waited for");
  Text = {};
  Text.ExpectedBytes = Text.tileBytesA() + Text.tileBytesB() + 16;
  expectFault(Text, FaultKind::Deadlock, "16 bytes outstanding");
  Text = {};
  Text.Arrivals = 2;
  expectFault(Text, FaultKind::Deadlock, "1 of 2 arrivals");
  Text = {};
  Text.ExtraArrivals = 1;
  expectFault(Text, FaultKind::Barrier, "waits for 0");
  Text = {};
  Text.SkipFence = true;
  expectFault(Text, FaultKind::Race, "no wgmma.fence");
  Text = {};
  Text.SkipWgmmaWait = true;
  expectFault(Text, FaultKind::Pending, "wgmma.wait_group is missing");
  Text = {};
  Text.WriteEarly = true;
  expectFault(Text, FaultKind::Race, "accumulator of warp 0 was written");
  Text = {};
  Text.RegisterA = Text.ReuseA = true;
  expectFault(Text, FaultKind::Race, "matrix A of warp 0 was written");
  // Whoever reads accumulators too early finds NaNs.
  Text = {};
  Text.ReadEarly = true;
  GemmResult Early = run(Text);
  EXPECT_FALSE(Early.Found) << said(Early.Found);
  for (float X : Early.Is)
    ASSERT_TRUE(std::isnan(X));
  // A descriptor with another swizzle reads other elements.
  Text = {};
  Text.SwizzleCode = 2;
  GemmResult Result = run(Text);
  EXPECT_FALSE(Result.Found) << said(Result.Found);
  EXPECT_FALSE(Result.right());
}

} // namespace
