// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The patterns, combinations and recurrences of a module, seen from outside.

#ifndef HEDDLE_FRONTENDS_CPP_PATTERNS_H
#define HEDDLE_FRONTENDS_CPP_PATTERNS_H

#include "dialect/attn/Attn.h"
#include "frontends/cpp/Compiler.h"

#include "mlir/IR/BuiltinOps.h"

namespace heddle {

/// The patterns that an `attn.pattern` (itself) or `attn.combine` stands for;
/// none for an `attn.recurrence`.
llvm::SmallVector<attn::PatternOp> sourcesOf(mlir::Operation *Symbol);

/// Name, parameters, sources and grid of any of the three.
PatternInfo describe(mlir::Operation *Symbol);

/// The types of the parameters that `describe` lists, in that order.
llvm::SmallVector<mlir::Type> paramTypes(mlir::Operation *Symbol);

/// The rows of the recurrence's state; fails when they are too many for the
/// head dim `Qk`.
Result<int64_t> countStateRows(attn::RecurrenceOp Recurrence, int64_t Qk);

/// Every one of the three, in the order of the text.
llvm::SmallVector<mlir::Operation *> patternsOf(mlir::ModuleOp Module);

/// The symbol and all that it uses, directly or not, in the order of the text.
llvm::SmallVector<mlir::Operation *> closureOf(mlir::ModuleOp Module,
                                               llvm::StringRef Name);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_PATTERNS_H
