// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel makes of its arguments: views, parameters, sources, outputs.

#include "KernelSupport.h"

#include <cmath>

using namespace heddle;

namespace {
class Kernels : public OnEveryLevel {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Kernels, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

TEST_P(Kernels, SequencesOfARaggedBatchKeepTheirRows) {
  LoadedKernel Kernel(GetParam(), "4xf32;4xf32;4xf32;4xf32", "", R"(
  %c8 = arith.constant 8 : index
  %row = arith.muli %tile, %c8 : index
  %n = tile.dim position of %q : !attn.view<4xf32>
  %m = arith.index_cast %n : index to i64
  %f = arith.sitofp %m : i64 to f32
  %t = tile.load %q[%b, %h, %row] : !attn.view<4xf32> -> tensor<8x4xf32>
  %s = tile.scale %t, %f : tensor<8x4xf32>
  tile.store %s, %o[%b, %h, %row] : tensor<8x4xf32>, !attn.view<4xf32>
  return)");
  ASSERT_TRUE(Kernel);
  const int64_t Offsets[] = {0, 3, 3, 16, 25};
  Data<float> From(1, 2, 27, 4), To(1, 2, 27, 4, -1.0F);
  number(From);
  Arguments A;
  A.Args.q = From.view();
  A.Args.o = To.view();
  A.Args.q.offsets = A.Args.o.offsets = Offsets;
  // Means nothing for ragged views.
  A.Args.q.stride[0] = A.Args.o.stride[0] = int64_t(1) << 40;
  for (int64_t B = 0; B < 4; ++B) {
    int64_t Length = Offsets[B + 1] - Offsets[B];
    for (int64_t H = 0; H < 2; ++H) {
      Data<float> Expected = To;
      for (int64_t Row = Offsets[B]; Row < Offsets[B + 1]; ++Row)
        for (int64_t I = 0; I < 4; ++I)
          Expected.at(Row, I, H) =
              static_cast<float>(Length) * From.at(Row, I, H);
      for (int64_t Tile = 0; Tile < (Length + 7) / 8; ++Tile)
        Kernel.run(A.Args, B, H, Tile);
      ASSERT_EQ(To.Elements, Expected.Elements) << B << " " << H;
    }
  }
}

TEST_P(Kernels, RowsOfKeysStayWithinTheirSequence) {
  for (const char *Element : {"f32", "bf16"}) {
    std::string View = std::string("4x") + Element;
    LoadedKernel Kernel(GetParam(), "4xf32;" + View + ";" + View + ";16xf32",
                        "",
                        R"(
  %x = tile.load %q[%b, %h, %tile] : !attn.view<4xf32> -> tensor<4x4xf32>
  %y = tile.load %k[%b, %h, %tile] : !attn.view<)" +
                            View + R"(> -> tensor<16x4xf32>
  %s = tile.scores %x, %y : tensor<4x4xf32>, tensor<16x4xf32> -> tensor<4x16xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<4x16xf32>, !attn.view<16xf32>
  return)");
    ASSERT_TRUE(Kernel);
    bool Wide = std::string(Element) == "f32";
    Data<float> Identity(2, 1, 4, 4), To(2, 1, 4, 16);
    for (int64_t B = 0; B < 2; ++B)
      for (int64_t I = 0; I < 4; ++I)
        Identity.at(I, I, 0, B) = 1;
    // Rows 0 to 4 are the first sequence, 5 to 7 the second; those of the
    // second must not be read for the first, those beyond for neither.
    const int64_t Offsets[] = {0, 5, 8};
    Data<float> Keys(1, 1, 11, 4, NAN);
    Data<uint16_t> Narrow(1, 1, 11, 4, 0x7fc0);
    for (int64_t Row = 0; Row < 8; ++Row)
      for (int64_t I = 0; I < 4; ++I) {
        Keys.at(Row, I) = static_cast<float>(1 << (Row + I));
        Narrow.at(Row, I) = static_cast<uint16_t>((127 + Row + I) << 7);
      }
    Arguments A;
    A.Args.q = Identity.view();
    A.Args.o = To.view();
    A.Source.k = Wide ? Keys.view() : Narrow.view();
    A.Source.k.offsets = Offsets;
    for (int64_t B = 0; B < 2; ++B) {
      int64_t Length = Offsets[B + 1] - Offsets[B];
      Kernel.run(A.Args, B, 0, 0);
      for (int64_t Key = 0; Key < 16; ++Key)
        for (int64_t I = 0; I < 4; ++I) {
          float Got = To.at(I, Key, 0, B);
          if (Key < Length)
            EXPECT_EQ(Got, Keys.at(Offsets[B] + Key, I)) << Element;
          else
            EXPECT_FALSE(std::isnan(Got)) << Element << " " << Key;
        }
    }
  }
}

TEST_P(Kernels, TilesAreAddedAndMultiplied) {
  LoadedKernel Kernel(GetParam(), "5xf32;5xf32;5xf32;5xf32", "", R"(
  %x = tile.load %q[%b, %h, %tile] : !attn.view<5xf32> -> tensor<7x5xf32>
  %y = tile.load %k[%b, %h, %tile] : !attn.view<5xf32> -> tensor<7x5xf32>
  %p = arith.mulf %x, %y : tensor<7x5xf32>
  %s = arith.addf %p, %x : tensor<7x5xf32>
  %t = arith.mulf %s, %s : tensor<7x5xf32>
  tile.store %t, %o[%b, %h, %tile] : tensor<7x5xf32>, !attn.view<5xf32>
  return)");
  ASSERT_TRUE(Kernel);
  Data<float> X(1, 1, 7, 5), Y(1, 1, 7, 5), To(1, 1, 7, 5);
  number(X);
  number(Y, -9);
  Arguments A;
  A.Args.q = X.view();
  A.Source.k = Y.view();
  A.Args.o = To.view();
  Kernel.run(A.Args, 0, 0, 0);
  for (size_t I = 0; I < To.Elements.size(); ++I) {
    float Sum = X.Elements[I] * Y.Elements[I] + X.Elements[I];
    EXPECT_EQ(To.Elements[I], Sum * Sum);
  }
}

TEST_P(Kernels, ParametersOutputsAndSourcesAreFound) {
  // Reals are doubles in memory; the further outputs follow lse.
  LoadedKernel Kernel(GetParam(), "1xf32;1xf32;1xf32;1xf32;1xf32;1xf32;1xf32",
                      ", %i: index, %x: f32", R"(
  %t = tile.load %v[%b, %h, %i] : !attn.view<1xf32> -> tensor<2x1xf32>
  %s = tile.scale %t, %x : tensor<2x1xf32>
  tile.store %s, %max[%b, %h, %origin] : tensor<2x1xf32>, !attn.view<1xf32>
  %u = tile.scale %s, %scale : tensor<2x1xf32>
  tile.store %u, %sums[%b, %h, %tile] : tensor<2x1xf32>, !attn.view<1xf32>
  tile.store %u, %blocks[%b, %h, %tile] : tensor<2x1xf32>, !attn.view<1xf32>
  return)");
  ASSERT_TRUE(Kernel);
  Data<float> V(2, 1, 6, 1), Max(2, 1, 6, 1), Sums(2, 1, 2, 1);
  number(V);
  Arguments A;
  A.Source.v = V.view();
  A.Args.row_max = Max.view();
  A.Source.column_sums = Sums.view();
  // Nobody asks for `blocks`.
  A.Args.scale = 3;
  A.Origins = {0, 4};
  A.Args.origin = A.Origins.data();
  A.operand(0).integer = 2;
  A.operand(1).real = 0.5;
  Kernel.run(A.Args, 1, 0, 0);
  EXPECT_EQ(Max.Elements,
            (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4.5F, 5}));
  EXPECT_EQ(Sums.Elements, (std::vector<float>{0, 0, 13.5F, 15}));
}

