// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_TENSORS_H
#define HEDDLE_FRONTENDS_COMMON_TENSORS_H

#include "frontends/common/Shape.h"
#include "heddle/heddle.h"
#include "runtime/npy/Buffer.h"

#include <array>

namespace heddle::frontend {

/// An owned f32 tensor with logical axes (batch, head, sequence, feature),
/// stored gapless in a layout.
class Tensor {
public:
  /// Rank 3 drops the feature axis. False when there is no memory.
  [[nodiscard]] bool allocate(int64_t Batch, int64_t Heads, int64_t Length,
                              int64_t Features, Layout Order, int32_t Rank = 4);
  /// Takes over elements already in the right order; `Data.size()` must be the
  /// product of the sizes.
  void adopt(npy::Buffer Data, int64_t Batch, int64_t Heads, int64_t Length,
             int64_t Features, Layout Order);

  float *data() { return Elements.data(); }
  const float *data() const { return Elements.data(); }
  int64_t size() const { return Elements.size(); }
  const std::array<int64_t, 4> &shape() const { return Shape; }
  const std::array<int64_t, 4> &strides() const { return Strides; }
  /// The features of one row.
  float *row(int64_t Batch, int64_t Head, int64_t Index) {
    return data() + Batch * Strides[0] + Head * Strides[1] + Index * Strides[2];
  }
  const float *row(int64_t Batch, int64_t Head, int64_t Index) const {
    return const_cast<Tensor *>(this)->row(Batch, Head, Index);
  }
  /// The shape in memory order, as a .npy file has it.
  std::vector<int64_t> storedShape() const;
  /// For the runtime; valid while this tensor lives and stays in place.
  heddle_tensor view();

  /// Fills with standard normal values that depend only on the seed and the
  /// logical position: the same in both layouts and on every run.
  void fillNormal(uint64_t Seed);

private:
  void setShape(int64_t Batch, int64_t Heads, int64_t Length, int64_t Features,
                Layout Order);

  npy::Buffer Elements;
  std::array<int64_t, 4> Shape = {};
  std::array<int64_t, 4> Strides = {};
  Layout Stored = Layout::Bhsd;
  int32_t Rank = 4;
};

/// The tensors of a run. Everything is allocated; outputs are not set.
struct Operands {
  Tensor Q, K, V, O, Lse;
};

/// Where the inputs come from; empty for random values.
struct InputPaths {
  std::string Q, K, V;
};

/// Checks, before anything is allocated, that the tensors of a problem fit into
/// the machine's memory.
ErrorText checkMemory(const Problem &Sizes);

/// Reads or makes the inputs of a problem whose sizes agree with the files (see
/// ShapeSolver), and allocates the outputs.
ErrorText loadOperands(const InputPaths &Paths, const Problem &Sizes,
                       Layout Order, Operands &Out);

/// Allocates outputs.
ErrorText allocateOutputs(const Problem &Sizes, Layout Order, Tensor &O,
                          Tensor &Lse);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_TENSORS_H
