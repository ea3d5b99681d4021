// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "codegen/nv/emulation/semantics/TensorMap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

using namespace heddle::ptx;

namespace {

constexpr uint64_t Base = 0x10000;

/// A map through the door that the driver has.
TensorMap make(unsigned Type, std::vector<uint64_t> Dims,
               std::vector<uint64_t> Strides, std::vector<uint32_t> Box,
               unsigned Mode, std::vector<uint32_t> Steps = {},
               unsigned Fill = 0) {
  Steps.resize(Dims.size(), 1);
  TensorMap Map;
  std::string Error;
  EXPECT_TRUE(makeTensorMap(Map, Error, Type, unsigned(Dims.size()), Base,
                            Dims.data(), Strides.data(), Box.data(),
                            Steps.data(), 0, Mode, Fill))
      << Error;
  return Map;
}

/// What the box is by its definition: element (c0, c1, ...) of the box is
/// element origin + c * step of the tensor; the box is packed, c0 fastest, and
/// then permuted in 16-byte units by the row of 128 bytes.
void check(const TensorMap &Map, const std::vector<int32_t> &Origin,
           uint32_t Shared) {
  unsigned Size = Map.elementBytes();
  std::vector<BoxPiece> Pieces = boxPieces(Map, Origin.data(), Shared);
  // Per byte of shared memory: 0 nothing, 1 filled, otherwise 2 + address.
  std::vector<uint64_t> Is(Map.boxBytes() + 2048), Should(Is.size());
  for (const BoxPiece &Piece : Pieces)
    for (unsigned I = 0; I < Piece.Bytes; ++I) {
      uint64_t &Byte = Is.at(Piece.Shared + I - (Shared & ~1023U));
      EXPECT_EQ(Byte, 0U) << "written twice";
      Byte = Piece.InBounds ? 2 + Piece.Global + I : 1;
    }
  uint64_t Elements = Map.boxBytes() / Size;
  for (uint64_t Number = 0; Number < Elements; ++Number) {
    uint64_t Rest = Number, Address = Map.Address;
    bool Inside = true;
    for (unsigned Dim = 0; Dim < Map.Rank; ++Dim) {
      uint64_t Extent =
          Dim == 0 ? Map.Box[0]
                   : (Map.Box[Dim] + Map.Steps[Dim] - 1) / Map.Steps[Dim];
      int64_t Position = Origin[Dim] + int64_t(Rest % Extent) *
                                           (Dim == 0 ? 1 : Map.Steps[Dim]);
      Rest /= Extent;
      Inside &= Position >= 0 && Position < int64_t(Map.Dims[Dim]);
      Address += uint64_t(Position) * (Dim == 0 ? Size : Map.Strides[Dim]);
    }
    for (unsigned Byte = 0; Byte < Size; ++Byte) {
      uint64_t To = Shared + Number * Size + Byte;
      uint64_t Unit = (To / 16) % 8, Row = To / 128, Width = 8;
      if (Map.Mode == Swizzle::None)
        Width = 1;
      else if (Map.Mode == Swizzle::B32)
        Width = 2;
      else if (Map.Mode == Swizzle::B64)
        Width = 4;
      To = Row * 128 + (Unit ^ (Row % Width)) * 16 + To % 16;
      Should.at(To - (Shared & ~1023U)) = Inside ? 2 + Address + Byte : 1;
    }
  }
  EXPECT_EQ(Is, Should);
}

TEST(TensorMap, CopiesBoxes) {
  for (unsigned Mode = 0; Mode < 4; ++Mode) {
    uint32_t Width = Mode == 0 ? 128 : 16U << Mode; // bytes
    for (uint32_t Shared : {0U, 1024U, 4096U + 128U}) {
      // Rank 1 to 5, of f16.
      check(make(6, {500}, {}, {Width / 2}, Mode), {64}, Shared);
      check(make(6, {64, 100}, {256}, {Width / 2, 16}, Mode), {0, 32}, Shared);
      check(make(6, {64, 9, 7}, {128, 2048}, {Width / 2, 4, 3}, Mode),
            {8, 4, 2}, Shared);
      check(make(6, {64, 9, 7, 5}, {128, 2048, 16384}, {Width / 2, 4, 3, 2},
                 Mode),
            {8, 4, 2, 3}, Shared);
      check(make(6, {64, 9, 7, 5, 4}, {128, 2048, 16384, 131072},
                 {Width / 2, 4, 3, 2, 2}, Mode),
            {0, 1, 2, 3, 1}, Shared);
      // Other element sizes.
      check(make(7, {64, 100}, {256}, {Width / 4, 16}, Mode), {0, 32}, Shared);
      check(make(0, {300, 100}, {512}, {Width, 16}, Mode), {3, 0}, Shared);
      check(make(8, {64, 100}, {512}, {Width / 8, 16}, Mode), {5, 90}, Shared);
    }
  }
}

TEST(TensorMap, FillsWhatIsOutOfBounds) {
  for (unsigned Mode = 0; Mode < 4; ++Mode) {
    uint32_t Width = (Mode == 0 ? 128 : 16U << Mode) / 2;
    TensorMap Map = make(9, {40, 11}, {128}, {Width, 8}, Mode);
    for (int32_t Column : {-70, -5, -1, 0, 1, 8, 33, 39, 40, 100})
      for (int32_t Row : {-9, -8, -3, 0, 4, 10, 11, 50})
        check(Map, {Column, Row}, 1024);
    EXPECT_EQ(Map.boxBytes(), Width * 2U * 8U)
        << "reported whole, in bounds or not";
  }
}

TEST(TensorMap, StepsOverElements) {
  TensorMap Map = make(6, {64, 50, 20}, {128, 8192}, {16, 9, 8}, 1, {1, 2, 3});
  EXPECT_EQ(Map.extent(1), 5U);
  EXPECT_EQ(Map.extent(2), 3U);
  EXPECT_EQ(Map.boxBytes(), 16U * 2 * 5 * 3);
  check(Map, {16, 3, 2}, 0);
  check(Map, {16, 45, 18}, 0);
  // The first step is ignored: there is no stride along dimension 0.
  check(make(6, {64, 50}, {128}, {16, 4}, 1, {2, 1}), {0, 0}, 0);
}

TEST(TensorMap, Encodes) {
  TensorMap Map = make(6, {uint64_t(1) << 32, 50, 20, 3, 2},
                       {128, 8192, 1 << 20, uint64_t(1) << 39},
                       {64, 9, 8, 2, 1}, 3, {1, 2, 3, 4, 8}, 1);
  EncodedTensorMap Bytes = encodeTensorMap(Map);
  std::optional<TensorMap> Back = decodeTensorMap(Bytes.data());
  ASSERT_TRUE(Back);
  EXPECT_EQ(Back->Address, Map.Address);
  EXPECT_EQ(Back->Dims, Map.Dims);
  EXPECT_EQ(Back->Strides, Map.Strides);
  EXPECT_EQ(Back->Box, Map.Box);
  EXPECT_EQ(Back->Steps, Map.Steps);
  EXPECT_EQ(Back->Rank, 5U);
  EXPECT_EQ(Back->Element, TensorMap::Type::F16);
  EXPECT_EQ(Back->Mode, Swizzle::B128);
  EXPECT_TRUE(Back->NanFill);
  EXPECT_FALSE(decodeTensorMap(EncodedTensorMap{}.data()))
      << "zeros are no map";
}

TEST(TensorMap, FillBytes) {
  TensorMap Zero = make(6, {64}, {}, {64}, 0),
            Nan = make(6, {64}, {}, {64}, 0, {}, 1);
  TensorMap Single = make(7, {64}, {}, {64}, 0, {}, 1);
  EXPECT_EQ(fillByte(Zero, 1), 0);
  EXPECT_EQ(fillByte(Nan, 0), 0xff);
  EXPECT_EQ(fillByte(Nan, 1), 0x7f);
  EXPECT_EQ(fillByte(Single, 2), 0xff);
  EXPECT_EQ(fillByte(Single, 3), 0x7f);
}

// What the driver's documentation asks of the arguments.
TEST(TensorMap, RefusesWhatTheDriverRefuses) {
  struct Arguments {
    unsigned Type = 6, Rank = 2;
    uint64_t Address = Base;
    uint64_t Dims[5] = {64, 64, 4, 4, 4},
             Strides[4] = {128, 8192, 1 << 16, 1 << 20};
    uint32_t Box[5] = {64, 8, 1, 1, 1}, Steps[5] = {1, 1, 1, 1, 1};
    unsigned Interleave = 0, Mode = 3, Fill = 0;
  };
  auto Why = [](const Arguments &A) {
    TensorMap Map;
    std::string Error;
    makeTensorMap(Map, Error, A.Type, A.Rank, A.Address, A.Dims, A.Strides,
                  A.Box, A.Steps, A.Interleave, A.Mode, A.Fill);
    return Error;
  };
  EXPECT_EQ(Why({}), "");
  auto Changed = [&](auto Change) {
    Arguments A;
    Change(A);
    return Why(A);
  };
  EXPECT_NE(Changed([](Arguments &A) { A.Rank = 0; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Rank = 6; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Address += 8; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Dims[1] = 0; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Strides[0] = 136; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Strides[0] = uint64_t(1) << 40; }),
            "");
  EXPECT_NE(Changed([](Arguments &A) { A.Box[1] = 257; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Box[1] = 0; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Box[0] = 65; }), "")
      << "not a multiple of 16 bytes";
  EXPECT_NE(Changed([](Arguments &A) { A.Box[0] = 72; }), "")
      << "wider than the swizzle";
  EXPECT_NE(Changed([](Arguments &A) { A.Mode = 2; }), "")
      << "wider than the swizzle";
  EXPECT_NE(Changed([](Arguments &A) { A.Steps[1] = 9; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Steps[1] = 0; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Type = 1, A.Fill = 1; }), "")
      << "an integer has no NaN";
  EXPECT_NE(Changed([](Arguments &A) { A.Interleave = 1; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Mode = 4; }), "");
  EXPECT_NE(Changed([](Arguments &A) { A.Type = 13; }), "");
  EXPECT_EQ(Changed([](Arguments &A) { A.Rank = 5; }), "");
}

TEST(TensorMap, BulkCopies) {
  EXPECT_EQ(checkBulkCopy(16, 32, 48), "");
  EXPECT_NE(checkBulkCopy(8, 32, 48), "");
  EXPECT_NE(checkBulkCopy(16, 40, 48), "");
  EXPECT_NE(checkBulkCopy(16, 32, 40), "");
  TensorMap Map = make(6, {64}, {}, {64}, 0);
  EXPECT_EQ(checkTensorCopy(Map, 64, 128), "");
  EXPECT_NE(checkTensorCopy(Map, 32, 128), "");
  EXPECT_NE(checkTensorCopy(Map, 64, 64), "");
}

} // namespace
