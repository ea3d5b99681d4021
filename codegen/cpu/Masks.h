// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of bits: one integer word per key and vector of queries, made from the
// pattern's formula and turned back into vectors of i1 where a verb uses them.

#ifndef HEDDLE_CODEGEN_CPU_MASKS_H
#define HEDDLE_CODEGEN_CPU_MASKS_H

#include "codegen/cpu/TileCoordinates.h"
#include "codegen/cpu/Tiles.h"
#include "codegen/lanes/IndexAccess.h"
#include "dialect/tile/Tile.h"

namespace heddle::cpu {

/// A `tile.bits` whose operands have been lowered.
struct BitsSource {
  attn::FormulaAttr Formula;
  mlir::RankedTensorType Type;
  TileCoordinates At;
  mlir::Value NumKeys;
  /// i64, or pointers to tables and sets; null for reals.
  mlir::SmallVector<mlir::Value> Params;
  /// Every bit is one.
  bool Full = false;
  /// For what a formula is made of (BoxBits.h), where it is taken apart.
  mlir::Value Parts;
};

/// Asks a formula, that of the tile or a part of it.
class FormulaBits {
public:
  FormulaBits(KernelBuilder &B, const BitsSource &Bits,
              attn::FormulaAttr Formula);

  /// The words of one key for several vectors of queries, by coordinates.
  KernelBuilder::Values
  words(llvm::ArrayRef<llvm::SmallVector<mlir::Value>> Queries,
        const llvm::SmallVector<mlir::Value> &Key);

private:
  /// Whether the key exists; null where the formula says so itself.
  mlir::Value exists(llvm::ArrayRef<mlir::Value> Key);

  KernelBuilder &B;
  const BitsSource &Bits;
  attn::FormulaAttr Formula;
  ParameterAccess Access;
  mlir::SmallVector<mlir::Value> Integers;
};

/// Writes the words of a tile: [key][vector].
void emitBits(KernelBuilder &B, const BitsSource &Bits, const Buffer &To);

/// The number of ones in rows [0, Rows), as i64.
mlir::Value emitCount(KernelBuilder &B, const Tile &Bits, mlir::Value Rows);
/// The same where every bit is one.
mlir::Value emitCountOfOnes(KernelBuilder &B, mlir::RankedTensorType Type,
                            mlir::Value Rows);

/// The keys of a tile that have ones, rounded to multiples of `Granule`, which
/// divides their number.
KeySpan emitKeySpan(KernelBuilder &B, mlir::RankedTensorType Type,
                    const Buffer &Bits, int64_t Granule);

/// The mask of the vector at `Word`, which points to a mask word.
mlir::Value loadMask(KernelBuilder &B, mlir::Value Word);

/// Scores with -inf where the bit is zero, for some of the keys.
void emitMask(KernelBuilder &B, mlir::RankedTensorType Type,
              const KeySpan &Keys, const Buffer &Scores, const Buffer &Bits,
              const Buffer &To);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_MASKS_H
