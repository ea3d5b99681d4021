// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel with a state is a few dozen verbs, whole chunks and the last one
// each with code of their own: thousands of loops and branches, over which the
// assembler takes seconds. In such a kernel tiles lie in memory, so that little
// is in registers between two verbs, and a verb is a function as well as not.

#ifndef HEDDLE_CODEGEN_NV_SHAREDCODE_H
#define HEDDLE_CODEGEN_NV_SHAREDCODE_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace heddle::nv {

/// Makes functions of `Pieces`, operations of `Kernel` without results, where
/// the kernel is a large one; those that do the same at other places become one
/// function. Pieces that are small, or see memory of no known space, stay.
void shareCode(mlir::LLVM::LLVMFuncOp Kernel,
               llvm::ArrayRef<mlir::Operation *> Pieces);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_SHAREDCODE_H
