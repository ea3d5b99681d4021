// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tasks whose rows are heads have as many as a group has, which is known when
// they run and may be one. Then the products have the features along the lanes
// (RowProducts.h), and all else is as ever.

#ifndef HEDDLE_CODEGEN_CPU_FEWROWS_H
#define HEDDLE_CODEGEN_CPU_FEWROWS_H

#include "codegen/cpu/KernelBuilder.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace heddle::cpu {

/// The tiles of a kernel that are rows, of whole vectors, while its task has
/// few of them.
struct FewRows {
  /// How many rows there are, and whether they are few: i64 and i1.
  mlir::Value Count, IsFew;
  /// Operands of `tile.scores`. They are stored along the lanes as well: the
  /// rows lie here.
  llvm::DenseMap<mlir::Value, mlir::Value> Queries;
  /// Sums of weighted values, from their first value to the end. They are
  /// stored as rows or along the lanes.
  llvm::DenseSet<mlir::Value> Sums;

  /// Finds the tiles; false if nothing of the kind can be done to them.
  bool find(mlir::func::FuncOp Kernel, const Shape &S);
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_FEWROWS_H
