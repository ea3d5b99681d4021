// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_BINDER_H
#define HEDDLE_RUNTIME_SRC_BINDER_H

#include "TensorCheck.h"

#include <string>
#include <utility>
#include <vector>

namespace heddle::runtime {

/// Gives the views of a launch the caller's tensors, and checks them against
/// the shapes that the views have and against one another. Views must stay
/// where they are until the last check.
class Binder {
public:
  explicit Binder(const heddle_entry &Entry) : Entry(Entry) {}

  heddle_error *input(const std::string &Name, const heddle_tensor *Tensor,
                      int32_t Rank, int32_t Dtype, heddle_view &View);
  heddle_error *output(const std::string &Name, const heddle_tensor *Tensor,
                       int32_t Rank, int32_t Dtype, heddle_view &View);
  /// An f32 input or output that the caller need not give, and that the kernel
  /// need not have.
  heddle_error *extraInput(const std::string &Name, const heddle_tensor *Tensor,
                           int32_t Rank, bool Has, heddle_view &View);
  heddle_error *extraOutput(const std::string &Name,
                            const heddle_tensor *Tensor, int32_t Rank, bool Has,
                            heddle_view &View);
  /// An output may be the very tensor that an input is: the same elements at
  /// the same places.
  void allowInPlace(const heddle_view &Output, const heddle_view &Input) {
    InPlace.emplace_back(&Output, &Input);
  }
  /// No element of an output is shared with another tensor, as far as it shows.
  heddle_error *checkSharing() const;
  /// Sets the factor on q·k.
  heddle_error *scale(float Given, float &Out) const;

private:
  bool isInPlace(const heddle_view *Output, const heddle_view *Input) const;

  const heddle_entry &Entry;
  std::vector<BoundTensor> Inputs, Outputs;
  std::vector<std::pair<const heddle_view *, const heddle_view *>> InPlace;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_BINDER_H
