// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/RecurrenceCheck.h"

#include "dialect/attn/reference/CompareLinear.h"
#include "frontends/heddle/Interpreter.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

/// Puts a comparison into the report. A disagreement that has no size, such as
/// a NaN against a number, counts as infinite.
static CheckResult toReport(const attn::Comparison &Found) {
  using attn::ComparedOutput;
  CheckResult Result;
  Result.Against = "the interpreter";
  Result.LargestO = Found.error(ComparedOutput::O);
  Result.HasMore = true;
  Result.LargestMore = std::max(Found.error(ComparedOutput::State),
                                Found.error(ComparedOutput::Sums));
  if (!Found.passed() && Result.passed())
    (Found.FirstFailure->Output == ComparedOutput::O ? Result.LargestO
                                                     : Result.LargestMore) =
        std::numeric_limits<double>::infinity();
  return Result;
}

ErrorText cli::checkRecurrence(const Asked &What, const RunOptions &Options,
                               const RunTensors &Data, Report &Out,
                               std::string &Why) {
  const Problem &Sizes = What.Sizes;
  mlir::FailureOr<attn::Recurrence> Meaning = attn::Recurrence::compile(
      mlir::cast<attn::RecurrenceOp>(mlir::SymbolTable::lookupSymbolIn(
          What.Loaded.From.module(), What.Loaded.Name)));
  if (mlir::failed(Meaning))
    return fmt::format("cannot interpret recurrence '@{}'", What.Loaded.Name);
  llvm::Expected<attn::OperandList> Operands =
      attn::OperandList::read(What.Values.data(), Meaning->params());
  if (!Operands)
    return llvm::toString(Operands.takeError());

  auto ViewOf = [](const Tensor &T) {
    return T.exists() ? T.view() : heddle_view();
  };
  const std::vector<int64_t> Origins(static_cast<size_t>(Sizes.Batch),
                                     Options.Origin);
  attn::LinearProblem Asked;
  Asked.Q = viewOf(Data.Q, Sizes.CuSeqlensQ);
  Asked.K = viewOf(Data.K, Sizes.CuSeqlensK);
  Asked.V = viewOf(Data.V, Sizes.CuSeqlensK);
  Asked.Type = Data.Q.dtype();
  Asked.StateIn = ViewOf(Data.State);
  Asked.SumsIn = ViewOf(Data.Sums);
  Asked.Origin = Origins;
  Asked.Params = std::move(*Operands);
  Asked.Scale = scaleOf(Options, Sizes);
  llvm::Expected<attn::LinearResult> Expected =
      attn::evaluateLinear(*Meaning, Asked);
  if (!Expected)
    return "the interpreter cannot run the recurrence: " +
           llvm::toString(Expected.takeError());

  const heddle_view State = ViewOf(Data.Out.State),
                    Sums = ViewOf(Data.Out.Sums);
  attn::LinearViews Views;
  Views.O = Data.Out.O.view();
  Views.Type = Data.Out.O.dtype();
  Views.State = Data.Out.State.exists() ? &State : nullptr;
  Views.Sums = Data.Out.Sums.exists() ? &Sums : nullptr;
  const attn::Tolerance Allowed{CheckTolerance};
  llvm::Expected<attn::Comparison> Found =
      attn::compareLinear(*Expected, Views, Allowed);
  if (!Found)
    return llvm::toString(Found.takeError());
  Out.Check = toReport(*Found);
  llvm::raw_string_ostream Text(Why);
  if (!Found->passed())
    Found->print(Text, Allowed);
  else if (Expected->KeptPairs != Out.Stats.kept_pairs)
    Text << "the runtime counts " << Out.Stats.kept_pairs
         << " pairs, the interpreter " << Expected->KeptPairs;
  return std::nullopt;
}
