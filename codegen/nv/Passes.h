// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_PASSES_H
#define HEDDLE_CODEGEN_NV_PASSES_H

#include "dialect/nv/Nv.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace heddle::nv {
#define GEN_PASS_DECL
#include "codegen/nv/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/nv/Passes.h.inc"
} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_PASSES_H
