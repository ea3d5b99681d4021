// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Compare.h"

using namespace heddle;
using namespace heddle::frontend;

/// Calls `Each` for the position of every row.
template <typename Body> static void forEachRow(const Tensor &Of, Body Each) {
  for (int64_t B = 0; B < Of.shape()[0]; ++B)
    for (int64_t H = 0; H < Of.shape()[1]; ++H)
      for (int64_t I = 0; I < Of.shape()[2]; ++I)
        Each(B, H, I);
}

CheckResult frontend::compareOutputs(const OutputTensors &Got,
                                     const OutputTensors &Want,
                                     std::string Against, double Rounded) {
  CheckResult Result;
  Result.Against = std::move(Against);
  Result.Tolerance = std::max(outputTolerance(Got.O.dtype()), Rounded);
  Result.Elsewhere = std::max(CheckTolerance, Rounded);
  const int64_t Width = Got.O.shape()[3];
  const bool HasLse = Got.Lse.size() > 0;
  std::vector<float> GotRow(static_cast<size_t>(Width)), WantRow(GotRow);
  forEachRow(Got.O, [&](int64_t B, int64_t H, int64_t I) {
    for (int64_t F = 0; F < Width; ++F) {
      GotRow[static_cast<size_t>(F)] = Got.O.get(B, H, I, F);
      WantRow[static_cast<size_t>(F)] = Want.O.get(B, H, I, F);
    }
    Result.addRow(B, H, I, GotRow.data(), WantRow.data(), Width,
                  HasLse ? Got.Lse.get(B, H, I, 0) : 0.0F,
                  HasLse ? Want.Lse.get(B, H, I, 0) : 0.0F);
  });
  auto AddMore = [&](const Tensor &Found, const Tensor &Wanted) {
    forEachRow(Found, [&](int64_t B, int64_t H, int64_t I) {
      for (int64_t F = 0; F < Found.shape()[3]; ++F)
        Result.addMore(Found.get(B, H, I, F), Wanted.get(B, H, I, F));
    });
  };
  AddMore(Got.RowMax, Want.RowMax);
  AddMore(Got.State, Want.State);
  AddMore(Got.Sums, Want.Sums);
  for (auto Member : {&OutputTensors::ColumnSums, &OutputTensors::BlockMax})
    for (size_t Source = 0; Source < (Got.*Member).size(); ++Source)
      AddMore((Got.*Member)[Source], (Want.*Member)[Source]);
  return Result;
}
