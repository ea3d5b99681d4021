// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The whole library at work: dense attention, run by the emulator.

#include "Flash.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace heddle;

namespace {

struct Shape {
  const char *Type;
  int64_t Qk, V, Queries, Keys, KeyTile, Rows, Warps;
  /// Elements from row to row beyond the features.
  int64_t Gap;
};

class Flash : public testing::TestWithParam<Shape> {};

float noise(uint64_t &State) {
  State = State * 6364136223846793005U + 1442695040888963407U;
  return static_cast<float>(State >> 40) / static_cast<float>(1 << 23) - 1;
}

} // namespace

TEST_P(Flash, AgreesWithPlainLoops) {
  const Shape &S = GetParam();
  nv::Config C = flashConfig(S.Qk, S.V, S.KeyTile, S.Rows, S.Warps);
  NvKernel Kernel = makeFlash(C, S.Type);
  ptx::Device On;
  int64_t QkStride = S.Qk + S.Gap, VStride = S.V + S.Gap;
  NvArray Q(On, S.Type, S.Queries * QkStride), K(On, S.Type, S.Keys * QkStride);
  NvArray V(On, S.Type, S.Keys * VStride), O(On, S.Type, S.Queries * VStride);
  NvArray Lse(On, "f32", S.Queries);
  uint64_t State = 1;
  for (NvArray *X : {&Q, &K, &V})
    for (int64_t N = 0; N < X->size(); ++N)
      X->set(N, noise(State));
  for (int64_t N = 0; N < O.size(); ++N)
    O.set(N, 77);
  float Scale = 1 / std::sqrt(static_cast<float>(S.Qk));
  float Base2 = Scale / std::log(2.0F);
  uint32_t ScaleBits;
  std::memcpy(&ScaleBits, &Base2, 4);
  auto Number = [](int64_t X) { return static_cast<uint64_t>(X); };
  Kernel.run(On,
             {Q.address(), K.address(), V.address(), O.address(), Lse.address(),
              Number(QkStride), Number(QkStride), Number(VStride),
              Number(VStride), Number(S.Queries), Number(S.Keys), ScaleBits},
             flashBytes(C, S.Type),
             (S.Queries + C.QueryTile - 1) / C.QueryTile);

  float Tolerance = llvm::StringRef(S.Type) == "f32"    ? 2e-6F
                    : llvm::StringRef(S.Type) == "bf16" ? 8e-3F
                                                        : 1e-3F;
  for (int64_t I = 0; I < S.Queries; ++I) {
    std::vector<double> P;
    double Max = -std::numeric_limits<double>::infinity(), Sum = 0;
    for (int64_t J = 0; J < S.Keys; ++J) {
      double Dot = 0;
      for (int64_t T = 0; T < S.Qk; ++T)
        Dot += static_cast<double>(Q.get(I * QkStride + T)) *
               K.get(J * QkStride + T);
      P.push_back(Dot * Scale);
      Max = std::max(Max, P.back());
    }
    for (double &X : P) {
      X = std::exp(X - Max);
      Sum += X;
    }
    ASSERT_NEAR(Lse.get(I), Max + std::log(Sum), 1e-5) << "row " << I;
    for (int64_t T = 0; T < S.V; ++T) {
      double Want = 0;
      for (int64_t J = 0; J < S.Keys; ++J)
        Want += P[J] / Sum * V.get(J * VStride + T);
      ASSERT_NEAR(O.get(I * VStride + T), Want, Tolerance)
          << "row " << I << " feature " << T;
    }
    for (int64_t T = S.V; T < VStride; ++T)
      ASSERT_EQ(O.get(I * VStride + T), 77) << "written between rows";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Flash,
    testing::Values(Shape{"f16", 64, 64, 70, 150, 64, 16, 4, 0},
                    Shape{"bf16", 64, 64, 64, 129, 64, 16, 4, 8},
                    Shape{"f16", 40, 40, 33, 65, 64, 16, 2, 1},
                    Shape{"bf16", 80, 48, 50, 100, 32, 32, 2, 0},
                    Shape{"f16", 72, 33, 20, 70, 48, 16, 2, 0},
                    Shape{"f16", 128, 128, 64, 70, 64, 16, 4, 0},
                    Shape{"bf16", 256, 256, 17, 40, 32, 16, 2, 0},
                    Shape{"f16", 1, 1, 5, 3, 16, 16, 1, 0},
                    Shape{"f32", 64, 64, 70, 70, 64, 16, 4, 0},
                    Shape{"f32", 40, 72, 33, 65, 32, 16, 2, 3}),
    [](const testing::TestParamInfo<Shape> &Info) {
      return std::string(Info.param.Type) + "_" +
             std::to_string(Info.param.Qk) + "_" + std::to_string(Info.param.V);
    });