TEST_P(Kernels, AColumnSumOfRowsIsATile) {
  // Row statistics are read as well as written.
  LoadedKernel Kernel(GetParam(), "1xf32;1xf32;1xf32;1xf32", "", R"(
  %at = arith.addi %tile, %source : index
  %t = tile.load %lse[%b, %h, %at] : !attn.view<1xf32> -> tensor<5x1xf32>
  %s = arith.addf %t, %t : tensor<5x1xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<5x1xf32>, !attn.view<1xf32>
  return)",
                      "columns");
  ASSERT_TRUE(Kernel);
  Data<float> Lse(1, 1, 4, 1), To(1, 1, 5, 1, -1.0F);
  number(Lse);
  Arguments A;
  A.Args.lse = Lse.view();
  A.Args.o = To.view();
  Kernel.run(A.Args, 0, 0, 0);
  EXPECT_EQ(To.Elements, (std::vector<float>{2, 4, 6, 8, 0}));
  Kernel.run(A.Args, 0, 0, 0, /*Source=*/2);
  EXPECT_EQ(To.Elements, (std::vector<float>{6, 8, 0, 0, 0}));
}

TEST_P(Kernels, ChecksReturnTheirNumberAndStoreTheRest) {
  LoadedKernel Kernel(GetParam(), "4xf32;4xf32;4xf32;4xf32", ", %p: index", R"(
  %n = tile.dim position of %k : !attn.view<4xf32>
  %nb = tile.dim batch of %k : !attn.view<4xf32>
  %bad = arith.cmpi sge, %p, %n : index
  %r = arith.index_castui %bad : i1 to index
  return %r, %p, %origin, %nb : index, index, index, index)",
                      "check");
  ASSERT_TRUE(Kernel);
  Data<float> K(3, 1, 7, 4);
  Arguments A;
  A.Source.k = K.view();
  A.Origins = {11};
  A.Args.origin = A.Origins.data();
  int64_t Out[3] = {};
  A.operand(0).integer = 6;
  EXPECT_EQ(Kernel.check(A.Args, Out), 0);
  A.operand(0).integer = 7;
  EXPECT_EQ(Kernel.check(A.Args, Out), 1);
  EXPECT_EQ(Out[0], 7);
  EXPECT_EQ(Out[1], 11);
  EXPECT_EQ(Out[2], 3);
}
