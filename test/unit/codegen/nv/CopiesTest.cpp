// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "NvKernel.h"

#include "codegen/nv/Copies.h"
#include "codegen/nv/Rotate.h"
#include "codegen/nv/Threads.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

static constexpr auto P = NvArgument::Pointer, I = NvArgument::Integer;

static nv::Config twoWarps(int64_t Rows) {
  nv::Config C;
  C.Warps = 2;
  C.QueryTile = 32;
  C.KeyTile = Rows;
  return C;
}

/// Writes all elements of a tile to memory, row by row.
static void dump(NvBuilder &B, const SharedTile &T, Value To) {
  forEachOfCta(B, T.Rows * T.Columns, [&](Value Number) {
    Value At = T.element(B, B.div(Number, T.Columns), B.rem(Number, T.Columns));
    B.store(B.widen(B.load(T.Element, At)),
            B.offset(To, Number, B.getF32Type()));
  });
}

namespace {

struct CopyCase {
  const char *Type;
  int64_t Features;
};

class Copies : public testing::TestWithParam<CopyCase> {};

std::string nameOf(const testing::TestParamInfo<CopyCase> &Info) {
  return std::string(Info.param.Type) + "_" +
         std::to_string(Info.param.Features);
}

} // namespace

TEST_P(Copies, BringRowsThatExist) {
  auto [Type, Features] = GetParam();
  constexpr int64_t Rows = 48;
  // Base, stride, length, first position, list of positions or null, output.
  auto Make = [Features = Features](NvBuilder &B, Value Shared,
                                    ArrayRef<Value> A, bool KnowsFirst) {
    const nv::Config &C = B.config();
    SharedTile T = SharedTile::get(Shared, C.KeyTile, Features, C.Input);
    Value Listed = B.cmp(arith::CmpIPredicate::ne, B.address(A[4]), 0);
    RowSource From{C.Input, A[0], A[1], A[2], {}, Features};
    if (KnowsFirst)
      From.First = A[3];
    From.Position = [&](NvBuilder &B, Value Row) {
      NvBuilder::Values Token = B.branch(
          Listed, {B.getI64Type()},
          [&]() -> NvBuilder::Values {
            return {
                B.load(B.getI64Type(), B.offset(A[4], Row, B.getI64Type()))};
          },
          [&]() -> NvBuilder::Values { return {B.add(A[3], B.toI64(Row))}; });
      return Token.front();
    };
    emitCopy(B, From, T);
    commitCopies(B);
    waitCopies(B, 0);
    B.barrier();
    dump(B, T, A[5]);
  };
  NvKernel Kernels[2] = {{twoWarps(Rows),
                          Type,
                          {P, I, I, I, P, P},
                          [&](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
                            Make(B, Shared, A, /*KnowsFirst=*/false);
                          }},
                         {twoWarps(Rows),
                          Type,
                          {P, I, I, I, P, P},
                          [&](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
                            Make(B, Shared, A, /*KnowsFirst=*/true);
                          }}};
  bool Wide = llvm::StringRef(Type) == "f32";
  int64_t Width = Wide ? 4 : 2, Padded = roundUp(Features, 16);
  ptx::Device On;
  for (int64_t Offset : {0, 2, 4, 8, 16})
    for (int64_t Gap : {0, 1, 8}) {
      if (Offset % Width != 0)
        continue;
      int64_t Length = 60, Stride = Features + Gap;
      // The last row ends where the memory ends.
      NvArray In(On, Type, (Length - 1) * Stride + Features, Offset);
      NvArray Out(On, "f32", Rows * Padded), List(On, "f32", Rows * 2);
      auto *Tokens = reinterpret_cast<int64_t *>(List.address());
      for (int64_t R = 0; R < Rows; ++R)
        Tokens[R] = R % 5 == 0 ? -1 : R * 37 % Length;
      for (int64_t N = 0; N < In.size(); ++N)
        In.set(N, 1);
      auto Value = [](int64_t Row, int64_t T) {
        return static_cast<float>((Row * 7 + T * 3) % 128 + 1);
      };
      for (int64_t R = 0; R < Length; ++R)
        for (int64_t T = 0; T < Features; ++T)
          In.set(R * Stride + T, Value(R, T));
      for (int64_t First :
           {int64_t{0}, int64_t{-3}, int64_t{-50}, int64_t{20}, Length})
        for (int Kind = 0; Kind < 3; ++Kind) {
          bool Listed = Kind == 2;
          if (Listed && First != 0)
            continue;
          Kernels[Kind % 2].run(On,
                                {In.address(), static_cast<uint64_t>(Stride),
                                 static_cast<uint64_t>(Length),
                                 static_cast<uint64_t>(First),
                                 Listed ? List.address() : 0, Out.address()},
                                Rows * Padded * Width);
          for (int64_t R = 0; R < Rows; ++R)
            for (int64_t T = 0; T < Padded; ++T) {
              int64_t Row = Listed ? Tokens[R] : First + R;
              bool Exists = Row >= 0 && Row < Length && T < Features;
              ASSERT_EQ(Out.get(R * Padded + T), Exists ? Value(Row, T) : 0)
                  << "row " << R << " feature " << T << " offset " << Offset
                  << " stride " << Stride << " first " << First;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Copies,
    testing::Values(CopyCase{"f16", 1}, CopyCase{"f16", 20},
                    CopyCase{"f16", 40}, CopyCase{"bf16", 64},
                    CopyCase{"f16", 72}, CopyCase{"f16", 80},
                    CopyCase{"bf16", 128}, CopyCase{"f16", 256},
                    CopyCase{"f16", 512}, CopyCase{"f32", 3},
                    CopyCase{"f32", 40}, CopyCase{"f32", 72},
                    CopyCase{"f32", 128}),
    nameOf);

// Nothing exists and there is no memory at all.
TEST(Copies, OfNothingReadNothing) {
  NvKernel Kernel(twoWarps(16), "f16", {P},
                  [](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
                    SharedTile T =
                        SharedTile::get(Shared, 16, 64, B.config().Input);
                    Value Null = LLVM::ZeroOp::create(B, A[0].getType());
                    emitCopy(B,
                             {T.Element, Null, B.i64(64), B.i64(0),
                              RowSource::from(B.i64(0)), 64},
                             T);
                    commitCopies(B);
                    waitCopies(B, 0);
                    B.barrier();
                    dump(B, T, A[0]);
                  });
  ptx::Device On;
  NvArray Out(On, "f32", 16 * 64);
  Kernel.run(On, {Out.address()}, 16 * 64 * 2);
  for (int64_t N = 0; N < Out.size(); ++N)
    ASSERT_EQ(Out.get(N), 0);
}

TEST(Copies, ZeroIsZero) {
  NvKernel Kernel(twoWarps(16), "f32", {P},
                  [](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
                    SharedTile T =
                        SharedTile::get(Shared, 16, 40, B.config().Input);
                    emitZero(B, T);
                    B.barrier();
                    dump(B, T, A[0]);
                  });
  ptx::Device On;
  NvArray Out(On, "f32", 16 * 48);
  Kernel.run(On, {Out.address()}, 16 * 48 * 4);
  for (int64_t N = 0; N < Out.size(); ++N)
    ASSERT_EQ(Out.get(N), 0);
}

namespace {
class Rotations : public testing::TestWithParam<CopyCase> {};
} // namespace

TEST_P(Rotations, TurnPairsOfFeatures) {
  auto [Type, Features] = GetParam();
  constexpr int64_t Rows = 32, Angles = 20, First = -2;
  int64_t Half = Features / 2, Padded = roundUp(Features, 16);
  // Rows, cos, sin, strides of sin's rows and columns, output.
  NvKernel Kernel(
      twoWarps(Rows), Type, {P, P, P, I, I, P},
      [Features = Features](NvBuilder &B, Value Shared, ArrayRef<Value> A) {
        const nv::Config &C = B.config();
        SharedTile T = SharedTile::get(Shared, C.KeyTile, Features, C.Input);
        emitCopy(B,
                 {C.Input, A[0], B.i64(Features), B.i64(Rows),
                  RowSource::from(B.i64(0)), Features},
                 T);
        commitCopies(B);
        waitCopies(B, 0);
        B.barrier();
        emitRotate(B, T,
                   {{A[1], B.i64(Features / 2), B.i64(1), B.i64(Angles)},
                    {A[2], A[3], A[4], B.i64(Angles)},
                    Features,
                    RowSource::from(B.i64(First))});
        B.barrier();
        dump(B, T, A[5]);
      });
  auto Angle = [](int64_t Row, int64_t T) {
    return static_cast<float>(Row) / static_cast<float>(T + 1);
  };
  float Tolerance = llvm::StringRef(Type) == "f32"    ? 1e-6F
                    : llvm::StringRef(Type) == "bf16" ? 2e-2F
                                                      : 2e-3F;
  for (bool ByColumns : {false, true}) {
    ptx::Device On;
    NvArray In(On, Type, Rows * Features), Out(On, "f32", Rows * Padded);
    NvArray Cos(On, "f32", Angles * Half), Sin(On, "f32", Angles * Half);
    int64_t RowStride = ByColumns ? 1 : Half, Step = ByColumns ? Angles : 1;
    for (int64_t R = 0; R < Angles; ++R)
      for (int64_t T = 0; T < Half; ++T) {
        Cos.set(R * Half + T, std::cos(Angle(R, T)));
        Sin.set(R * RowStride + T * Step, std::sin(Angle(R, T)));
      }
    for (int64_t N = 0; N < In.size(); ++N)
      In.set(N, static_cast<float>(N % 13) / 4 - 1);
    Kernel.run(On,
               {In.address(), Cos.address(), Sin.address(),
                static_cast<uint64_t>(RowStride), static_cast<uint64_t>(Step),
                Out.address()},
               Rows * Padded * 4);
    for (int64_t R = 0; R < Rows; ++R)
      for (int64_t T = 0; T < Half; ++T) {
        int64_t Row = std::min(std::max(R + First, int64_t{0}), Angles - 1);
        float X = In.get(R * Features + T), Y = In.get(R * Features + T + Half);
        float C = std::cos(Angle(Row, T)), S = std::sin(Angle(Row, T));
        ASSERT_NEAR(Out.get(R * Padded + T), X * C - Y * S, Tolerance);
        ASSERT_NEAR(Out.get(R * Padded + T + Half), Y * C + X * S, Tolerance);
      }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Rotations,
    testing::Values(CopyCase{"f16", 40}, CopyCase{"bf16", 64},
                    CopyCase{"f16", 6}, CopyCase{"f16", 128},
                    CopyCase{"f32", 64}, CopyCase{"f32", 72}),
    nameOf);
