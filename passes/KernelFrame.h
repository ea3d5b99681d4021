// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel function at the tile level under construction: its arguments, and
// the steps that several kinds of kernel have in common.

#ifndef HEDDLE_PASSES_KERNELFRAME_H
#define HEDDLE_PASSES_KERNELFRAME_H

#include "dialect/attn/Emit.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/KernelSpec.h"

namespace heddle {

/// log2(e) and its inverse: scores under a softmax are kept in units of log2,
/// where the exponential is cheap.
inline constexpr float kLog2E = 1.44269504088896340736f;
inline constexpr float kLn2 = 0.693147180559945309417f;

/// The queries of one tile.
struct QueryTile {
  /// Absolute coordinates of the first one, outermost axis first.
  llvm::SmallVector<mlir::Value> first;
  /// Where they are in a view: the first row, or on a token grid the tokens.
  mlir::Value rows;
  /// How many of the leading rows can be queries; on a grid the others among
  /// them are told by their coordinates.
  mlir::Value count;
};

/// The keys of one tile, and which pairs with queries it is responsible for.
struct KeyTile {
  /// The first key, one coordinate per axis; none for a list.
  llvm::SmallVector<mlir::Value> first;
  /// The tokens, null for a box of keys.
  mlir::Value listed;
  /// Where they are in a view: the first row or the tokens.
  mlir::Value rows;
  mlir::Value status;
  attn::FormulaAttr formula;
  /// The formula's parameters.
  llvm::SmallVector<mlir::Value> params;
};

using ViewValue = mlir::TypedValue<attn::ViewType>;

class KernelFrame {
public:
  /// Functions are put before `source`, the function with the attention.
  KernelFrame(mlir::func::FuncOp source, const KernelSpec &spec);
  virtual ~KernelFrame() = default;

  const KernelSpec &spec;
  mlir::ImplicitLocOpBuilder b;

  // Arguments of the function, see the `tile` dialect.
  mlir::Value batch, head, tile, origin, scale;
  ViewValue q, o, lse, rowMax;
  struct Source {
    ViewValue k, v, columnSums, blockMax;
    mlir::Value numKeys;
    /// The values of its pattern's parameters.
    llvm::SmallVector<mlir::Value> params;
  };
  llvm::SmallVector<Source> sources;
  llvm::SmallVector<mlir::Value> params; ///< Of the kernel.

  /// Starts `<source>_<kind>` and binds the arguments; returns the first extra
  /// one, if any.
  virtual mlir::Value open(llvm::StringRef kind, mlir::TypeRange extra,
                           mlir::TypeRange results);

  int64_t queryTile() const { return schedule().getQueryTile(); }
  int64_t keyTile() const { return schedule().getKeyTile(); }
  /// The most query heads that a task takes.
  int64_t taskHeads() const { return schedule().getHeads(); }
  /// Extents of the tiles along every axis.
  llvm::SmallVector<int64_t> queryBox() const;
  llvm::SmallVector<int64_t> keyBox() const;
  mlir::RankedTensorType tileType(llvm::ArrayRef<int64_t> shape);
  /// Tiles of scores.
  mlir::RankedTensorType pairType() {
    return tileType({queryTile(), keyTile()});
  }

  mlir::Value constant(int64_t value);
  mlir::Value constant(float value);
  mlir::Value fill(mlir::RankedTensorType type, float value);
  mlir::Value dim(tile::Axis axis, mlir::Value view);
  /// The status of a key tile, as a constant.
  mlir::Value constantStatus(tile::Status status);

  /// How many tiles the queries of a sequence have.
  mlir::Value numQueryTiles();
  /// Tile number `number` of the queries.
  QueryTile buildQueryTile(mlir::Value number);
  /// The first key of tile number `number`, one coordinate per axis.
  llvm::SmallVector<mlir::Value> firstKeyOf(mlir::Value number);
  /// The key tile that starts at `first`.
  KeyTile buildKeyTile(unsigned source, mlir::ValueRange first,
                       mlir::Value status);

  /// Rows of q, rotated if the source's pattern says so, times `factor`.
  mlir::Value loadQueries(unsigned source, const QueryTile &queries,
                          mlir::Value factor);
  mlir::Value loadKeys(unsigned source, const KeyTile &keys);
  mlir::Value loadValues(unsigned source, const KeyTile &keys);
  /// Query heads of a group share a head of k and v.
  mlir::Value keyHead(unsigned source);

  mlir::Value buildBits(unsigned source, const QueryTile &queries,
                        const KeyTile &keys);
  /// Iteration over the live tiles of a formula.
  mlir::Value buildTiles(unsigned source, attn::FormulaAttr formula,
                         const QueryTile &queries);
  attn::EmittedStatus emitStatus(unsigned source, attn::FormulaAttr formula,
                                 const QueryTile &queries,
                                 mlir::ValueRange firstKey);
  /// Coordinates of a formula of the source; queries and keys are for the
  /// caller to add.
  attn::Coordinates coordinates(unsigned source);

  /// The formula, for queries that exist only: on a token grid those outside of
  /// it are excluded. On a plain sequence it is `QueryTile::count` that tells.
  attn::FormulaAttr ofExistingQueries(unsigned source,
                                      attn::FormulaAttr formula);

protected:
  /// Starts the function; its arguments are those of all kernels of the kind
  /// but for `types`, which lie between the coordinates of the task and origin,
  /// and `extra`, which come last.
  mlir::Block *start(llvm::StringRef kind, mlir::TypeRange types,
                     mlir::TypeRange extra, mlir::TypeRange results);
  /// Gives every source the parameters of its pattern.
  void bindSources();

  mlir::func::FuncOp kernel; ///< The one under construction.

private:
  attn::ScheduleAttr schedule() const { return spec.entry.getSchedule(); }
  llvm::SmallVector<mlir::Value> extents(llvm::ArrayRef<int64_t> grid);
  /// Where box number `number` of a grid begins.
  llvm::SmallVector<mlir::Value> boxStart(mlir::Value number,
                                          llvm::ArrayRef<mlir::Value> extents,
                                          llvm::ArrayRef<int64_t> box);
  mlir::Value rotate(unsigned source, mlir::Value rows, mlir::Value at,
                     bool isSame = false);

  mlir::func::FuncOp function;
  llvm::SmallVector<std::unique_ptr<attn::OperandAccess>> accesses;
};

} // namespace heddle

#endif // HEDDLE_PASSES_KERNELFRAME_H
