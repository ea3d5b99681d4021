// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_TENSORS_H
#define HEDDLE_FRONTENDS_COMMON_TENSORS_H

#include "frontends/common/Shape.h"
#include "heddle/heddle.h"
#include "runtime/npy/Npy.h"

#include <array>
#include <memory>

namespace heddle::frontend {

/// A tensor of f32, f16 or bf16 with logical axes (batch, head, sequence,
/// feature), stored gapless in a layout, or a range of heads of one.
class Tensor {
public:
  /// Rank 3 drops the feature axis. False when there is no memory.
  [[nodiscard]] bool allocate(heddle_dtype Dtype, int64_t Batch, int64_t Heads,
                              int64_t Length, int64_t Features, Layout Order,
                              int32_t Rank = 4);
  /// Takes over elements already in the right order; their number must be the
  /// product of the sizes.
  void adopt(npy::Array Data, int64_t Batch, int64_t Heads, int64_t Length,
             int64_t Features, Layout Order, int32_t Rank = 4);
  /// Heads [First, First + Count), in the memory of this tensor.
  Tensor heads(int64_t First, int64_t Count) const;

  /// Whether it was allocated.
  bool exists() const { return Elements != nullptr; }
  heddle_dtype dtype() const { return Dtype; }
  /// All elements in memory order; only of a tensor that is no range of heads.
  const void *data() const { return Elements->data<void>(); }
  int64_t size() const { return Shape[0] * Shape[1] * Shape[2] * Shape[3]; }
  const std::array<int64_t, 4> &shape() const { return Shape; }
  /// The element, widened; the nearest element is stored.
  float get(int64_t Batch, int64_t Head, int64_t Index, int64_t Feature) const;
  void set(int64_t Batch, int64_t Head, int64_t Index, int64_t Feature,
           float Value);
  /// The shape in memory order, as a .npy file has it.
  std::vector<int64_t> storedShape() const;
  /// For the runtime and for the interpreter; valid while this tensor lives and
  /// stays in place.
  heddle_tensor handle() const;
  heddle_view view() const;

  /// Fills with standard normal values, rounded to the dtype, that depend only
  /// on the seed and the logical position: the same in all layouts and on every
  /// run.
  void fillNormal(uint64_t Seed);

private:
  void setShape(int64_t Batch, int64_t Heads, int64_t Length, int64_t Features,
                Layout Order);
  /// The address of element `Offset`.
  void *address(int64_t Offset) const;

  std::shared_ptr<npy::Buffer> Elements;
  /// Of the first element of this range of heads.
  int64_t Start = 0;
  heddle_dtype Dtype = HEDDLE_F32;
  std::array<int64_t, 4> Shape = {};
  std::array<int64_t, 4> Strides = {};
  Layout Stored = Layout::Bhsd;
  int32_t Rank = 4;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_TENSORS_H
