// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel that makes rows of the parts that tasks of packed code have left
// (heddle_device_launch).

#ifndef HEDDLE_CODEGEN_NV_MERGEKERNEL_H
#define HEDDLE_CODEGEN_NV_MERGEKERNEL_H

#include "codegen/nv/NvBuilder.h"

namespace heddle::nv {

/// Threads of a group of the kernel, which has one row.
Config mergeConfig(const Config &Packed);

/// What there is beside o.
struct MergeOutputs {
  /// The parts of a row are shares of one sum: o is merged by lse. Else by sum.
  bool HasLse = false;
  bool HasRowMax = false;
};

/// Builds the body at the end of `Entry`, whose argument is the block of a
/// launch, for rooms of packed code with the configuration `Packed`. Returns
/// the bytes of shared memory that it takes.
int64_t buildMergeKernel(mlir::Location Loc, mlir::Block *Entry,
                         const Config &Packed, MergeOutputs Outputs);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_MERGEKERNEL_H
