// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensors for tests: any layout, in memory that ends where they end.

#ifndef HEDDLE_TEST_EXEC_TENSORS_H
#define HEDDLE_TEST_EXEC_TENSORS_H

#include "heddle/heddle.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace heddle::exec {

/// Where a block of memory lies.
enum class Placement {
  BeforeGuard, ///< Its last byte is followed by a page without access.
  AfterGuard,  ///< Its first byte follows a page without access.
};

/// Pages of its own for one block of memory, with one page without access on
/// either side. Which side the block touches is the placement.
class GuardedBlock {
public:
  /// With `Alignment`, a power of two, the distance to the following page is
  /// below it instead of 0.
  GuardedBlock(size_t Bytes, Placement Where, size_t Alignment = 1);
  GuardedBlock(GuardedBlock &&Other) noexcept;
  GuardedBlock &operator=(GuardedBlock &&) = delete;
  ~GuardedBlock();

  void *data() const { return Block; }

private:
  void *Pages = nullptr;
  size_t PageBytes = 0;
  void *Block = nullptr;
};

/// The order of axes in memory, outermost first.
enum class Layout {
  Bhsd,
  Bshd,
  Padded, ///< Bhsd, with gaps of odd sizes after rows, heads and sequences.
  Packed, ///< Bshd; q, k and v are heads of one tensor.
};

/// A tensor of f32, f16 or bf16 with axes (batch, head, sequence, feature).
/// Everything in it, gaps included, starts as the canary, a NaN.
class Tensor {
public:
  Tensor(std::array<int64_t, 4> Shape, Layout Order,
         Placement Where = Placement::BeforeGuard,
         heddle_dtype Dtype = HEDDLE_F32);
  /// Heads [First, First + Count), in the memory of this tensor. What is not in
  /// them counts as no gap.
  Tensor heads(int64_t First, int64_t Count) const;

  /// An element of an f32 tensor.
  float &at(int64_t B, int64_t H, int64_t S, int64_t D) const {
    return static_cast<float *>(Data)[offset(B, H, S, D)];
  }
  /// An element of any dtype, widened; stored as the nearest.
  float get(int64_t B, int64_t H, int64_t S, int64_t D) const;
  void set(int64_t B, int64_t H, int64_t S, int64_t D, float Value) const;
  const std::array<int64_t, 4> &shape() const { return Shape; }
  heddle_dtype dtype() const { return Dtype; }

  /// Numbers of variance 1, rounded to the dtype, that depend on the seed and
  /// the logical position only, so that all layouts hold the same.
  Tensor &fill(uint64_t Seed);
  /// Makes every element the canary again.
  void reset();

  heddle_view view() const;
  /// Valid while this tensor stays in place; rank 3 drops the feature axis.
  heddle_tensor handle(int32_t Rank = 4) const;

  /// Whether no gap was written to.
  bool gapsIntact() const;
  /// Whether two tensors of one shape are equal bit by bit, in any layouts.
  bool sameBits(const Tensor &Other) const;

private:
  int64_t offset(int64_t B, int64_t H, int64_t S, int64_t D) const {
    return B * Strides[0] + H * Strides[1] + S * Strides[2] + D;
  }
  size_t elementBytes() const { return Dtype == HEDDLE_F32 ? 4 : 2; }

  std::array<int64_t, 4> Shape;
  std::array<int64_t, 4> Strides;
  heddle_dtype Dtype;
  size_t Length; ///< elements, gaps included
  bool IsPart = false;
  std::shared_ptr<const GuardedBlock> Memory;
  void *Data;
};

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_TENSORS_H
