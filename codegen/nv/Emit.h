// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_EMIT_H
#define HEDDLE_CODEGEN_NV_EMIT_H

#include "codegen/Target.h"

namespace heddle::nv {

/// On a kernel in the LLVM dialect: threads of a CTA, and bytes of dynamic
/// shared memory (i64 both).
inline constexpr llvm::StringLiteral ThreadsAttr = "nv.threads";
inline constexpr llvm::StringLiteral SharedBytesAttr = "nv.shared_bytes";
inline constexpr llvm::StringLiteral WorkspaceBytesAttr = "nv.workspace_bytes";

/// PTX of modules whose `tile.device` is a level of this target, and code of
/// the machine itself where there is a ptxas.
std::unique_ptr<Emitter> createEmitter();

/// Triple and data layout of that code.
void setModuleAttributes(mlir::ModuleOp Module);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_EMIT_H
