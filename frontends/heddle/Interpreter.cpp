// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/Interpreter.h"

#include "dialect/attn/reference/Compare.h"

#include "mlir/IR/SymbolTable.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <new>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

heddle_view cli::viewOf(const Tensor &T, const std::vector<int64_t> &Offsets) {
  heddle_view View = T.view();
  if (!Offsets.empty()) {
    View.shape[0] = static_cast<int64_t>(Offsets.size()) - 1;
    View.offsets = Offsets.data();
  }
  return View;
}

double cli::scaleOf(const RunOptions &Options, const Problem &Sizes) {
  return Options.Scale != 0
             ? Options.Scale
             : static_cast<float>(
                   1 / std::sqrt(static_cast<double>(Sizes.HeadDim)));
}

Result<Interpreter>
Interpreter::create(Compiler &With, const LoadedPattern &Loaded,
                    const RunOptions &Options, const Problem &Sizes,
                    const PatternValues &Values, const RunTensors &Data) {
  // Normalising reports what is wrong with a pattern where it is wrong; the
  // interpreter itself reads the regions, not the formula.
  Result<Source> Normal = With.normalize(Loaded.From, Loaded.Name);
  if (!Normal)
    return Normal.failure();
  mlir::FailureOr<attn::Variant> Meaning = attn::Variant::compile(
      mlir::SymbolTable::lookupSymbolIn(Normal->module(), Loaded.Name));
  if (mlir::failed(Meaning))
    return Failure(fmt::format("cannot interpret pattern '@{}'", Loaded.Name));
  llvm::Expected<attn::OperandList> Operands =
      attn::OperandList::read(Values.data(), Meaning->params());
  if (!Operands)
    return Failure(llvm::toString(Operands.takeError()));
  Interpreter Made(std::move(*Normal), std::move(*Meaning));
  attn::AttentionProblem &Asked = Made.Asked;
  Asked.Q = viewOf(Data.Q, Sizes.CuSeqlensQ);
  Asked.K = viewOf(Data.K, Sizes.CuSeqlensK);
  Asked.V = viewOf(Data.V, Sizes.CuSeqlensK);
  for (size_t I = 0; I < Data.MoreK.size(); ++I)
    Asked.More.push_back({Data.MoreK[I].view(), Data.MoreV[I].view()});
  Asked.Type = Data.Q.dtype();
  Made.Origins.assign(static_cast<size_t>(Sizes.Batch), Options.Origin);
  Asked.Origin = Made.Origins;
  Asked.Params = std::move(*Operands);
  Asked.Scale = scaleOf(Options, Sizes);
  return Made;
}

/// Block maxima of a ragged batch as one matrix per sequence: a sequence has
/// its rows after those of the one before it.
static Tensor spreadBlocks(const Tensor &Packed, const Problem &Sizes,
                           int64_t BlockQ) {
  const int64_t Heads = Packed.shape()[1], Columns = Packed.shape()[3];
  auto RowsOf = [&](int64_t B) {
    const auto I = static_cast<size_t>(B);
    return (Sizes.CuSeqlensQ[I + 1] - Sizes.CuSeqlensQ[I] + BlockQ - 1) /
           BlockQ;
  };
  int64_t Rows = 0;
  for (int64_t B = 0; B < Sizes.Batch; ++B)
    Rows = std::max(Rows, RowsOf(B));
  Tensor Result;
  if (!Result.allocate(HEDDLE_F32, Sizes.Batch, Heads, Rows, Columns,
                       Layout::Bhsd))
    throw std::bad_alloc();
  int64_t First = 0;
  for (int64_t B = 0; B < Sizes.Batch; First += RowsOf(B), ++B)
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t I = 0; I < Rows; ++I)
        for (int64_t J = 0; J < Columns; ++J)
          Result.set(B, H, I, J,
                     I < RowsOf(B) ? Packed.get(0, H, First + I, J) : 0);
  return Result;
}

