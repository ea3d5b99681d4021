// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row of an attention, laid open: `--trace b=0,h=3,q=17`.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_TRACE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_TRACE_H

#include "dialect/attn/reference/Reference.h"
#include "llvm/Support/raw_ostream.h"

namespace heddle::attn {

/// Sequence, query head, and row of q (not an absolute position).
struct TracePoint {
  int64_t B = 0;
  int64_t H = 0;
  int64_t Q = 0;
};

/// Reads "b=0,h=3,q=17" in any order; b and h may be left out and are then 0.
llvm::Expected<TracePoint> parseTracePoint(llvm::StringRef Text);

/// What a row keeps of one source.
struct TraceSource {
  std::string Pattern;
  int64_t KeyHead = 0;
  int64_t NumKeys = 0;
  std::vector<KeyRun> Kept;
};

/// Everything the reference computes for one row. The arrays have one element
/// per kept key: sources one after the other, keys in ascending order.
struct RowTrace {
  std::string Pattern;
  TracePoint Point;
  /// Absolute position of the query.
  int64_t Position = 0;
  std::vector<TraceSource> Sources;
  /// scale * (q . k), and what the score region makes of it; the same where
  /// there is none.
  std::vector<double> Products;
  std::vector<double> Scores;
  std::vector<double> Weights;
  /// Factors on the weights; empty when the pattern has none.
  std::vector<double> Factors;
  std::vector<double> Output;
  /// Largest of `Scores`, -infinity when there are none.
  double RowMax = 0;
  double Lse = 0;
  /// Whether some source has a score region, and whether weights have a
  /// log-sum-exp.
  bool HasScore = false;
  bool HasLse = true;
};

/// Fails when the point lies outside the problem, when the problem is
/// ill-formed, and where a region cannot be evaluated.
llvm::Expected<RowTrace> traceRow(const Variant &Pattern,
                                  const AttentionProblem &Problem,
                                  const TracePoint &Point);

/// A table at most `Width` columns wide. Of many keys it shows the heaviest,
/// and says how many it left out.
void printTrace(const RowTrace &Trace, llvm::raw_ostream &Os,
                unsigned Width = 100);
/// All of it, as one JSON object. Values that are not finite are the strings
/// "nan", "inf" and "-inf".
void printTraceJson(const RowTrace &Trace, llvm::raw_ostream &Os);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_TRACE_H
