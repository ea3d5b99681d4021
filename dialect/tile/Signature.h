// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel functions of the tile level: their kinds, and how their arguments
// are numbered.

#ifndef HEDDLE_DIALECT_TILE_SIGNATURE_H
#define HEDDLE_DIALECT_TILE_SIGNATURE_H

#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>

namespace heddle::tile {

/// What a kernel function computes; see `tile.kernel`.
enum class KernelKind { Task, State, Step, Columns, Count, Check, Slice };

std::optional<KernelKind> findKernelKind(llvm::StringRef Name);

/// True for the functions of a kernel that carries a state.
bool isLinear(mlir::func::FuncOp Kernel);

/// How the arguments of a tile-level kernel are numbered.
struct Signature {
  /// q, k, v, o, state_in, state_out, sums_in, sums_out and factor.
  static constexpr unsigned NumLinearViews = 9;

  Signature(mlir::FunctionType Type, KernelKind Kind);

  /// Kinds with an argument behind the parameters.
  static bool hasLast(KernelKind Kind) {
    return Kind == KernelKind::Count || Kind == KernelKind::Columns;
  }

  /// Of attention: q, k and v per source, o, lse, row_max, column_sums and
  /// block_max per source.
  unsigned numViews() const { return Origin - FirstView; }
  unsigned numSources() const { return (numViews() - 4) / 4; }
  /// k of the first source, o, and what follows it.
  unsigned firstKeys() const { return FirstView + 1; }
  unsigned output() const { return firstKeys() + 2 * numSources(); }
  unsigned lse() const { return output() + 1; }
  unsigned rowMax() const { return output() + 2; }
  unsigned scale() const { return Origin + 1; }
  unsigned firstParam() const { return Origin + 2; }

  unsigned FirstView, Origin;
  /// Behind the last parameter.
  unsigned End;
};

/// Checks the kind, the signature and the shape of a kernel function.
mlir::LogicalResult checkKernel(mlir::func::FuncOp Kernel, KernelKind Kind);

/// True if the value is a tile: a tensor of static shape.
bool isTile(mlir::Value V);
/// True if the value is a run-time table or set.
bool isTableOrSet(mlir::Value V);

} // namespace heddle::tile

#endif // HEDDLE_DIALECT_TILE_SIGNATURE_H
