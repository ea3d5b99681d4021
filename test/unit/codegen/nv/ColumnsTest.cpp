// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Matrices.h"
#include "NvKernel.h"

#include "codegen/nv/Columns.h"

#include <gtest/gtest.h>

#include <vector>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

static constexpr auto P = NvArgument::Pointer, I = NvArgument::Integer;

static nv::Config shape() {
  nv::Config C;
  C.Warps = 3;
  C.QueryTile = 48;
  C.KeyTile = 32;
  return C;
}

static float weight(int64_t Row, int64_t Column) {
  return static_cast<float>((Row * 13 + Column * 29) % 64) / 8;
}

TEST(NvColumns, SumsAreAdded) {
  nv::Config C = shape();
  constexpr int64_t Keys = 40, First = 16, Before = 100;
  // p, rows, sums.
  NvKernel Kernel(
      C, "f32", {P, I, P}, [](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
        FragmentLayout Of = scoreLayout(B.config());
        RowSource To{B.getF32Type(), A[2], B.i64(2), B.i64(Keys), {}, 1};
        To.Position = RowSource::from(B.i64(First));
        Fragment Weights = loadMatrix(B, Of, A[0]);
        emitAddColumns(B, Weights, B.toI32(A[1]), To, Shared);
      });
  ptx::Device On;
  NvArray Weights(On, "f32", C.QueryTile * C.KeyTile);
  for (int64_t N = 0; N < Weights.size(); ++N)
    Weights.set(N, weight(N / C.KeyTile, N % C.KeyTile));
  for (int64_t Rows : {0, 1, 17, 48}) {
    NvArray Sums(On, "f32", Keys * 2);
    for (int64_t N = 0; N < Sums.size(); ++N)
      Sums.set(N, Before);
    Kernel.run(On,
               {Weights.address(), static_cast<uint64_t>(Rows), Sums.address()},
               columnScratchBytes(scoreLayout(C)));
    for (int64_t Key = 0; Key < Keys; ++Key) {
      float Want = Before;
      for (int64_t Row = 0; Key >= First && Row < Rows; ++Row)
        Want += weight(Row, Key - First);
      EXPECT_EQ(Sums.get(Key * 2), Want) << "key " << Key;
      EXPECT_EQ(Sums.get(Key * 2 + 1), Before);
    }
  }
}

namespace {

struct BlockCase {
  int64_t QueryBlock, KeyBlock, FirstQuery, FirstKey, Rows, NumKeys;
  bool Consecutive;
};

class Blocks : public testing::TestWithParam<BlockCase> {};

} // namespace

TEST_P(Blocks, MaximaAreRaised) {
  const BlockCase &Case = GetParam();
  nv::Config C = shape();
  // p, maxima.
  NvKernel Kernel(C, "f32", {P, P},
                  [&](NvBuilder &B, Value, ArrayRef<Value> A) {
                    BlockMaxima To{A[1],
                                   B.i64(20),
                                   Case.QueryBlock,
                                   Case.KeyBlock,
                                   B.i64(Case.NumKeys),
                                   RowSource::from(B.i64(Case.FirstQuery)),
                                   RowSource::from(B.i64(Case.FirstKey)),
                                   Case.Consecutive};
                    if (!Case.Consecutive)
                      // Every second row and column only, and some that are
                      // none.
                      To.Query = To.Key = [](NvBuilder &B, Value At) -> Value {
                        return B.sub(B.mul(B.toI64(At), 2), B.i64(8));
                      };
                    emitRaiseBlocks(B, loadMatrix(B, scoreLayout(C), A[0]),
                                    B.i32(Case.Rows), To);
                  });
  ptx::Device On;
  NvArray Weights(On, "f32", C.QueryTile * C.KeyTile), Max(On, "f32", 20 * 20);
  for (int64_t N = 0; N < Weights.size(); ++N)
    Weights.set(N, weight(N / C.KeyTile, N % C.KeyTile));
  std::vector<float> Want;
  for (int64_t N = 0; N < Max.size(); ++N) {
    Max.set(N, static_cast<float>(N % 5));
    Want.push_back(Max.get(N));
  }
  auto At = [&](int64_t X, int64_t First) {
    return Case.Consecutive ? First + X : 2 * X - 8;
  };
  for (int64_t Row = 0; Row < Case.Rows; ++Row)
    for (int64_t Column = 0; Column < C.KeyTile; ++Column) {
      int64_t Query = At(Row, Case.FirstQuery), Key = At(Column, Case.FirstKey);
      if (Query < 0 || Key < 0 || Key >= Case.NumKeys)
        continue;
      float &Old = Want[Query / Case.QueryBlock * 20 + Key / Case.KeyBlock];
      Old = std::max(Old, weight(Row, Column));
    }
  Kernel.run(On, {Weights.address(), Max.address()}, 0);
  for (int64_t N = 0; N < Max.size(); ++N)
    EXPECT_EQ(Max.get(N), Want[N]) << "block " << N / 20 << ", " << N % 20;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Blocks,
    testing::Values(BlockCase{64, 64, 64, 96, 48, 200, true},
                    BlockCase{64, 64, 64, 96, 20, 100, true},
                    BlockCase{16, 7, 5, 30, 33, 57, true},
                    BlockCase{8, 8, 0, 0, 0, 64, true},
                    BlockCase{16, 7, 0, 0, 40, 50, false}));
