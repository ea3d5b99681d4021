// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One walk over a kernel at the tile level that builds the CPU function beside
// it. Scalars go through a value map, tiles through a map to where they live;
// every verb is lowered on its own.

#ifndef HEDDLE_CODEGEN_CPU_TILELOWERING_H
#define HEDDLE_CODEGEN_CPU_TILELOWERING_H

#include "codegen/cpu/Masks.h"
#include "codegen/cpu/MicroKernel.h"
#include "codegen/cpu/Procedures.h"
#include "codegen/cpu/Tiles.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

#include <array>

namespace heddle::cpu {

class TileLowering {
public:
  /// `Kernel` is a checked kernel function, `Entry` the empty first block of
  /// the new function, with the arguments of the C ABI.
  TileLowering(mlir::func::FuncOp Kernel, mlir::Block *Entry, bool IsCount,
               const Shape &S, Procedures &Shared);

  mlir::LogicalResult run();

  /// Bytes of workspace that the body uses.
  int64_t workspaceBytes() const { return Scratch->size(); }

private:
  using Values = KernelBuilder::Values;

  // The function's frame.
  void mapArguments();
  mlir::LogicalResult lowerReturn(mlir::func::ReturnOp Op);
  mlir::Value viewField(mlir::Value View, size_t Field);
  mlir::Value viewData(mlir::Value View);
  mlir::Value viewShape(mlir::Value View, unsigned Axis);
  mlir::Value viewStride(mlir::Value View, unsigned Axis);
  mlir::Value rowAddress(mlir::Value View, mlir::Value Batch, mlir::Value Head,
                         mlir::Value Row);

  // Scalars.
  mlir::Value scalar(mlir::Value V) { return Scalars.lookup(V); }
  mlir::Value scalarI64(mlir::Value V) { return B.toI64(scalar(V)); }
  mlir::LogicalResult lowerBlock(mlir::Block &Block);
  mlir::LogicalResult lowerOp(mlir::Operation *Op);
  mlir::LogicalResult lowerScalarOp(mlir::Operation *Op);

  // Tiles.
  /// The tile stored along the lanes; puts it there if need be.
  Buffer stored(mlir::Value V);
  /// The rows of a key-side tile; `AllExist` when the user vouches for them.
  RowView rows(mlir::Value V, bool AllExist);
  /// Where a result of `User` goes that has the shape of its operand `V`.
  Buffer successor(mlir::Value V, mlir::Operation *User);
  void define(mlir::Value V, const Buffer &Data);
  Buffer allocate(mlir::Value V);
  BitsSource bitsSource(tile::BitsOp Op);
  void callProduct(llvm::StringRef Verb, Product P);

  void lower(tile::DimOp Op);
  void lower(tile::LoadOp Op);
  void lower(tile::StoreOp Op);
  void lower(tile::FillOp Op);
  void lower(tile::ScaleOp Op);
  void lower(tile::ScoresOp Op);
  void lower(tile::BitsOp Op);
  void lower(tile::CountOp Op);
  void lower(tile::MaskOp Op);
  void lower(tile::SoftmaxStepOp Op);
  void lower(tile::RescaleOp Op);
  void lower(tile::AccumulateOp Op);
  void lower(tile::FinishOp Op);

  // Control flow (ControlFlow.cpp). Tiles leave the lists of carried values:
  // each becomes a buffer that every iteration leaves its value in.
  mlir::LogicalResult lower(mlir::scf::ForOp Op);
  mlir::LogicalResult lower(mlir::scf::WhileOp Op);
  mlir::LogicalResult lower(mlir::scf::IfOp Op);
  Values carriedScalars(mlir::ValueRange Carried);
  /// A buffer of its own for each tile among `Values`, with its value, as far
  /// as `User` ends their lives the one they already have.
  mlir::SmallVector<Buffer> takeOver(mlir::ValueRange Values,
                                     mlir::Operation *User);
  /// Moves the tiles among `Values` to the buffers, all at the same time.
  void moveTiles(mlir::ValueRange Values, llvm::ArrayRef<Buffer> To);
  void bind(mlir::ValueRange Old, mlir::ValueRange NewScalars,
            llvm::ArrayRef<Buffer> NewTiles);

  mlir::func::FuncOp Kernel;
  mlir::Block *Entry;
  bool IsCount;
  KernelBuilder B;
  Procedures &Shared;
  std::optional<Workspace> Scratch;
  mlir::IRMapping Scalars;
  llvm::DenseMap<mlir::Value, Tile> Tiles;
  /// Bits that are all one and of which nobody wants more than the number.
  llvm::DenseSet<mlir::Value> CountedOnes;
  /// Byte offset of a view argument in the argument structure.
  llvm::DenseMap<mlir::Value, size_t> ViewOffsets;
  llvm::DenseMap<size_t, mlir::Value> Fields;
};

/// Checks the signature and the shape of a kernel function.
mlir::LogicalResult checkKernel(mlir::func::FuncOp Kernel, bool IsCount);

/// True if the value is a tile.
bool isTile(mlir::Value V);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TILELOWERING_H
