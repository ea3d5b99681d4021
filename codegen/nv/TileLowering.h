// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One walk over a kernel at the tile level that builds the function of a CTA
// beside it. Scalars go through a value map, tiles through a map to what they
// are on the device; every verb is lowered on its own. All threads run all of
// the code: scalars are uniform.

#ifndef HEDDLE_CODEGEN_NV_TILELOWERING_H
#define HEDDLE_CODEGEN_NV_TILELOWERING_H

#include "codegen/nv/KernelCode.h"
#include "codegen/nv/Rotate.h"
#include "codegen/nv/SharedMemory.h"
#include "codegen/nv/TileValue.h"

#include <optional>

namespace heddle::nv {

/// Operands of a verb that looks at coordinates, lowered (i64).
struct Coordinates {
  mlir::Value Batch, Head;
  /// Of the first query and key, one per axis, outermost first; no key where
  /// there is a list.
  mlir::SmallVector<mlir::Value> FirstQuery, FirstKey;
  /// Extents of boxes; empty for consecutive queries and keys.
  mlir::SmallVector<int64_t> QueryBox, KeyBox;
  /// Tokens of the keys where they are listed.
  std::optional<Places> Listed;

  /// Coordinates of a row and of a column (i32) of the CTA's tile.
  mlir::SmallVector<mlir::Value> query(NvBuilder &B, mlir::Value Row) const;
  mlir::SmallVector<mlir::Value> key(NvBuilder &B, mlir::Value Column) const;
};

/// Tokens of a list in shared memory, i64 each, `Count` of them; what follows
/// is none.
Places listedPlaces(mlir::Value List, int64_t Count);
/// Entries of the list that an operation collects, and its bytes.
int64_t listLength(tile::CollectOp Op);
int64_t listBytes(tile::CollectOp Op);

/// Whether nobody looks at the rows of `V` from `At` on.
bool isDoneBefore(mlir::Value V, mlir::Operation *At);

class TileLowering : public KernelCode {
public:
  /// `Kernel` is a checked kernel function, "task" or "columns"; `Entry` the
  /// empty first block of the new function, whose argument is the block of a
  /// launch (heddle_device_launch).
  TileLowering(mlir::func::FuncOp Kernel, mlir::Block *Entry,
               tile::KernelKind Kind, const Config &C);

  mlir::LogicalResult run();

  int64_t sharedBytes() const { return Shared.size(); }

private:
  /// Row 0 of head `Head` of sequence `Batch` and what follows it; tokens are
  /// those of `Row`, an index or a list.
  RowSource rowSource(mlir::Value View, mlir::Value Batch, mlir::Value Head,
                      mlir::Value Row);

  using KernelCode::lower;
  /// Stores to the tensor, or where rows of packed code are split to the task's
  /// room (PackedRows.cpp).
  void storePacked(tile::StoreOp Op);
  RowSource partialRows(mlir::Value View, mlir::Value Row);
  void storeTile(mlir::Value Tile, const RowSource &To);
  mlir::LogicalResult lowerBlock(mlir::Block &Block) {
    return lowerOps({Block.begin(), Block.end()});
  }
  mlir::LogicalResult lowerOps(llvm::iterator_range<mlir::Block::iterator> Ops);
  mlir::LogicalResult lowerOp(mlir::Operation *Op);

  // Tiles.
  template <typename T> const T &get(mlir::Value V) const {
    return std::get<T>(Tiles.find(V)->second);
  }
  void define(mlir::Value V, TileValue Is) { Tiles[V] = std::move(Is); }
  /// The layout of a tile of queries with so many columns.
  FragmentLayout layout(int64_t Columns) const;
  FragmentLayout layout(mlir::Value V) const;
  /// A fragment or the statistics of rows, element by element.
  TileValue map(const TileValue &X,
                llvm::function_ref<mlir::Value(mlir::Value)> F);
  /// What a load asks for; rows that pad its tile do not exist.
  RowSource loadSource(tile::LoadOp Load);
  /// Rows of a load, complete for all threads.
  SharedTile stage(tile::LoadOp Load);
  /// A copy of its own for the operation that makes `Owner` of them.
  SharedTile stageFor(mlir::Value Owner, tile::LoadOp Load);
  SharedTile sharedTile(tile::LoadOp Load, mlir::Value Base);
  /// Gives a tile of rows its value, also as an operand if it is one.
  void defineRows(mlir::Value V, StagedRows Rows);
  Places places(mlir::Value Row);
  Rotation rotation(tile::RotateOp Op);

