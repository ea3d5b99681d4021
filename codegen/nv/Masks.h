// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which pairs of a tile are kept, as bits: one register holds those of a row
// and 32 columns.

#ifndef HEDDLE_CODEGEN_NV_MASKS_H
#define HEDDLE_CODEGEN_NV_MASKS_H

#include "codegen/nv/Fragment.h"

namespace heddle::nv {

/// Bits of a word.
constexpr int64_t WordBits = 32;

/// The pairs of a tile that are kept, of a thread's elements.
struct KeptBits {
  FragmentLayout Of;
  /// i1, the same in all threads: false where all are kept. Null where that is
  /// unknown.
  mlir::Value IsPartial;
  /// i32, words() of them per row statistic. A thread's element in column
  /// `c + lane`, where `lane` is what its lane contributes to the column, is
  /// bit c % 32 of word c / 32; other bits are anything. Empty where all are
  /// kept.
  NvBuilder::Values Words;

  int64_t words() const { return roundUp(Of.Columns, WordBits) / WordBits; }
  /// The words of a row.
  llvm::ArrayRef<mlir::Value> row(int64_t Stat) const {
    return llvm::ArrayRef(Words).slice(Stat * words(), words());
  }
  /// i1: is the element of a register kept?
  mlir::Value keeps(NvBuilder &B, int64_t Register) const;
};

/// The bits of a tile that is given element by element, i1.
KeptBits packBits(NvBuilder &B, const Fragment &Bits);

/// `X` where a pair is kept, else `Other`.
Fragment selectKept(NvBuilder &B, const Fragment &X, const KeptBits &Bits,
                    float Other);

/// Moves the words of a row on by eight columns; `Next` (i32, eight bits; may
/// be null) takes the place of what would follow the last.
void shiftColumns(NvBuilder &B, llvm::MutableArrayRef<mlir::Value> Words,
                  mlir::Value Next = {});

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_MASKS_H
