// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running one kernel on one problem, as `heddle run` and `heddle-run` do:
//
//   parseSettings                       what --set says
//   collectShape, solveShape            sizes from the options
//   PatternValues::make                 the values of the parameters
//   (compile, or open a bundle)         a heddle_kernel
//   checkMemory, checkOutputs           failures before the long work
//   Runner::prepare                     the plan
//   loadTensors                         inputs read or made, outputs allocated
//   Runner::run                         count, launch, time
//   (check, and put the result into the report)
//   writeOutputs                        the .npy files appear, all or none

#ifndef HEDDLE_FRONTENDS_COMMON_RUN_H
#define HEDDLE_FRONTENDS_COMMON_RUN_H

#include "frontends/common/Accelerator.h"
#include "frontends/common/Inputs.h"
#include "frontends/common/Report.h"
#include "frontends/common/RunOptions.h"
#include "frontends/common/Values.h"
#include "heddle/heddle.h"

#include <memory>

namespace heddle::frontend {

/// The message of a runtime error, which is freed; nothing for success.
ErrorText toText(heddle_error *Error);

/// What a compiled kernel reads and writes, of the outputs that options ask
/// for. Fails when it does not compute one of them.
ErrorText kernelTypes(const heddle_entry &Entry, const RunOptions &Options,
                      TensorTypes &Out);

/// Plans and launches one kernel for one problem. Everything that it refers to
/// (bundle, options, values) must outlive it.
class Runner {
public:
  /// Starts the threads and plans the problem, on a device unless that is null.
  /// `Code` null means the best level that this machine, or the device, can
  /// run.
  ErrorText prepare(const heddle_kernel *Kernel, const heddle_code *Code,
                    const Problem &Sizes, const PatternValues &Values,
                    const RunOptions &Options,
                    const Accelerator *Device = nullptr);

  /// Launches once, into `Out`.
  ErrorText launch(const RunTensors &Inputs, OutputTensors &Out);
  /// The same; `Seconds` gets one more, of a device by its own clock.
  ErrorText launch(const RunTensors &Inputs, OutputTensors &Out,
                   std::vector<double> &Seconds);

  /// Launches `Options.repeat` times into the tensors' own outputs and fills
  /// the report: counts, times (of a device those of its own clock), and on the
  /// processor its peak on as many threads.
  ErrorText run(RunTensors &Data, Report &Out);

  /// Launches in turn with `Dense`, which has every pair of the same problem
  /// kept, `Options.repeat` times each, and puts both times into the report.
  ErrorText runBeside(Runner &Dense, OutputTensors &DenseOut, RunTensors &Data,
                      Report &Out);

  /// What a report says about the recurrence that was planned.
  RecurrenceReport describeRecurrence(bool IsContinued,
                                      const heddle_stats &Stats) const;

  /// By how much o may differ from what it should be because of roundings that
  /// a device does; 0 on the processor.
  double rounding() const;
  /// Products round their operands, so that all outputs differ by as much.
  bool isTf32() const;

  const heddle_code &code() const { return *heddle_plan_code(Plan.get()); }
  const heddle_plan *plan() const { return Plan.get(); }
  heddle_pool *pool() const { return Pool.get(); }
  /// One value per sequence, as --origin says.
  const std::vector<int64_t> &origins() const { return Origins; }

private:
  struct Destroy {
    void operator()(heddle_plan *P) const { heddle_plan_destroy(P); }
    void operator()(heddle_pool *P) const { heddle_pool_destroy(P); }
  };

  const heddle_entry *Entry = nullptr;
  const RunOptions *Options = nullptr;
  Problem Sizes;
  const PatternValues *Values = nullptr;
  std::vector<int64_t> Origins;
  std::unique_ptr<heddle_pool, Destroy> Pool;
  std::unique_ptr<heddle_plan, Destroy> Plan;
  double PlanMilliseconds = 0;
  const Accelerator *On = nullptr;
  AcceleratedPlan There;
};

/// Checks that the files of all outputs can be written.
ErrorText checkOutputs(const RunOptions &Options);

/// Writes the files of all outputs; when it fails, none has appeared unless the
/// system failed between two renames.
ErrorText writeOutputs(const RunOptions &Options, const OutputTensors &Data);

/// Writes to standard output, and fails where it cannot (a full disk).
ErrorText printText(const std::string &Text);

/// Prints the report to standard output as text or JSON.
ErrorText printReport(const RunOptions &Options, const Report &R);

/// The median; the mean of the middle two for an even number. Not empty.
double median(std::vector<double> Values);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_RUN_H