  // Rows that come in slices (SlicedRows.cpp).
  bool isSliced() const { return B.config().Slice > 0; }
  SharedTile reserveSlice(tile::LoadOp Load, int64_t Features, bool &IsFree);
  void copySlice(const StagedRows &Rows, mlir::Value First, int64_t Features,
                 const SharedTile &To);
  Fragment slicedScores(const StagedRows &Queries, const StagedRows &Keys);
  /// Calls `Add` with the columns of `O` that a slice of values belongs to.
  void forEachValueSlice(
      const StagedRows &Values, Fragment &O,
      llvm::function_ref<void(Fragment &, const SharedTile &)> Add);

  void lower(tile::PositionsOp Op);
  mlir::LogicalResult lower(tile::CollectOp Op);
  /// Writes the tokens of a list that nobody reads, all threads together, there
  /// for all of them; gives the next cursor (index).
  mlir::FailureOr<mlir::Value> collect(tile::CollectOp Op, mlir::Value List);
  void lower(tile::LoadOp Op);
  void lower(tile::StoreOp Op);
  void lower(tile::FillOp Op);
  void lower(tile::ScaleOp Op);
  void lower(tile::RotateOp Op);
  void lower(tile::ScoresOp Op);
  void lower(tile::BitsOp Op);
  void lower(tile::MaskOp Op);
  mlir::LogicalResult lower(tile::ModifyOp Op);
  void lower(tile::RegroupOp Op);
  void lower(tile::SoftmaxStepOp Op);
  void lower(tile::RescaleOp Op);
  void lower(tile::AccumulateOp Op);
  void lower(tile::FinishOp Op);
  void lower(tile::WeightsOp Op);
  void lower(tile::AddColumnsOp Op);
  void lower(tile::RaiseBlocksOp Op);
  mlir::LogicalResult lowerElementwise(mlir::Operation *Op);

  /// Operands of a verb of pairs.
  template <typename Op> Coordinates coordinates(Op Verb);

  // Control flow (ControlFlow.cpp). A carried tile is the list of its
  // registers.
  mlir::LogicalResult lower(mlir::scf::ForOp Op);
  mlir::LogicalResult lower(mlir::scf::WhileOp Op);
  mlir::LogicalResult lower(mlir::scf::IfOp Op);
  /// The values that are carried for `Carried`, and false where one of them
  /// cannot be.
  mlir::FailureOr<Values> flatten(mlir::Operation *For,
                                  mlir::ValueRange Carried);
  /// Gives `Old` the values `New`; the tiles are like `Like`.
  void bind(mlir::ValueRange Old, mlir::ValueRange Like, mlir::ValueRange New);

  // Loops over key tiles (LiveTiles.cpp, GatheredTiles.cpp).
  mlir::LogicalResult lower(tile::ForeachOp Op);
  /// No value for a loop that does not gather columns.
  std::optional<mlir::LogicalResult> lowerGather(mlir::scf::WhileOp Op);
  friend class KeyPipeline;
  friend class JoinedTiles;

  SharedMemory Shared;
  llvm::DenseMap<mlir::Value, TileValue> Tiles;
  /// Positive factors that scores are still to be multiplied with.
  llvm::DenseMap<mlir::Value, mlir::Value> Factors;
  /// Where the rows of a load arrive without its doing.
  llvm::DenseMap<mlir::Operation *, SharedTile> Slots;
  /// Where a load puts its rows, behind a barrier: those that were there are
  /// done with.
  llvm::DenseMap<mlir::Operation *, mlir::Value> Turns;
  /// Copies of a load's rows and what was made of them.
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> Copies;
  /// Operations of a loop that have been lowered before it.
  llvm::DenseSet<mlir::Operation *> Hoisted;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TILELOWERING_H
