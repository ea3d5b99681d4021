// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The window of a recurrence in which keys count by softmax.

#ifndef HEDDLE_PASSES_LINEARWINDOW_H
#define HEDDLE_PASSES_LINEARWINDOW_H

#include "passes/LinearChunk.h"

namespace heddle {

/// Keys behind the window lag behind their queries by its length: some come
/// before the first query, and the first queries may have none.
struct WindowBounds {
  mlir::Value shift;   ///< From a query's row to that of the last such key.
  mlir::Value early;   ///< Keys behind the window of the first query.
  mlir::Value without; ///< Queries that have none.
  mlir::Value keyZero; ///< The position of row 0 of the keys.
};
WindowBounds findWindowBounds(LinearFrame &frame);

class LinearWindow {
public:
  explicit LinearWindow(LinearFrame &frame) : frame(frame), b(frame.b) {}

  /// Adds what the queries have from their windows to their sums over the other
  /// keys.
  void join(ChunkSums &sums, const TokenTile &queries);
  /// The same for one query, whose values are a column; keys and then values
  /// run along the lanes. `z`, a number, is null without a normaliser.
  void joinToken(mlir::Value &num, mlir::Value &z, const TokenTile &query);

private:
  /// Weighted values, maxima and sums of weights of the rows.
  struct Softmax {
    mlir::Value o, m, l;
  };
  Softmax run(const TokenTile &queries);
  /// Values x 1, and numbers.
  Softmax runToken(const TokenTile &query);

  LinearFrame &frame;
  mlir::ImplicitLocOpBuilder &b;
};

} // namespace heddle

#endif // HEDDLE_PASSES_LINEARWINDOW_H
