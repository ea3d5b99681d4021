// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row of an attention.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_ROW_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_ROW_H

#include "dialect/attn/reference/Problem.h"

namespace heddle::attn {

/// Everything about one row, one element per kept key: sources one after the
/// other, keys in ascending order.
struct RowResult {
  /// scale * (q . k), rotated where the pattern rotates.
  std::vector<double> Products;
  /// What the score region makes of them.
  std::vector<double> Scores;
  std::vector<double> Weights;
  /// Factors on the weights; empty where no source has any.
  std::vector<double> Factors;
  double Max = 0;
  double Lse = 0;
  /// What a feature of the row is where its summands cancel by no more than
  /// chance: the largest root over features of the sum of their squares. 0 for
  /// rows of `NarrowRow` features and more, of which one is as large.
  double Spread = 0;
};

/// Features of which so few may all cancel by chance.
constexpr int64_t NarrowRow = 16;

/// Keys and values of one key head of one sequence as gapless doubles, keys
/// (Keys, Depth), rotated where the pattern rotates, values (Keys, Width).
struct KeyHead {
  std::vector<double> K;
  std::vector<double> V;
};

/// Widens and rotates. Fails where a position lies outside of the tables.
llvm::Expected<KeyHead> readKeyHead(const Variant &Pattern,
                                    const AttentionProblem &Problem,
                                    size_t Source, int64_t B, int64_t Head);

/// What one source gives to a row.
struct RowSource {
  const KeyHead *Head;
  llvm::ArrayRef<KeyRun> Kept;
};

/// Row I of head H of sequence B; `Out` receives as many elements as a value
/// has. Fails where a region does.
llvm::Error attendRow(const Variant &Pattern, const AttentionProblem &Problem,
                      int64_t B, int64_t H, int64_t I,
                      llvm::ArrayRef<RowSource> Sources,
                      Program::Scratch &Registers, RowResult &Row, double *Out);

/// Makes weights of the scores of a row, and its log-sum-exp. `Kept` and
/// `Position`, the query's, matter to the grouped softmax only; `SinkLogit` to
/// a softmax with a sink.
void weigh(const Normalization &How, llvm::ArrayRef<KeyRun> Kept,
           int64_t Position, std::optional<double> SinkLogit, RowResult &Row);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_ROW_H
