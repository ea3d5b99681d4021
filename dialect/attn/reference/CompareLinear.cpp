// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/CompareLinear.h"

#include "dialect/attn/reference/Collector.h"
#include "dialect/attn/reference/Failure.h"

#include <algorithm>

using namespace heddle::attn;

namespace {

/// Summands below this are lost in f32 without a word.
constexpr double SmallestScale = 1e-30;

void compareRows(const LinearResult &Expected, const heddle_view &O,
                 heddle_dtype Type, Collector &Collect) {
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H)
      for (int64_t I = 0; I < Expected.rows(B); ++I)
        for (int64_t T = 0; T < Expected.Width; ++T)
          Collect.add(
              {ComparedOutput::O, B, H, I, T,
               readOutput(O, Type, Expected.RowOffsets, B, H, I, T),
               Expected.output(B, H, I)[T]},
              std::max(Expected.OScale[Expected.row(B, H, I)], SmallestScale));
}

void compareStates(const LinearResult &Expected, const heddle_view &View,
                   ComparedOutput Output, Collector &Collect) {
  const bool IsState = Output == ComparedOutput::State;
  const std::vector<double> &Values = IsState ? Expected.State : Expected.Sums;
  const std::vector<double> &Scales =
      IsState ? Expected.StateScale : Expected.SumsScale;
  const int64_t Width = IsState ? Expected.Width : 1;
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H) {
      double Smallest = SmallestScale;
      for (int64_t F = 0; F < Expected.StateRows; ++F)
        Smallest =
            std::max(Smallest, ScaleFloor * Scales[Expected.stateRow(B, H, F)]);
      for (int64_t F = 0; F < Expected.StateRows; ++F) {
        const size_t Row = Expected.stateRow(B, H, F);
        for (int64_t T = 0; T < Width; ++T)
          Collect.add({Output, B, H, F, IsState ? T : -1,
                       readOutput(View, HEDDLE_F32, {}, B, H, F, T),
                       Values[Row * static_cast<size_t>(Width) +
                              static_cast<size_t>(T)]},
                      std::max(Scales[Row], Smallest));
      }
    }
}

} // namespace

llvm::Expected<Comparison>
heddle::attn::compareLinear(const LinearResult &Expected,
                            const LinearViews &Found,
                            const Tolerance &Allowed) {
  if (llvm::Error E = checkOutput(
          "o", Found.O,
          {Expected.RowOffsets.empty() ? Expected.Batch : Found.O.shape[0],
           Expected.Heads, Expected.Rows, Expected.Width}))
    return std::move(E);
  if (Found.State)
    if (llvm::Error E = checkOutput("state", *Found.State,
                                    {Expected.Batch, Expected.Heads,
                                     Expected.StateRows, Expected.Width}))
      return std::move(E);
  if (Found.Sums) {
    if (Expected.Sums.empty() && !Expected.State.empty())
      return invalid("the recurrence has no normaliser, expected no 'sums'");
    if (llvm::Error E = checkOutput(
            "sums", *Found.Sums,
            {Expected.Batch, Expected.Heads, Expected.StateRows, 1}))
      return std::move(E);
  }

  Comparison Out;
  Out.IsLinear = true;
  Collector Collect(Out, Allowed, Found.Type);
  compareRows(Expected, Found.O, Found.Type, Collect);
  if (Found.State)
    compareStates(Expected, *Found.State, ComparedOutput::State, Collect);
  if (Found.Sums)
    compareStates(Expected, *Found.Sums, ComparedOutput::Sums, Collect);
  return Out;
}
