// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `tile` dialect: one attention kernel, target-neutral, in value semantics.
//
// A tile is a ranked tensor of static shape. Axis 0 of a query-side tile counts
// queries, axis 0 of a key-side tile counts keys; nothing says where a tile
// lives (registers, cache, shared memory) or which way it is laid out: that is
// the target's business. A kernel reads like the paper's pseudo-code:
//
//   q = load; o, m, l = fill
//   foreach live key tile k0:
//     s = scores q, k;  s = mask s, bits
//     p, m, l, alpha = softmax_step s, m, l
//     o = accumulate (rescale o, alpha), p, v
//   o, lse = finish o, m, l;  store

#ifndef HEDDLE_DIALECT_TILE_TILE_H
#define HEDDLE_DIALECT_TILE_TILE_H

#include "dialect/attn/Attn.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/tile/TileDialect.h.inc"
#include "dialect/tile/TileEnums.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/tile/TileTypes.h.inc"
#define GET_OP_CLASSES
#include "dialect/tile/TileOps.h.inc"

namespace heddle::tile {

/// What the kernel function computes, kept on `func.func` as `tile.kernel`:
/// "task" (one query tile of output), "count" (what that task visits), "check"
/// (whether a problem's operands can be used) or "columns" (sums over queries);
/// of a recurrence "task" (a stretch of a sequence), "step" (the same, token by
/// token), "state" (what a stretch makes of the state), "slice" (a task
/// for some of the values) or "check".
inline constexpr llvm::StringLiteral kKernelAttr = "tile.kernel";
/// The `#attn.entry` a kernel function belongs to.
inline constexpr llvm::StringLiteral kEntryAttr = "tile.entry";
/// Set by the target's lowering: bytes of scratch memory a task needs (i64),
/// and the comma-separated instruction-set extensions its code needs (string).
inline constexpr llvm::StringLiteral kWorkspaceAttr = "tile.workspace";
inline constexpr llvm::StringLiteral kFeaturesAttr = "tile.features";

/// On a module inside the module: the name of the level of another device that
/// its kernel functions are for (`attn-outline-devices`).
inline constexpr llvm::StringLiteral kDeviceAttr = "tile.device";
/// On a kernel function of such a level that this machine runs all the same.
inline constexpr llvm::StringLiteral kHostAttr = "tile.host";
/// What a device's code generator leaves of its module: declarations of the
/// kernels, each with its resources (dictionary: what a launch asks for, and
/// what is known of the code), and the code itself on the module (dictionary).
inline constexpr llvm::StringLiteral kResourcesAttr = "tile.resources";
inline constexpr llvm::StringLiteral kCodeAttr = "tile.code";
/// Entries of both: integers, and strings of bytes.
inline constexpr llvm::StringLiteral kThreads = "threads";
inline constexpr llvm::StringLiteral kSharedBytes = "shared_bytes";
inline constexpr llvm::StringLiteral kWorkspaceBytes = "workspace_bytes";
inline constexpr llvm::StringLiteral kTarget = "target";
inline constexpr llvm::StringLiteral kArch = "arch";
inline constexpr llvm::StringLiteral kText = "text";
inline constexpr llvm::StringLiteral kBinary = "binary";

/// Status of a key tile, the second argument of a `tile.foreach` body.
enum Status : int32_t { Empty = 0, Partial = 1, Full = 2 };

} // namespace heddle::tile

#endif // HEDDLE_DIALECT_TILE_TILE_H
