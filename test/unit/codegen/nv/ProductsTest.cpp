// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Matrices.h"
#include "NvKernel.h"

#include "codegen/nv/Copies.h"
#include "codegen/nv/Products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

namespace {

struct ProductCase {
  /// "tf32": f32 for the tensor cores.
  const char *Type;
  int64_t Features, KeyTile, Rows, Warps;
};

std::string productName(const testing::TestParamInfo<ProductCase> &Info) {
  return std::string(Info.param.Type) + "_" +
         std::to_string(Info.param.Features) + "_" +
         std::to_string(Info.param.KeyTile) + "_" +
         std::to_string(Info.param.Rows) + "x" +
         std::to_string(Info.param.Warps);
}

class Products : public testing::TestWithParam<ProductCase> {
protected:
  nv::Config config() const {
    nv::Config C;
    C.Rows = GetParam().Rows;
    C.Warps = GetParam().Warps;
    C.QueryTile = C.Rows * C.Warps;
    C.KeyTile = GetParam().KeyTile;
    C.Tf32 = llvm::StringRef(GetParam().Type) == "tf32";
    return C;
  }
  /// Of elements in memory.
  const char *type() const { return config().Tf32 ? "f32" : GetParam().Type; }
  int64_t sharedBytes() const {
    nv::Config C = config();
    int64_t Width = llvm::StringRef(type()) == "f32" ? 4 : 2;
    return (C.QueryTile + C.KeyTile) * roundUp(GetParam().Features, 16) * Width;
  }
};

/// Copies all rows of a contiguous matrix and waits for them.
SharedTile fetch(NvBuilder &B, Value Base, Value To, int64_t Rows,
                 int64_t Features) {
  SharedTile T = SharedTile::get(To, Rows, Features, B.config().Input);
  emitCopy(B,
           {T.Element, Base, B.i64(Features), B.i64(Rows),
            RowSource::from(B.i64(0)), Features},
           T);
  commitCopies(B);
  waitCopies(B, 0);
  B.barrier();
  return T;
}

/// Small whole numbers: sums of products are exact in f32.
float whole(int64_t Row, int64_t Column, int64_t Seed) {
  return static_cast<float>(
      (Row * 31 + Column * 17 + Seed * 7 + Row * Column % 11) % 9 - 4);
}

} // namespace

TEST_P(Products, ScoresAreDotProducts) {
  const char *Type = type();
  int64_t Features = GetParam().Features, Keys = GetParam().KeyTile;
  nv::Config C = config();
  // q, k, scores.
  NvKernel Kernel(
      C, Type, std::vector(3, NvArgument::Pointer),
      [Features](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
        const nv::Config &C = B.config();
        SharedTile Q = fetch(B, A[0], Shared, C.QueryTile, Features);
        SharedTile K =
            fetch(B, A[1], B.bytes(Shared, Q.bytes()), C.KeyTile, Features);
        Fragment S = emitScores(B, loadQueryOperand(B, Q), K, B.f32(0.5F));
        storeMatrix(B, S, A[2]);
      });
  ptx::Device On;
  NvArray Q(On, Type, C.QueryTile * Features), K(On, Type, Keys * Features);
  NvArray S(On, "f32", C.QueryTile * Keys);
  for (int64_t N = 0; N < Q.size(); ++N)
    Q.set(N, whole(N / Features, N % Features, 1));
  for (int64_t N = 0; N < K.size(); ++N)
    K.set(N, whole(N / Features, N % Features, 2));
  Kernel.run(On, {Q.address(), K.address(), S.address()}, sharedBytes());
  for (int64_t Row = 0; Row < C.QueryTile; ++Row)
    for (int64_t Key = 0; Key < Keys; ++Key) {
      float Sum = 0;
      for (int64_t T = 0; T < Features; ++T)
        Sum += Q.get(Row * Features + T) * K.get(Key * Features + T);
      ASSERT_EQ(S.get(Row * Keys + Key), Sum / 2)
          << "row " << Row << " key " << Key;
    }
}

