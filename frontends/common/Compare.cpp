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

/// The root mean squares of the heads of `O` where rows are narrow, else zeros.
static std::vector<double> leastMagnitudes(const Tensor &O) {
  constexpr int64_t NarrowRow = 16;
  const int64_t Heads = O.shape()[1], Rows = O.shape()[2], Width = O.shape()[3];
  std::vector<double> Squares(static_cast<size_t>(O.shape()[0] * Heads));
  if (Width >= NarrowRow)
    return Squares;
  forEachRow(O, [&](int64_t B, int64_t H, int64_t I) {
    for (int64_t F = 0; F < Width; ++F)
      if (const double X = O.get(B, H, I, F); std::isfinite(X))
        Squares[static_cast<size_t>(B * Heads + H)] += X * X;
  });
  for (double &Square : Squares)
    Square = std::sqrt(Square / static_cast<double>(Rows * Width));
  return Squares;
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
  const std::vector<double> Least = leastMagnitudes(Want.O);
  std::vector<float> GotRow(static_cast<size_t>(Width)), WantRow(GotRow);
  forEachRow(Got.O, [&](int64_t B, int64_t H, int64_t I) {
    for (int64_t F = 0; F < Width; ++F) {
      GotRow[static_cast<size_t>(F)] = Got.O.get(B, H, I, F);
      WantRow[static_cast<size_t>(F)] = Want.O.get(B, H, I, F);
    }
    Result.addRow(B, H, I, GotRow.data(), WantRow.data(), Width,
                  HasLse ? Got.Lse.get(B, H, I, 0) : 0.0F,
                  HasLse ? Want.Lse.get(B, H, I, 0) : 0.0F,
                  Least[static_cast<size_t>(B * Want.O.shape()[1] + H)]);
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
