// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_LAUNCHTENSORS_H
#define HEDDLE_FRONTENDS_COMMON_LAUNCHTENSORS_H

#include "frontends/common/Inputs.h"

#include <deque>

namespace heddle::frontend {

/// The tensors of one launch as the runtime takes them. The tensors they are
/// made of must live as long.
class LaunchTensors {
public:
  /// `Scale` 0 means 1/sqrt(d).
  LaunchTensors(const RunTensors &In, const OutputTensors &Out, float Scale);
  LaunchTensors(const LaunchTensors &) = delete;
  LaunchTensors &operator=(const LaunchTensors &) = delete;

  const heddle_tensors &all() const { return All; }
  /// What is read and what is written, for their data to be moved elsewhere.
  std::deque<heddle_tensor> &inputs() { return Inputs; }
  std::deque<heddle_tensor> &outputs() { return Outputs; }

private:
  heddle_tensors All = {};
  std::deque<heddle_tensor> Inputs, Outputs;
  std::vector<const heddle_tensor *> MoreK, MoreV, ColumnSums, BlockMax;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_LAUNCHTENSORS_H
