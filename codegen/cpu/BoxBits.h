// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bits of a box of keys. Windows look at one axis at a time: what a formula
// says about the rows of a box and what it says about its columns is asked once
// per row and column, not once per key, and a key has the bits that both have.

#ifndef HEDDLE_CODEGEN_CPU_BOXBITS_H
#define HEDDLE_CODEGEN_CPU_BOXBITS_H

#include "codegen/cpu/Masks.h"

#include <optional>
#include <vector>

namespace heddle::cpu {

/// A formula as connectives of parts that look at keys along one axis each.
class BoxBits {
public:
  /// Nothing for keys that are no box, or where an atom looks at several axes.
  static std::optional<BoxBits> find(const BitsSource &Bits);

  /// Bytes of memory for the words of the parts.
  int64_t bytes(KernelBuilder &B) const;
  /// Writes the words of a tile, [key][vector].
  void emit(KernelBuilder &B, mlir::Value Memory, mlir::Value To) const;

private:
  /// `Axis` counts from the outermost one.
  struct Part {
    attn::FormulaAttr Formula;
    size_t Axis;
  };
  /// A part, or a connective.
  struct Node {
    attn::FormulaKind Kind;
    std::vector<Node> Operands;
    size_t Part;
  };

  explicit BoxBits(const BitsSource &Bits) : Bits(Bits) {}
  size_t axes() const { return Bits.At.KeyBox.size(); }
  /// Nothing where it looks at several.
  std::optional<size_t> axisOf(attn::FormulaAttr Formula) const;
  Node addPart(attn::FormulaAttr Formula, size_t Axis);
  std::optional<Node> add(attn::FormulaAttr Formula);

  /// Words of the keys that share all but the innermost coordinate.
  int64_t runWords(KernelBuilder &B) const;
  mlir::Value table(KernelBuilder &B, mlir::Value Memory, size_t Part) const;
  void emitPart(KernelBuilder &B, const Part &P, mlir::Value Table) const;
  /// For the keys at outer coordinates `At`, of which there are as many as axes
  /// but one, from the outermost on; `Number` counts those keys' runs.
  void emitRuns(KernelBuilder &B, mlir::Value Memory, mlir::Value To,
                llvm::SmallVectorImpl<mlir::Value> &At,
                mlir::Value Number) const;
  mlir::Value combine(KernelBuilder &B, const Node &N,
                      llvm::function_ref<mlir::Value(size_t)> WordOf) const;

  const BitsSource &Bits;
  llvm::SmallVector<Part> Parts;
  Node Root;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_BOXBITS_H
