// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of Sets.h on integers, for one pattern with its parameters and
// number of keys: what pictures, counts and tests ask.

#ifndef HEDDLE_DIALECT_ATTN_HOSTSETS_H
#define HEDDLE_DIALECT_ATTN_HOSTSETS_H

#include "dialect/attn/Formula.h"
#include "heddle/abi.h"

namespace heddle::attn {

enum class TileStatus { Empty = 0, Partial = 1, Full = 2 };

/// The token grids of a pattern as numbers of the parameters that are their
/// extents, outermost axis first; empty for plain sequences.
struct Grid {
  llvm::SmallVector<unsigned, 3> query, key;

  unsigned axes() const { return query.empty() ? 1 : query.size(); }
};
Grid gridOf(PatternOp pattern);

class HostPattern {
public:
  /// A formula over integers alone, on plain sequences; `params` in the order
  /// of the pattern's parameters.
  HostPattern(FormulaAttr formula, int64_t numKeys,
              llvm::ArrayRef<int64_t> params);
  /// `operands`: one per parameter; tables and sets must outlive the pattern.
  HostPattern(FormulaAttr formula, Grid grid, int64_t numKeys,
              llvm::ArrayRef<heddle_operand> operands);

  /// `keep(b, h, q, k)`, false for keys outside [0, numKeys). On a token grid q
  /// and k number the tokens row by row.
  bool contains(int64_t b, int64_t h, int64_t q, int64_t k) const;

  struct Answer {
    TileStatus status;
    /// First key, along the innermost axis, of a later tile (a multiple of the
    /// tile's width) where the status may change; beyond every key when it
    /// never does.
    int64_t until;
  };
  /// Queries [q0, q0 + queries) and keys [k0, k0 + keys), k0 a multiple of
  /// `keys`; a tile that reaches past the last key is never full. Plain
  /// sequences only.
  Answer at(int64_t b, int64_t h, int64_t q0, int64_t queries, int64_t k0,
            int64_t keys) const;
  /// The boxes of these extents at these coordinates, outermost axis first.
  Answer at(int64_t b, int64_t h, llvm::ArrayRef<int64_t> q0,
            llvm::ArrayRef<int64_t> queries, llvm::ArrayRef<int64_t> k0,
            llvm::ArrayRef<int64_t> keys) const;

  /// Keep-bits of keys k0 … k0 + 63 for one query, key k0 in bit 0.
  uint64_t bits(int64_t b, int64_t h, int64_t q, int64_t k0) const;

  int64_t getNumKeys() const { return numKeys; }
  /// The formula with the end of the keys in it.
  FormulaAttr getFormula() const { return formula; }
  const Grid &getGrid() const { return grid; }
  /// The extents of the grid of queries or keys, outermost first; for a plain
  /// sequence of keys their number.
  llvm::SmallVector<int64_t, 3> queryExtents() const;
  llvm::SmallVector<int64_t, 3> keyExtents() const;

private:
  uint64_t formulaBits(FormulaAttr formula, int64_t b, int64_t h, int64_t q,
                       int64_t k0) const;

  FormulaAttr formula;
  Grid grid;
  int64_t numKeys;
  llvm::SmallVector<heddle_operand> operands;
  /// The integer parameters, 0 in place of the others.
  llvm::SmallVector<int64_t> params;
};

/// The formula and-ed with the end of the keys, `k < n`, or on a token grid
/// with that of every axis: what kernels and counts work with.
FormulaAttr boundByKeys(FormulaAttr formula,
                        llvm::ArrayRef<unsigned> keyGrid = {});
FormulaAttr boundByKeys(FormulaAttr formula, PatternOp pattern);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_HOSTSETS_H
