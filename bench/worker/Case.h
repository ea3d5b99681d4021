// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One problem that the worker holds ready: compiled, planned, with
// its tensors, checked, and timed as often as the driver asks.

#ifndef HEDDLE_BENCH_WORKER_CASE_H
#define HEDDLE_BENCH_WORKER_CASE_H

#include "bench/worker/RowCheck.h"
#include "frontends/common/Run.h"
#include "frontends/heddle/KernelArguments.h"

#include "llvm/Support/JSON.h"

#include <optional>

namespace heddle::bench {

class Case {
public:
  /// Does everything that comes before the first timed launch. Reads from
  /// `Asked`: "file", and, each optional, "pattern", "shape", "set" (a list),
  /// "dtype", "output_dtype", "layout", "threads", "origin", "level",
  /// "check_rows".
  ErrorText prepare(Compiler &With, const llvm::json::Object &Asked);

  /// Sizes, tiles, FLOP, bytes, times of preparation, and the check.
  llvm::json::Object facts() const;

  /// Launches back to back until `AtLeastMs` have passed, at least once.
  /// Answers with the mean as "ms", the number as "launches", and, `WithPlan`,
  /// the time of planning anew before as "plan_ms".
  ErrorText time(double AtLeastMs, bool WithPlan, llvm::json::Object &Out);

  /// Reads k and v once on as many threads, and answers with "ms" and
  /// "gb_per_s".
  ErrorText readKeys(llvm::json::Object &Out) const;

  /// Writes q, k, v and o to .npy files in a directory, and the operands by
  /// their names: tables as they are, sets as maps.
  ErrorText save(const std::string &Directory) const;

  /// Whether the output is still, bit by bit, the one that was checked.
  bool isUnchanged() const;

private:
  ErrorText loadSizes(Compiler &With, const llvm::json::Object &Asked);
  ErrorText compile(Compiler &With, const llvm::json::Object &Asked);
  ErrorText check(Compiler &With, int64_t Rows);
  ErrorText checkLinear();
  ErrorText plan();
  uint64_t hashOutput() const;

  // Plans are destroyed before the code they run.
  frontend::RunOptions Options;
  std::string Dtype, OutputDtype;
  std::optional<cli::Asked> What;
  std::optional<Program> Code;
  frontend::TensorTypes Types;
  frontend::RunTensors Data;
  frontend::Runner Main;
  frontend::Report Facts;
  RowCheck Checked;
  double CompileMilliseconds = 0;
  uint64_t CheckedHash = 0;
};

/// A number for JSON, which has no infinities and no NaN: those are strings.
llvm::json::Value toJson(double Number);

} // namespace heddle::bench

#endif // HEDDLE_BENCH_WORKER_CASE_H
