// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Flash.h"
#include "Matrices.h"
#include "NvKernel.h"

#include "codegen/nv/Softmax.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

static constexpr auto P = NvArgument::Pointer;
static constexpr float Inf = std::numeric_limits<float>::infinity();
static constexpr float NaN = std::numeric_limits<float>::quiet_NaN();

/// Equal, both NaN, or close.
static void expectSame(float Got, float Want, const std::string &What) {
  if (std::isnan(Want))
    EXPECT_TRUE(std::isnan(Got)) << What << ": " << Got;
  else if (std::isinf(Want) || Want == 0)
    EXPECT_EQ(Got, Want) << What;
  else
    EXPECT_NEAR(Got, Want, 2e-6F * std::abs(Want)) << What;
}

static nv::Config oneWarp(int64_t Keys) {
  nv::Config C;
  C.Warps = 1;
  C.QueryTile = C.Rows;
  C.KeyTile = Keys;
  return C;
}

TEST(NvSoftmax, StepFollowsItsDefinition) {
  constexpr int64_t Keys = 48, Rows = 16;
  // s, m, l, p, m', l', alpha.
  NvKernel Kernel(oneWarp(Keys), "f32", {P, P, P, P, P, P, P},
                  [](NvBuilder &B, Value, ArrayRef<Value> A) {
                    FragmentLayout Of = scoreLayout(B.config());
                    SoftmaxStep Step = emitSoftmaxStep(
                        B, loadMatrix(B, Of, A[0]), loadColumn(B, Of, A[1]),
                        loadColumn(B, Of, A[2]));
                    storeMatrix(B, Step.P, A[3]);
                    storeColumn(B, Of, Step.M, A[4]);
                    storeColumn(B, Of, Step.L, A[5]);
                    storeColumn(B, Of, Step.Alpha, A[6]);
                  });
  ptx::Device On;
  NvArray S(On, "f32", Rows * Keys), M(On, "f32", Rows), L(On, "f32", Rows);
  NvArray Weights(On, "f32", Rows * Keys), NewM(On, "f32", Rows);
  NvArray NewL(On, "f32", Rows), Alpha(On, "f32", Rows);
  for (int64_t Row = 0; Row < Rows; ++Row) {
    for (int64_t Key = 0; Key < Keys; ++Key)
      S.set(Row * Keys + Key,
            static_cast<float>((Row * 5 + Key * 7) % 23) / 4 - 3);
    M.set(Row, Row % 2 ? -Inf : static_cast<float>(Row) / 2 - 3);
    L.set(Row, Row % 2 ? 0 : static_cast<float>(Row) + 1);
  }
  auto SetRow = [&](int64_t Row, float Value) {
    for (int64_t Key = 0; Key < Keys; ++Key)
      S.set(Row * Keys + Key, Value);
  };
  SetRow(1, -Inf); // nothing yet
  SetRow(2, -Inf); // nothing new
  S.set(3 * Keys + 11, NaN);
  S.set(4 * Keys + 12, Inf);
  SetRow(5, -Inf);
  S.set(5 * Keys + 47, -1000);
  M.set(6, 1e6F); // far above: no weight is left
  M.set(7, NaN);
  Kernel.run(On,
             {S.address(), M.address(), L.address(), Weights.address(),
              NewM.address(), NewL.address(), Alpha.address()},
             0);
  for (int64_t Row = 0; Row < Rows; ++Row) {
    std::string In = "row " + std::to_string(Row) + " ";
    float Max = M.get(Row), Sum = 0;
    for (int64_t Key = 0; Key < Keys; ++Key)
      Max = std::fmax(Max, S.get(Row * Keys + Key));
    float From = Max == -Inf ? 0 : Max;
    for (int64_t Key = 0; Key < Keys; ++Key) {
      float Want = std::exp2(S.get(Row * Keys + Key) - From);
      if (Want < std::numeric_limits<float>::min())
        Want = 0;
      expectSame(Weights.get(Row * Keys + Key), Want, In + "p");
      Sum += Want;
    }
    float Factor = M.get(Row) == Max ? 1 : std::exp2(M.get(Row) - From);
    expectSame(NewM.get(Row), Max, In + "m");
    expectSame(Alpha.get(Row), Factor, In + "alpha");
    expectSame(NewL.get(Row), L.get(Row) * Factor + Sum, In + "l");
  }
}

