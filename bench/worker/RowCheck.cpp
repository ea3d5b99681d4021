// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "bench/worker/RowCheck.h"

#include "frontends/common/Random.h"

#include <fmt/format.h>

using namespace heddle;
using namespace heddle::bench;
using namespace heddle::frontend;

static ErrorText checkAll(const cli::Interpreter &Reference,
                          const Problem &Sizes, const TensorTypes &Types,
                          const OutputTensors &Data, const Report &Facts,
                          RowCheck &Out) {
  Report Copy = Facts;
  if (ErrorText Bad = Reference.check(Sizes, Types, Data, Copy, Out.Why))
    return Bad;
  Out.Rows = Sizes.Batch * Sizes.HeadsQ * Sizes.SeqQ;
  Out.IsComplete = true;
  Out.Found = *Copy.Check;
  return std::nullopt;
}

/// The `I`-th row to look at.
static attn::TracePoint choosePoint(const Problem &Sizes, int64_t I,
                                    Mixer &Random) {
  if (I == 0)
    return {0, 0, 0};
  if (I == 1)
    return {Sizes.Batch - 1, Sizes.HeadsQ - 1, Sizes.SeqQ - 1};
  const int64_t B = Random.below(Sizes.Batch), H = Random.below(Sizes.HeadsQ);
  return {B, H, Random.below(Sizes.SeqQ)};
}

ErrorText bench::checkRows(const cli::Interpreter &Reference,
                           const Problem &Sizes, const TensorTypes &Types,
                           const OutputTensors &Data, const Report &Facts,
                           int64_t Rows, RowCheck &Out) {
  Out = {};
  if (Sizes.pairs() <= CompletePairs)
    return checkAll(Reference, Sizes, Types, Data, Facts, Out);
  Out.Found.Against = "the interpreter";
  Out.Found.Tolerance = outputTolerance(Types.Output);
  Out.Rows = std::min(Rows, Sizes.Batch * Sizes.HeadsQ * Sizes.SeqQ);
  Mixer Random(/*Seed=*/1);
  std::vector<float> Got(static_cast<size_t>(Sizes.ValueDim));
  for (int64_t I = 0; I < Out.Rows; ++I) {
    const attn::TracePoint At = choosePoint(Sizes, I, Random);
    llvm::Expected<attn::RowTrace> Want = Reference.trace(At);
    if (!Want)
      return "the interpreter cannot run the pattern: " +
             llvm::toString(Want.takeError());
    for (int64_t F = 0; F < Sizes.ValueDim; ++F)
      Got[static_cast<size_t>(F)] = Data.O.get(At.B, At.H, At.Q, F);
    const bool HasLse = Types.HasLse && Want->HasLse;
    Out.Found.addRow(At.B, At.H, At.Q, Got.data(), Want->Output.data(),
                     Sizes.ValueDim,
                     HasLse ? Data.Lse.get(At.B, At.H, At.Q, 0) : 0.0F,
                     HasLse ? Want->Lse : 0.0);
  }
  if (!Out.Found.passed())
    Out.Why = fmt::format("row b={}, h={}, q={} differs by {:.3g} in o and "
                          "{:.3g} in lse, tolerance {:.3g}",
                          Out.Found.Batch, Out.Found.Head, Out.Found.Row,
                          Out.Found.LargestO, Out.Found.LargestLse,
                          Out.Found.Tolerance);
  return std::nullopt;
}
