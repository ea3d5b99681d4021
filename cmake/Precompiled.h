// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What most files of the compiler include, read once per build instead of once
// per file: MLIR's headers are three quarters of the time of compiling a file.
// No file may rely on it (build with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON to
// see).

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