TEST(NvSoftmax, FinishDividesAndKeepsEmptyRowsEmpty) {
  constexpr int64_t Rows = 16;
  // o, m, l, result, lse.
  NvKernel Kernel(oneWarp(16), "f32", {P, P, P, P, P},
                  [](NvBuilder &B, Value, ArrayRef<Value> A) {
                    FragmentLayout Of = outputLayout(B.config(), 16);
                    SoftmaxEnd End = emitFinish(B, loadMatrix(B, Of, A[0]),
                                                loadColumn(B, Of, A[1]),
                                                loadColumn(B, Of, A[2]));
                    storeMatrix(B, End.O, A[3]);
                    storeColumn(B, Of, End.Lse, A[4]);
                  });
  ptx::Device On;
  NvArray O(On, "f32", Rows * 16), M(On, "f32", Rows), L(On, "f32", Rows);
  NvArray Result(On, "f32", Rows * 16), Lse(On, "f32", Rows);
  for (int64_t N = 0; N < O.size(); ++N)
    O.set(N, static_cast<float>(N % 37) - 5);
  for (int64_t Row = 0; Row < Rows; ++Row) {
    M.set(Row, static_cast<float>(Row) + 1);
    L.set(Row, static_cast<float>(Row) * 3 + 2);
  }
  L.set(3, 0);
  M.set(3, -Inf);
  L.set(4, NaN);
  O.set(3 * 16 + 1, NaN);
  Kernel.run(
      On,
      {O.address(), M.address(), L.address(), Result.address(), Lse.address()},
      0);
  for (int64_t Row = 0; Row < Rows; ++Row) {
    bool Empty = L.get(Row) == 0;
    for (int64_t T = 0; T < 16; ++T)
      expectSame(Result.get(Row * 16 + T),
                 Empty ? 0 : O.get(Row * 16 + T) / L.get(Row),
                 "o of row " + std::to_string(Row));
    expectSame(Lse.get(Row),
               Empty ? -Inf
                     : (M.get(Row) + std::log2(L.get(Row))) * std::log(2.0F),
               "lse of row " + std::to_string(Row));
  }
}

TEST(NvSoftmax, WeightsFollowTheLogSumExp) {
  constexpr int64_t Keys = 16, Rows = 16;
  // s, lse, bits, p.
  NvKernel Kernel(
      oneWarp(Keys), "f32", {P, P, P, P},
      [](NvBuilder &B, Value, ArrayRef<Value> A) {
        FragmentLayout Of = scoreLayout(B.config());
        Fragment P =
            emitWeights(B, loadMatrix(B, Of, A[0]), loadColumn(B, Of, A[1]));
        storeMatrix(B, selectKept(B, P, loadBits(B, Of, A[2]), 0.0F), A[3]);
      });
  ptx::Device On;
  NvArray S(On, "f32", Rows * Keys), Lse(On, "f32", Rows);
  NvArray Bits(On, "f32", Rows * Keys), Weights(On, "f32", Rows * Keys);
  for (int64_t N = 0; N < S.size(); ++N) {
    S.set(N, static_cast<float>(N % 19) / 4 - 3);
    Bits.set(N, N % 3 != 0);
  }
  for (int64_t Row = 0; Row < Rows; ++Row)
    Lse.set(Row, static_cast<float>(Row) / 4);
  Lse.set(5, -Inf);
  S.set(6 * Keys + 1, -Inf);
  S.set(7 * Keys, NaN);
  Kernel.run(
      On, {S.address(), Lse.address(), Bits.address(), Weights.address()}, 0);
  for (int64_t N = 0; N < S.size(); ++N) {
    float Row = Lse.get(N / Keys);
    float Want = Bits.get(N) == 0 || Row == -Inf
                     ? 0
                     : std::exp2(S.get(N) - Row / std::log(2.0F));
    expectSame(Weights.get(N), Want, "p " + std::to_string(N));
  }
}
