// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_INTERPRETER_H
#define HEDDLE_FRONTENDS_HEDDLE_INTERPRETER_H

#include "dialect/attn/reference/Trace.h"
#include "frontends/common/Run.h"
#include "frontends/heddle/Commands.h"

#include "mlir/IR/BuiltinOps.h"

namespace heddle::cli {

/// The view of a tensor whose sequences may lie one after the other.
heddle_view viewOf(const frontend::Tensor &T,
                   const std::vector<int64_t> &Offsets);

/// The factor on q.k that the kernel gets: rounded to f32.
double scaleOf(const frontend::RunOptions &Options,
               const frontend::Problem &Sizes);

/// The interpreter's answer to a run's problem.
class Interpreter {
public:
  /// `Values` and `Data` must outlive it.
  static Result<Interpreter> create(Compiler &With, const LoadedPattern &Loaded,
                                    const frontend::RunOptions &Options,
                                    const frontend::Problem &Sizes,
                                    const frontend::PatternValues &Values,
                                    const frontend::RunTensors &Data);

  llvm::Expected<attn::ReferenceResult>
  compute(const frontend::TensorTypes &Types) const {
    attn::ReferenceOptions Options;
    Options.ColumnSums = Types.ColumnSums;
    Options.BlockQ = Types.BlockQ;
    Options.BlockK = Types.BlockK;
    return attn::computeReference(Meaning, Asked, Options);
  }
  llvm::Expected<attn::RowTrace> trace(const attn::TracePoint &Point) const {
    return attn::traceRow(Meaning, Asked, Point);
  }

  /// Compares outputs and counts with the interpreter's; `Why` says what
  /// differs. `Rounded` is what o may differ by if that is more than usual.
  ErrorText check(const frontend::Problem &Sizes,
                  const frontend::TensorTypes &Types,
                  const frontend::OutputTensors &Data, frontend::Report &Out,
                  std::string &Why, double Rounded = 0,
                  bool RoundsScores = false) const;

private:
  Interpreter(Source From, attn::Variant Meaning)
      : From(std::move(From)), Meaning(std::move(Meaning)) {}

  Source From;
  attn::Variant Meaning;
  attn::AttentionProblem Asked;
  std::vector<int64_t> Origins;
};

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_INTERPRETER_H
