// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_REPORT_H
#define HEDDLE_FRONTENDS_COMMON_REPORT_H

#include "frontends/common/Compare.h"
#include "frontends/common/Shape.h"
#include "heddle/heddle.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace heddle::frontend {

/// Floating-point operations of a token of one head: it changes a state of
/// `Rows` x `Columns` numbers, the sums counted as a column, and its output
/// reads it; under a delta rule its key reads it before. (What the rule takes
/// away counts with what it writes, also where a decay lies between them.)
double stepFlop(int64_t Rows, int64_t Columns, bool HasDelta);

/// What is said about a recurrence beyond what every run has.
struct RecurrenceReport {
  /// Numbers of the state of a head: rows x columns, and one sum per row.
  int64_t Rows = 0, Columns = 0;
  bool HasSums = false, IsCausal = true;
  /// The run began with a state that was given, not with zero.
  bool IsContinued = false;
  /// Token by token, not in chunks.
  bool IsStep = false;
  /// Tokens of a chunk; chunks of all heads; parts of a sequence that were
  /// computed side by side.
  int64_t Chunk = 0, Chunks = 0, Segments = 1;
  /// Of a chunk of one head, and of a token of one head in steps.
  double ChunkFlop = 0, StepFlop = 0;
};

/// All that is said about one run.
struct Report {
  std::string Kernel, Pattern, Level, Dtype, OutputDtype;
  /// Names and values of the parameters that are numbers, and what tables and
  /// sets hold.
  std::vector<std::pair<std::string, std::string>> Numbers, Operands;
  Problem Sizes;
  Layout Order = Layout::Bhsd;
  int64_t Origin = 0;
  int32_t Threads = 1;
  int64_t Repeat = 1;
  /// The device that ran it; empty for threads of the processor.
  std::string Device;
  /// What an emulation did in all launches: names and numbers.
  std::vector<std::pair<std::string, int64_t>> Emulated;

  heddle_stats Stats = {};
  int64_t QueryTile = 0, KeyTile = 0;
  /// Extents of the tiles on a token grid, outermost axis first.
  std::vector<int64_t> QueryBox, KeyBox;
  /// Parts that the keys of a row are split into where rows are heads (see
  /// heddle_plan_parts); else 0.
  int64_t Parts = 0;
  /// Bytes of index memory of the plan.
  int64_t PlanBytes = 0;

  /// Milliseconds per named part; empty where nothing was compiled.
  std::vector<std::pair<std::string, double>> CompileParts;
  double PlanMilliseconds = 0;
  /// The part of it that checked and prepared tables and sets.
  double IndexMilliseconds = 0;
  double MedianSeconds = 0;
  /// With every pair kept and under the pattern, launched in turn; 0 where
  /// nobody asked.
  double DenseSeconds = 0, SparseSeconds = 0;
  /// The same as `Emulated`, of dense attention; empty where it did not run.
  std::vector<std::pair<std::string, int64_t>> DenseEmulated;
  /// Measured on as many threads, GFLOP/s; 0 when unknown.
  double FmaPeak = 0;

  std::optional<CheckResult> Check;
  /// Of a recurrence, which has no tiles and kept pairs.
  std::optional<RecurrenceReport> Recurrence;

  /// Kept pairs over all (query, key) pairs; 0 when there are none.
  double density() const;
  /// 2 * kept * (d + dv).
  double usefulFlop() const;
  /// 2 * query_tile * key_tile * visited tiles * (d + dv).
  double executedFlop() const;
  double compileMilliseconds() const;
  /// The time that preparing tables and sets took, as a fraction of one launch;
  /// 0 where no time was measurable.
  double indexShare() const;
  /// Dense time * density / time: 1 where a kept pair costs what it costs in
  /// dense attention.
  double sparseEfficiency() const;
  /// The same in numbers of emulated instructions of a kind; 0 where there are
  /// none.
  double emulatedEfficiency(std::string_view Kind) const;
  /// Of a recurrence: operations of all chunks or steps, bytes of all states,
  /// and tokens of all sequences per second; 0 where no time was measurable.
  double recurrenceFlop() const;
  int64_t stateBytes() const;
  double tokensPerSecond() const;
  /// FLOP as GFLOP/s at the median time; 0 where no time was measurable.
  double rate(double Flop) const;

  std::string text() const;
  /// One object on several lines. A check's infinite difference is the string
  /// "inf": JSON has no such number.
  std::string json() const;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_REPORT_H
