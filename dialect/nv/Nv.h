// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `nv` dialect: how tiles get through the shared memory of a CTA.
//
//   ring = stages of slots
//   pipeline ring
//     produce: walk to the next live tile; start its copies; say which it is
//     consume: products of the tile, masks where its status asks for them

#ifndef HEDDLE_DIALECT_NV_NV_H
#define HEDDLE_DIALECT_NV_NV_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/nv/NvDialect.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/nv/NvTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/nv/NvOps.h.inc"

namespace heddle::nv {

/// The dynamic shared memory of a kernel, an external symbol without size.
inline constexpr llvm::StringLiteral kSharedSymbol = "heddle_shared";
/// On a kernel function: bytes of dynamic shared memory and threads of a CTA,
/// and bytes of global memory that each CTA has for its own where it takes any
/// (i64).
inline constexpr llvm::StringLiteral kSharedBytesAttr = "nv.shared_bytes";
inline constexpr llvm::StringLiteral kThreadsAttr = "nv.threads";
inline constexpr llvm::StringLiteral kWorkspaceBytesAttr = "nv.workspace_bytes";

/// Slots and rings lie at multiples of so many bytes.
inline constexpr int64_t kSlotAlignment = 128;

} // namespace heddle::nv

#endif // HEDDLE_DIALECT_NV_NV_H