TEST_P(Products, AccumulateAddsWeightedValues) {
  const char *Type = type();
  int64_t Features = GetParam().Features, Keys = GetParam().KeyTile;
  nv::Config C = config();
  // p, v, o, bits; o is read and written.
  auto Make = [&](bool Where) {
    return NvKernel(C, Type, std::vector(4, NvArgument::Pointer),
                    [=](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
                      const nv::Config &C = B.config();
                      SharedTile V =
                          fetch(B, A[1], Shared, C.KeyTile, Features);
                      Fragment Weights = loadMatrix(B, scoreLayout(C), A[0]);
                      Fragment O =
                          loadMatrix(B, outputLayout(C, Features), A[2]);
                      if (Where)
                        emitAccumulate(B, O, Weights, V, WeightRange::Any,
                                       loadBits(B, scoreLayout(C), A[3]));
                      else
                        emitAccumulate(B, O, Weights, V, WeightRange::Any);
                      storeMatrix(B, O, A[2]);
                    });
  };
  NvKernel Plain = Make(false), Masked = Make(true);
  int64_t Padded = roundUp(Features, 16);
  constexpr float Inf = std::numeric_limits<float>::infinity();
  for (int Kind = 0; Kind < 5; ++Kind) {
    bool Where = Kind % 2 == 1 || Kind == 2, NonFinite = Kind == 2;
    // Beyond the range of f16.
    float Unit = Kind > 2 ? 0x1p20F : 1.0F;
    ptx::Device On;
    NvArray W(On, "f32", C.QueryTile * Keys), V(On, Type, Keys * Features);
    NvArray Bits(On, "f32", C.QueryTile * Keys);
    NvArray O(On, "f32", C.QueryTile * Padded);
    auto Kept = [&](int64_t Row, int64_t Key) {
      return !Where || (Row + Key) % 3 != 0;
    };
    for (int64_t N = 0; N < W.size(); ++N) {
      bool K = Kept(N / Keys, N % Keys);
      W.set(N, K ? Unit * whole(N / Keys, N % Keys, 3) : 0);
      Bits.set(N, K);
    }
    for (int64_t N = 0; N < V.size(); ++N)
      V.set(N, whole(N / Features, N % Features, 4));
    if (NonFinite) {
      V.set(5 * Features, Inf);
      V.set((Keys - 1) * Features + Features - 1,
            std::numeric_limits<float>::quiet_NaN());
    }
    std::vector<float> Before;
    for (int64_t N = 0; N < O.size(); ++N) {
      O.set(N, Unit * whole(N / Padded, N % Padded, 5));
      Before.push_back(O.get(N));
    }
    (Where ? Masked : Plain)
        .run(On, {W.address(), V.address(), O.address(), Bits.address()},
             sharedBytes());
    for (int64_t Row = 0; Row < C.QueryTile; ++Row)
      for (int64_t T = 0; T < Features; ++T) {
        float Sum = Before[Row * Padded + T];
        for (int64_t Key = 0; Key < Keys; ++Key)
          if (Kept(Row, Key))
            Sum += W.get(Row * Keys + Key) * V.get(Key * Features + T);
        float Got = O.get(Row * Padded + T);
        if (std::isnan(Sum))
          ASSERT_TRUE(std::isnan(Got)) << "row " << Row << " feature " << T;
        else
          ASSERT_EQ(Got, Sum) << "row " << Row << " feature " << T;
      }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Products,
    testing::Values(
        ProductCase{"f16", 40, 64, 16, 4}, ProductCase{"f16", 64, 64, 16, 4},
        ProductCase{"bf16", 64, 64, 16, 4}, ProductCase{"bf16", 72, 48, 16, 2},
        ProductCase{"f16", 80, 64, 32, 2}, ProductCase{"f16", 128, 64, 16, 4},
        ProductCase{"bf16", 128, 128, 16, 1},
        ProductCase{"bf16", 256, 32, 16, 2}, ProductCase{"f16", 512, 16, 16, 1},
        ProductCase{"f16", 1, 16, 16, 1}, ProductCase{"f32", 40, 64, 16, 4},
        ProductCase{"f32", 64, 64, 16, 4}, ProductCase{"f32", 72, 48, 16, 2},
        ProductCase{"f32", 80, 32, 32, 2}, ProductCase{"f32", 128, 128, 16, 1},
        ProductCase{"f32", 256, 16, 16, 1}, ProductCase{"tf32", 40, 64, 16, 4},
        ProductCase{"tf32", 64, 32, 16, 4}, ProductCase{"tf32", 80, 32, 32, 2},
        ProductCase{"tf32", 7, 16, 16, 1}, ProductCase{"tf32", 128, 32, 16, 2},
        ProductCase{"tf32", 256, 16, 16, 1}),
    productName);

namespace {

/// A kernel of one product of f32 rows as tf32: scores of 16 queries and keys.
/// The first feature of every row is given, the others are 0.
float productOf(float Query, float Key) {
  nv::Config C;
  C.Warps = 1;
  C.QueryTile = C.KeyTile = 16;
  C.Tf32 = true;
  NvKernel Kernel(
      C, "f32", std::vector(3, NvArgument::Pointer),
      [](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
        SharedTile Q = fetch(B, A[0], Shared, 16, 16);
        SharedTile K = fetch(B, A[1], B.bytes(Shared, Q.bytes()), 16, 16);
        storeMatrix(B, emitScores(B, loadQueryOperand(B, Q), K), A[2]);
      });
  ptx::Device On;
  NvArray Q(On, "f32", 256), K(On, "f32", 256), S(On, "f32", 256);
  for (int64_t N = 0; N < 256; ++N) {
    Q.set(N, N % 16 == 0 ? Query : 0);
    K.set(N, N % 16 == 0 ? Key : 0);
  }
  Kernel.run(On, {Q.address(), K.address(), S.address()}, 2048);
  return S.get(17);
}

} // namespace

// To nearest, ties away from zero: the tensor cores by themselves cut.
TEST(Tf32, OperandsAreRounded) {
  constexpr float Unit = 0x1p-10F;
  EXPECT_EQ(productOf(1 + Unit / 2, 1), 1 + Unit);
  EXPECT_EQ(productOf(1, -1 - Unit / 2), -1 - Unit);
  EXPECT_EQ(productOf(1 + 0.499F * Unit, 1), 1);
  EXPECT_EQ(productOf(1, 1 + 1.75F * Unit), 1 + 2 * Unit);
}
