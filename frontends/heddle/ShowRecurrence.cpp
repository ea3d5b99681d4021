// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/ShowRecurrence.h"

#include "dialect/attn/reference/Recurrence.h"
#include "frontends/common/Report.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/bit.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

using namespace heddle;
using namespace heddle::cli;
using namespace heddle::frontend;

namespace {

/// Evaluates the decay region of one head.
class FactorReader {
public:
  FactorReader(attn::Recurrence Meaning, attn::PredicatePoint At,
               bool IsConstant, int64_t Channels)
      : Meaning(std::move(Meaning)), At(std::move(At)), IsConstant(IsConstant) {
    for (int64_t C = 0; C < Channels; ++C)
      Features.push_back(C);
  }

  llvm::Error read(int64_t Position, llvm::MutableArrayRef<double> Out) {
    if (IsConstant && IsKnown) {
      Out[0] = Constant;
      return llvm::Error::success();
    }
    const attn::Program &Code = *Meaning.decay();
    At.Q = Position;
    if (llvm::Error Bad = Code.prepare(At, Registers))
      return Bad;
    for (size_t Begin = 0; Begin < Features.size();
         Begin += attn::Program::StripLength) {
      const llvm::ArrayRef<int64_t> Strip =
          llvm::ArrayRef(Features).drop_front(Begin).take_front(
              attn::Program::StripLength);
      if (llvm::Error Bad = Code.run(At, Strip, nullptr, Registers))
        return Bad;
      for (size_t I = 0; I < Strip.size(); ++I)
        Out[Begin + I] =
            std::exp(llvm::bit_cast<double>(Code.output(0, Registers)[I]));
    }
    Constant = Out[0];
    IsKnown = true;
    return llvm::Error::success();
  }

private:
  attn::Recurrence Meaning;
  attn::PredicatePoint At;
  attn::Program::Scratch Registers;
  std::vector<int64_t> Features;
  bool IsConstant, IsKnown = false;
  double Constant = 0;
};

} // namespace

/// As the runtime wants them.
static ErrorText checkKeys(const LoadedPattern &From, const Problem &Sizes) {
  const RecurrenceInfo &Info = *From.Info.Recurrence;
  if (!Info.IsCausal || Sizes.SeqK == Sizes.SeqQ ||
      (Info.WindowParam && Sizes.SeqK > Sizes.SeqQ))
    return std::nullopt;
  return fmt::format("'sk' is {}, expected {}{}: '@{}' is causal", Sizes.SeqK,
                     Info.WindowParam ? "at least " : "", Sizes.SeqQ,
                     From.Name);
}

static void describe(const LoadedPattern &From, const ShowOptions &Options,
                     const Problem &Sizes, const PatternValues &Values,
                     DecayProblem &Out) {
  const RecurrenceInfo &Info = *From.Info.Recurrence;
  Out.Name = From.Name;
  for (size_t I = 0; I < Values.size(); ++I) {
    const Parameter &P = Values.parameters()[I];
    const frontend::Operand &Value = Values.operand(I);
    if (P.Kind == HEDDLE_INTEGER)
      Out.Numbers.emplace_back(P.Name, std::to_string(Value.Value.integer));
    else if (P.Kind == HEDDLE_REAL)
      Out.Numbers.emplace_back(P.Name, fmt::format("{:g}", Value.Value.real));
    else
      Out.Operands.emplace_back(P.Name, Value.Summary);
  }
  Out.Queries = Sizes.SeqQ;
  Out.Keys = Sizes.SeqK;
  if (!Options.QueryTile.empty()) {
    Out.QueryTile = Options.QueryTile[0];
    Out.KeyTile = Options.KeyTile[0];
  }
  Out.B = Options.B;
  Out.H = Options.H;
  Out.Origin = Options.Origin;
  Out.IsCausal = Info.IsCausal;
  if (Info.WindowParam)
    Out.Window =
        Values.operand(static_cast<size_t>(*Info.WindowParam)).Value.integer;
  Out.StateRows = Sizes.StateRows;
  Out.StateColumns = Sizes.ValueDim;
  Out.HasSums = Sizes.HasSums;
  Out.FlopPerToken =
      stepFlop(Sizes.StateRows, Sizes.ValueDim + Sizes.HasSums, Info.HasDelta);
  Out.HeadDim = Sizes.HeadDim;
}

ErrorText cli::makeDecayProblem(const LoadedPattern &From,
                                const ShowOptions &Options,
                                const Problem &Sizes,
                                const PatternValues &Values,
                                DecayProblem &Out) {
  if (ErrorText Bad = checkKeys(From, Sizes))
    return Bad;
  describe(From, Options, Sizes, Values, Out);
  auto Op = mlir::cast<attn::RecurrenceOp>(
      mlir::SymbolTable::lookupSymbolIn(From.From.module(), From.Name));
  Out.Kind = Op.decayKind();
  if (Out.Window && *Out.Window < 0)
    return fmt::format("the window of '@{}' is {}, expected 0 or more",
                       From.Name, *Out.Window);
  mlir::FailureOr<attn::Recurrence> Meaning = attn::Recurrence::compile(Op);
  if (mlir::failed(Meaning))
    return fmt::format("cannot interpret recurrence '@{}'", From.Name);
  if (!Meaning->decay())
    return std::nullopt;
  llvm::Expected<attn::OperandList> Operands =
      attn::OperandList::read(Values.data(), Meaning->params());
  if (!Operands)
    return llvm::toString(Operands.takeError());
  const uint8_t Depends = Meaning->decay()->dependence(0);
  Out.UsesBatch = (Depends & attn::Program::OnBatch) != 0;
  Out.UsesHead = (Depends & attn::Program::OnHead) != 0;
  if (Meaning->isPerChannel())
    Out.Channels = Meaning->numMapped(Sizes.HeadDim);
  attn::PredicatePoint At;
  At.B = Options.B;
  At.H = Options.H;
  At.Params = std::move(*Operands);
  auto Reader = std::make_shared<FactorReader>(
      std::move(*Meaning), std::move(At), Out.Kind == attn::DecayKind::Constant,
      Out.Channels);
  Out.Factors = [Reader](int64_t Position, llvm::MutableArrayRef<double> Into) {
    return Reader->read(Position, Into);
  };
  return std::nullopt;
}