/// Puts a comparison into the report. A disagreement that has no size, such as
/// a NaN against a number, counts as infinite.
static CheckResult toReport(const attn::Comparison &Found,
                            const attn::Tolerance &Allowed, bool HasMore) {
  using attn::ComparedOutput;
  CheckResult Result;
  Result.Against = "the interpreter";
  Result.Tolerance = Allowed.of(ComparedOutput::O);
  Result.Elsewhere = Allowed.Relative;
  Result.LargestO = Found.error(ComparedOutput::O);
  Result.LargestLse = Found.error(ComparedOutput::Lse);
  Result.HasMore = HasMore;
  for (ComparedOutput Output :
       {ComparedOutput::RowMax, ComparedOutput::ColumnSums,
        ComparedOutput::BlockMax})
    Result.LargestMore = std::max(Result.LargestMore, Found.error(Output));
  const std::optional<attn::ComparedElement> &Where =
      Found.FirstFailure ? Found.FirstFailure : Found.worst(ComparedOutput::O);
  if (Where) {
    Result.Batch = Where->B;
    Result.Head = Where->H;
    Result.Row = Where->Row;
  }
  if (!Found.passed() && Result.passed()) {
    const ComparedOutput Output = Found.FirstFailure->Output;
    (Output == ComparedOutput::O     ? Result.LargestO
     : Output == ComparedOutput::Lse ? Result.LargestLse
                                     : Result.LargestMore) =
        std::numeric_limits<double>::infinity();
  }
  return Result;
}

ErrorText Interpreter::check(const Problem &Sizes, const TensorTypes &Types,
                             const OutputTensors &Data, Report &Out,
                             std::string &Why, double Rounded,
                             bool RoundsScores) const {
  llvm::Expected<attn::ReferenceResult> Expected = compute(Types);
  if (!Expected)
    return "the interpreter cannot run the pattern: " +
           llvm::toString(Expected.takeError());
  // Rotated queries and keys are rounded too, and so is what they decide.
  const bool Rotates =
      llvm::any_of(Meaning.sources(), [](const attn::VariantSource &Source) {
        return Source.Rotate.has_value();
      });
  const attn::Tolerance Allowed{Rotates || RoundsScores
                                    ? std::max(CheckTolerance, Rounded)
                                    : CheckTolerance,
                                Rounded};
  auto View = [](const Tensor &T) {
    return T.exists() ? T.view() : heddle_view();
  };
  std::vector<Tensor> Blocks;
  for (const Tensor &Given : Data.BlockMax)
    Blocks.push_back(Sizes.isRagged() ? spreadBlocks(Given, Sizes, Types.BlockQ)
                                      : Given);
  const heddle_view Lse = View(Data.Lse), RowMax = View(Data.RowMax);
  std::vector<heddle_view> ColumnSums, BlockMax;
  for (const Tensor &T : Data.ColumnSums)
    ColumnSums.push_back(T.view());
  for (const Tensor &T : Blocks)
    BlockMax.push_back(T.view());
  attn::ResultViews Views;
  Views.O = Data.O.view();
  Views.Type = Data.O.dtype();
  Views.Lse = Data.Lse.exists() ? &Lse : nullptr;
  Views.RowMax = Types.RowMax ? &RowMax : nullptr;
  for (const heddle_view &Of : ColumnSums)
    Views.ColumnSums.push_back(&Of);
  for (const heddle_view &Of : BlockMax)
    Views.BlockMax.push_back(&Of);
  llvm::Expected<attn::Comparison> Found =
      attn::compare(*Expected, Views, Allowed);
  if (!Found)
    return llvm::toString(Found.takeError());
  Out.Check = toReport(*Found, Allowed,
                       Types.RowMax || Types.ColumnSums || Types.hasBlockMax());
  llvm::raw_string_ostream Text(Why);
  if (!Found->passed())
    Found->print(Text, Allowed);
  else if (Expected->KeptPairs != Out.Stats.kept_pairs)
    Text << "the kernel counts " << Out.Stats.kept_pairs
         << " kept pairs, the interpreter " << Expected->KeptPairs;
  return std::nullopt;
}
