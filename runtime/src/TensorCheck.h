// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_TENSORCHECK_H
#define HEDDLE_RUNTIME_SRC_TENSORCHECK_H

#include "Error.h"

namespace heddle::runtime {

/// A tensor of a launch after `bindTensor`; without data when nobody wants it.
struct BoundTensor {
  std::string Name;
  const heddle_view *View;
  int32_t Dtype;
};

/// Checks the caller's tensor `Name` against rank, dtype and the shape that
/// `View` has already, then gives `View` its address and strides.
heddle_error *bindTensor(const char *Name, const heddle_tensor *Tensor,
                         int32_t Rank, int32_t Dtype, heddle_view &View);

/// Checks that no two elements of an output plainly share memory (a zero
/// stride).
heddle_error *checkDistinct(const BoundTensor &Output);

/// Checks that an output and another tensor do not plainly share memory: they
/// begin at one address, or both are gapless and overlap. Interleaved tensors
/// (packed layouts) pass.
heddle_error *checkApart(const BoundTensor &Output, const BoundTensor &Other);

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_TENSORCHECK_H
