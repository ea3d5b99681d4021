// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of tiles in memory, by all threads of a CTA.

#ifndef HEDDLE_CODEGEN_NV_MEMORYPRODUCTS_H
#define HEDDLE_CODEGEN_NV_MEMORYPRODUCTS_H

#include "codegen/nv/MemoryTile.h"

#include <functional>
#include <optional>

namespace heddle::nv {

/// To = From + Left Right.
struct MemoryProduct {
  MemoryTile Left, Right, To;
  /// May be the memory of `To`, laid out alike; without it every element
  /// begins with `Start`.
  std::optional<MemoryTile> From;
  float Start = 0;
  /// i1: whether element (row, column) of `Left` takes part in sums; pairs that
  /// do not add nothing, whatever the elements are. Empty where all do.
  std::function<mlir::Value(mlir::Value Row, mlir::Value Column)> IsKept;
  /// Elements come from f16 or bf16, as they are.
  bool LeftIsExact = false, RightIsExact = false;

  /// What an element of the result begins with; `Exists` (i1, null for
  /// certainly) is false for one that only stands for another, which nobody may
  /// read while that one is written.
  mlir::Value start(NvBuilder &B, mlir::Value Row, mlir::Value Column,
                    mlir::Value Exists) const;
};

void emitMemoryProduct(NvBuilder &B, const MemoryProduct &P);

/// What `F` makes of the values of all lanes of a warp, in all of them.
mlir::Value
reduceWarp(NvBuilder &B, mlir::Value X,
           llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> F);

/// Numbers below `Count` by turns of a warp's lanes: what `F` makes of what
/// `Read` reads for a lane's numbers, one after the other, beginning with
/// `Start`.
mlir::Value
foldByLanes(NvBuilder &B, int64_t Count, mlir::Value Start,
            llvm::function_ref<mlir::Value(mlir::Value Number)> Read,
            llvm::function_ref<mlir::Value(mlir::Value Number, mlir::Value Read,
                                           mlir::Value X)>
                F);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_MEMORYPRODUCTS_H
