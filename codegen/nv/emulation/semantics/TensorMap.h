// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_TENSORMAP_H
#define HEDDLE_CODEGEN_NV_EMULATION_SEMANTICS_TENSORMAP_H

#include "codegen/nv/emulation/semantics/Swizzle.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// Bulk copies (PTX ISA, Data Movement and Conversion Instructions:
// cp.async.bulk and cp.async.bulk.tensor; Tensors). Tiled mode without
// interleaving; im2col, the interleaved layouts, sub-byte elements and swizzle
// atoms other than 16 bytes are refused when a map is made.

namespace heddle::ptx {

/// A tensor in global memory and the box of it that one copy moves: what
/// cuTensorMapEncodeTiled is given. Dimension 0 is the innermost; its elements
/// are neighbours in memory.
struct TensorMap {
  static constexpr unsigned MaxRank = 5, MaxBox = 256, MaxStep = 8;

  /// CUtensorMapDataType, by value.
  enum class Type : uint8_t {
    U8,
    U16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    BF16,
    F32Ftz,
    TF32,
    TF32Ftz
  };

  uint64_t Address = 0;
  Type Element = Type::F16;
  unsigned Rank = 1;
  std::array<uint64_t, MaxRank> Dims{}; ///< in elements
  std::array<uint64_t, MaxRank>
      Strides{}; ///< in bytes, of dimension 1 and up; [0] has no use
  std::array<uint32_t, MaxRank> Box{};   ///< in elements
  std::array<uint32_t, MaxRank> Steps{}; ///< element strides; [0] counts as 1
  Swizzle Mode = Swizzle::None;
  bool NanFill =
      false; ///< what is out of bounds reads as NaN, otherwise as zero

  unsigned elementBytes() const;
  /// Elements that a copy moves along a dimension: ceil(box / step).
  uint32_t extent(unsigned Dim) const {
    return Dim == 0 ? Box[0] : (Box[Dim] + Steps[Dim] - 1) / Steps[Dim];
  }
  /// Bytes of a box in shared memory; what a copy reports to its mbarrier,
  /// whether they were in bounds or not.
  uint64_t boxBytes() const;

  /// What is wrong with the map by the rules of cuTensorMapEncodeTiled; empty
  /// when nothing is.
  std::string check() const;
};

/// The 128 bytes that a kernel receives. Their meaning is this emulator's own:
/// the hardware's is not documented.
using EncodedTensorMap = std::array<uint8_t, 128>;
EncodedTensorMap encodeTensorMap(const TensorMap &Map);
/// Nothing where the bytes were not made by encodeTensorMap.
std::optional<TensorMap> decodeTensorMap(const uint8_t *Bytes);

/// Arguments as cuTensorMapEncodeTiled takes them, enumerations by value. False
/// where the driver would say CUDA_ERROR_INVALID_VALUE or the emulation lacks
/// the mode; `error` says why.
bool makeTensorMap(TensorMap &Map, std::string &Error, unsigned DataType,
                   unsigned Rank, uint64_t Address, const uint64_t *Dims,
                   const uint64_t *Strides, const uint32_t *Box,
                   const uint32_t *Steps, unsigned Interleave,
                   unsigned SwizzleMode, unsigned OobFill);

/// Neighbouring bytes of a box: at `shared` (an address), and in global memory
/// at `global`, or out of bounds.
struct BoxPiece {
  uint32_t Shared = 0;
  uint32_t Bytes = 0;
  uint64_t Global = 0;
  bool InBounds = false;
};

/// All pieces of the box whose first element is at `origin` (rank coordinates,
/// innermost first, of any sign), in the order of shared memory before
/// swizzling: dimension 0 runs fastest. Pieces never cross 16 bytes.
std::vector<BoxPiece> boxPieces(const TensorMap &Map, const int32_t *Origin,
                                uint32_t Shared);

/// The bytes of an element that is out of bounds; `at` counts from the
/// beginning of an element.
uint8_t fillByte(const TensorMap &Map, unsigned At);

/// cp.async.bulk without a tensor: what the ISA asks of size and addresses (all
/// multiples of 16); empty when it is met.
std::string checkBulkCopy(uint64_t Destination, uint64_t Source,
                          uint64_t Bytes);
/// The same of cp.async.bulk.tensor for the shared memory side (128 bytes).
std::string checkTensorCopy(const TensorMap &Map, uint64_t MapAddress,
                            uint32_t Shared);

} // namespace heddle::ptx

#endif
