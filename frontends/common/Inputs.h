// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_INPUTS_H
#define HEDDLE_FRONTENDS_COMMON_INPUTS_H

#include "frontends/common/Tensors.h"

#include <vector>

namespace heddle::frontend {

/// What a kernel reads and writes in memory.
struct TensorTypes {
  heddle_dtype Input = HEDDLE_F32, Output = HEDDLE_F32;
  /// Some normalisers have no log-sum-exp.
  bool HasLse = true;
  /// Which further outputs are wanted, and the blocks of the block maxima; 0
  /// for none.
  bool RowMax = false, ColumnSums = false;
  int64_t BlockQ = 0, BlockK = 0;
  /// Whether the state after the last query, and its sums, are wanted.
  bool StateOut = false, SumsOut = false;

  bool hasBlockMax() const { return BlockQ > 0; }
};

/// What a launch writes. What there is none of, or is not wanted, stays empty.
struct OutputTensors {
  Tensor O, Lse, RowMax;
  /// By source.
  std::vector<Tensor> ColumnSums, BlockMax;
  /// Of a recurrence, with the shapes of those in `RunTensors`.
  Tensor State, Sums;
};

/// The tensors of a run. Everything is allocated; outputs are not set.
struct RunTensors {
  Tensor Q, K, V;
  /// Of the further sources.
  std::vector<Tensor> MoreK, MoreV;
  /// The state that a recurrence begins with, (batch, heads, rows, dv) of f32,
  /// and its sums, (batch, heads, rows); a ragged batch has one per sequence.
  /// Absent where they are zero.
  Tensor State, Sums;
  OutputTensors Out;
};

/// Where the inputs come from; empty for random values.
struct InputPaths {
  std::string Q, K, V;
  /// Of a packed layout, instead of the three.
  std::string Packed;
  /// Of a recurrence; empty for zeros.
  std::string State, Sums;
};

/// Checks, before anything is allocated, that the tensors of a problem fit into
/// the machine's memory.
ErrorText checkMemory(const Problem &Sizes, const TensorTypes &Types);

/// Reads or makes the inputs of a problem whose sizes agree with the files (see
/// ShapeSolver), and allocates the outputs.
ErrorText loadTensors(const InputPaths &Paths, const Problem &Sizes,
                      const TensorTypes &Types, Layout Order, RunTensors &Out);

/// Allocates outputs.
ErrorText allocateOutputs(const Problem &Sizes, const TensorTypes &Types,
                          Layout Order, OutputTensors &Out);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_INPUTS_H
