// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel function of a linear attention under construction: its arguments,
// the stretches of tokens that it works on, and short words for the verbs.

#ifndef HEDDLE_PASSES_LINEARFRAME_H
#define HEDDLE_PASSES_LINEARFRAME_H

#include "passes/KernelFrame.h"

namespace heddle {

/// Consecutive tokens that the rows of a tile stand for.
struct TokenTile {
  mlir::Value row;   ///< That of the first one in a view.
  mlir::Value first; ///< Its absolute position.
  mlir::Value end;   ///< The position behind the last that exists; null where
                     ///< all of the tile do.
  int64_t size = 0;  ///< Rows of the tile.
};

/// The sizes of a recurrence in a kernel.
struct LinearSizes {
  int64_t inputs = 0;   ///< Features of q and k in memory.
  int64_t mapped = 0;   ///< Features whose products scores are.
  int64_t features = 0; ///< Features of the state.
  int64_t values = 0;   ///< Features of v and o.
};

class LinearFrame : public KernelFrame {
public:
  LinearFrame(mlir::func::FuncOp source, const KernelSpec &spec);

  ViewValue stateIn, stateOut, sumsIn, sumsOut, factor;
  LinearSizes sizes;

  mlir::Value open(llvm::StringRef kind, mlir::TypeRange extra = {},
                   mlir::TypeRange results = {}) override;
  /// Ends the function; what a loop would repeat goes in front of it.
  void close();

  attn::RecurrenceOp recurrence() const { return spec.recurrence; }
  bool hasSums() const { return recurrence().hasSums(); }
  bool hasMagnitude() const { return recurrence().hasMagnitude(); }
  bool hasDelta() const { return recurrence().hasDelta(); }
  bool erasesFirst() const { return recurrence().erasesFirst(); }
  /// Features of the state that are one tile.
  int64_t partFeatures() const {
    return isExpanded() ? sizes.features : sizes.inputs;
  }
  bool isExpanded() const { return !recurrence().getExpand().isNone(); }
  /// True if another device than the processor is to run the kernel.
  bool isForDevice() const;
  attn::DecayKind decay() const { return recurrence().decayKind(); }
  /// The length of the softmax window, null where there is none.
  mlir::Value window() const;
  /// Tokens of a chunk.
  int64_t chunk() const { return queryTile(); }
  ViewValue k() const { return sources.front().k; }
  ViewValue v() const { return sources.front().v; }
  mlir::Value numQueries() { return dim(tile::Axis::Position, q); }
  mlir::Value numKeys() const { return sources.front().numKeys; }
  /// Keys before the one that query 0 stands at: the row of k of a token is its
  /// row of q and this.
  mlir::Value keysAhead();

  using Carried = llvm::SmallVector<mlir::Value>;
  /// Calls `body` for the stretches of `size` tokens of rows [begin, end), the
  /// last one maybe shorter; it gets the tokens and what is carried, and
  /// returns what to carry on. Row 0 has position `zero`.
  Carried forEachTile(
      mlir::Value begin, mlir::Value end, mlir::Value zero, int64_t size,
      mlir::ValueRange inits,
      llvm::function_ref<Carried(const TokenTile &, mlir::ValueRange)> body);

  mlir::Value load(ViewValue view, int64_t rows, mlir::Value row);
  /// The rows of tokens.
  mlir::Value load(ViewValue view, const TokenTile &tokens);
  void store(mlir::Value tile, ViewValue view, mlir::Value row);
  mlir::Value transpose(mlir::Value tile);
  /// A vector as one row.
  mlir::Value asRow(mlir::Value vector) { return transpose(vector); }
  /// The sum of every row (along 1) or column (along 0).
  mlir::Value sum(mlir::Value tile, int64_t along);
  mlir::Value scores(mlir::Value q, mlir::Value k);
  /// o + p v; without an o, p v.
  mlir::Value product(mlir::Value o, mlir::Value p, mlir::Value v,
                      mlir::Value bits = {});
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value subtract(mlir::Value x, mlir::Value y);
  mlir::Value element(mlir::Value vector);
  /// A function of the elements of tiles: `body` gets an f32 per input, then
  /// row and column counted from those given, and returns an f32. It may use
  /// values from outside.
  using MapBody = llvm::function_ref<mlir::Value(
      mlir::ValueRange, mlir::Value row, mlir::Value column)>;
  mlir::Value map(llvm::ArrayRef<int64_t> shape, mlir::ValueRange inputs,
                  MapBody body, mlir::Value row = {}, mlir::Value column = {});

  // Scalars in a map or outside of it.
  mlir::Value less(mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y);

private:
  /// That of k and v. What divides is moved out of no loop: it might be by 0.
  mlir::Value headOfKeys;
};

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARFRAME_H
