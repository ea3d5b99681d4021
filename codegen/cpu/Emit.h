// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_EMIT_H
#define HEDDLE_CODEGEN_CPU_EMIT_H

#include "codegen/Target.h"

namespace heddle::cpu {

/// Code for the architecture of this machine. What a function may use beyond
/// its baseline is said by the function's own target attributes, so that one
/// object holds code of several levels.
std::unique_ptr<Emitter> createEmitter();

/// Triple and data layout of that code.
void setModuleAttributes(mlir::ModuleOp Module);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_EMIT_H
