// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels that carry a state, from the tile level to the code of a CTA. One CTA
// works off a head of a sequence, chunk by chunk. Every tile lies in memory
// that all threads see, as f32; a verb is worked on by all threads of the CTA,
// which meet where one may need what another has written.

#ifndef HEDDLE_CODEGEN_NV_STATELOWERING_H
#define HEDDLE_CODEGEN_NV_STATELOWERING_H

#include "codegen/nv/KernelCode.h"
#include "codegen/nv/TileArena.h"
#include "dialect/tile/Tile.h"
#include "llvm/ADT/DenseMap.h"

namespace heddle::nv {

class StateLowering : public KernelCode {
public:
  /// As of KernelCode; a "task" of a kernel with a state.
  StateLowering(mlir::func::FuncOp Kernel, mlir::Block *Entry,
                tile::KernelKind Kind, const Config &C);

  mlir::LogicalResult run();

  int64_t sharedBytes() const { return Arena->sharedBytes(); }
  /// Bytes of the workspace of one CTA.
  int64_t workspaceBytes() const { return Arena->workspaceBytes(); }

private:
  using KernelCode::lower;
  mlir::LogicalResult lowerBlock(mlir::Block &Block);
  /// Remembers what a verb made of itself since `Before`, which was the last
  /// operation where the builder stands, null for none.
  void collectPieces(mlir::Operation *Before);
  mlir::LogicalResult lowerOp(mlir::Operation *Op);

  // Tiles (StateTiles.cpp).
  const MemoryTile &get(mlir::Value V) const { return Tiles.find(V)->second; }
  void define(mlir::Value V, const MemoryTile &Is);
  /// Memory for a tile of that type.
  MemoryTile allocate(mlir::Value Like, bool Transposed = false);
  /// Memory for a result: that of `V`, which is of its type, where nobody needs
  /// `V` after `User`, else memory of its own, laid out alike.
  MemoryTile successor(mlir::Value V, mlir::Operation *User);
  /// True if `User` is the last to see the memory of a tile of its own block,
  /// and sees it through one operand only.
  bool endsLife(mlir::Operation *User, mlir::Value V) const;
  /// Gives back what nobody needs after `Op`.
  void releaseAfter(mlir::Operation *Op);
  void findLastUses(mlir::Block &Block);
  void copy(const MemoryTile &From, const MemoryTile &To);

  // Loops (StateControl.cpp). A carried tile has memory of its own, in which
  // its value is wherever control arrives.
  Values carriedScalars(mlir::ValueRange Carried);
  mlir::SmallVector<mlir::Type> scalarTypes(mlir::ValueRange Carried);
  /// A tile that is carried, in memory that nobody else needs.
  struct CarriedTile {
    MemoryTile Tile;
    /// An outer loop carries it too.
    bool IsOuter;
  };
  using CarriedTiles = mlir::SmallVector<CarriedTile>;
  CarriedTiles takeOver(mlir::ValueRange Carried, mlir::Operation *User);
  /// Gives tiles the place they are expected in.
  void moveTiles(mlir::ValueRange Carried, llvm::ArrayRef<CarriedTile> To);
  /// What is bound `Inside` of a loop is given back by nobody there.
  void bind(mlir::ValueRange Old, mlir::ValueRange NewScalars,
            llvm::ArrayRef<CarriedTile> NewTiles, bool Inside);
  mlir::LogicalResult lower(mlir::scf::ForOp Op);
  mlir::LogicalResult lower(mlir::scf::WhileOp Op);
  mlir::LogicalResult lower(mlir::scf::IfOp Op);

  // Verbs (StateVerbs.cpp).
  void lower(tile::LoadOp Op);
  void lower(tile::StoreOp Op);
  void lower(tile::LoadTableOp Op);
  void lower(tile::FillOp Op);
  void lower(tile::TransposeOp Op);
  void lower(tile::RowOp Op);
  void lower(tile::ElementOp Op);
  void lower(tile::ScaleOp Op);
  void lower(tile::RescaleOp Op);
  mlir::LogicalResult lowerElementwise(mlir::Operation *Op);
  mlir::LogicalResult lower(tile::MapOp Op);
  /// `Result` is `F` of the elements of `V`, in its memory where that is free.
  using ElementFunction = llvm::function_ref<mlir::Value(
      mlir::Value X, mlir::Value Row, mlir::Value Column)>;
  void mapElements(mlir::Value Result, mlir::Value V, mlir::Operation *User,
                   llvm::ArrayRef<MemoryTile> Further, ElementFunction F);

  // Pairs and rows of them (StateScores.cpp).
  /// i1: whether a pair is kept.
  mlir::Value isKept(tile::BitsOp Bits, mlir::Value Row, mlir::Value Column);
  void lower(tile::ScoresOp Op);
  void lower(tile::AccumulateOp Op);
  void lower(tile::MaskOp Op);
  void lower(tile::SoftmaxStepOp Op);
  void lower(tile::FinishOp Op);

  // Sums and products over tokens (StateSums.cpp).
  void lower(tile::ReduceOp Op);
  void lower(tile::DecaysOp Op);
  void lower(tile::DecayedScoresOp Op);
  void lower(tile::CumulateOp Op);
  void lower(tile::SolveOp Op);
  void lower(tile::ExpandOp Op);

  std::optional<TileArena> Arena;
  llvm::DenseMap<mlir::Value, MemoryTile> Tiles;
  /// The value that gives memory back when it is no longer needed, by place;
  /// null for the memory of what a loop carries.
  llvm::DenseMap<int, mlir::Value> Owners;
  llvm::DenseMap<mlir::Operation *, mlir::SmallVector<mlir::Value>> LastUses;
  /// What verbs are made of, for functions; see SharedCode.h.
  mlir::SmallVector<mlir::Operation *> Pieces;
  /// The size of a CTA's workspace, known at the end.
  mlir::arith::ConstantOp WorkspaceSize;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_STATELOWERING_H
