// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of Sets.h on integers, for one pattern with its parameters and
// number of keys: what pictures, counts and tests ask.

#ifndef HEDDLE_DIALECT_ATTN_HOSTSETS_H
#define HEDDLE_DIALECT_ATTN_HOSTSETS_H

#include "dialect/attn/Formula.h"

namespace heddle::attn {

enum class TileStatus { Empty = 0, Partial = 1, Full = 2 };

class HostPattern {
public:
  /// `params` in the order of the pattern's parameters.
  HostPattern(FormulaAttr formula, int64_t numKeys,
              llvm::ArrayRef<int64_t> params);

  /// `keep(b, h, q, k)`, false for keys outside [0, numKeys).
  bool contains(int64_t b, int64_t h, int64_t q, int64_t k) const;

  struct Answer {
    TileStatus status;
    /// First key of a later tile (a multiple of `keys`) where the status may
    /// change; beyond every key when it never does.
    int64_t until;
  };
  /// Queries [q0, q0 + queries) and keys [k0, k0 + keys), k0 a multiple of
  /// `keys`; a tile that reaches past the last key is never full.
  Answer at(int64_t b, int64_t h, int64_t q0, int64_t queries, int64_t k0,
            int64_t keys) const;

  /// Keep-bits of keys k0 … k0 + 63 for one query, key k0 in bit 0.
  uint64_t bits(int64_t b, int64_t h, int64_t q, int64_t k0) const;

  int64_t getNumKeys() const { return numKeys; }
  /// The formula with the end of the keys in it.
  FormulaAttr getFormula() const { return formula; }

private:
  uint64_t formulaBits(FormulaAttr formula, int64_t b, int64_t h, int64_t q,
                       int64_t k0) const;

  FormulaAttr formula;
  int64_t numKeys;
  llvm::SmallVector<int64_t> params;
};

/// The formula and-ed with `k < n`: what kernels and counts work with.
FormulaAttr boundByKeys(FormulaAttr formula);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_HOSTSETS_H
