// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Compare.h"

#include "dialect/attn/reference/Collector.h"
#include "dialect/attn/reference/Failure.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

llvm::StringRef heddle::attn::nameOf(ComparedOutput Output) {
  switch (Output) {
  case ComparedOutput::O:
    return "o";
  case ComparedOutput::Lse:
    return "lse";
  case ComparedOutput::RowMax:
    return "row_max";
  case ComparedOutput::ColumnSums:
    return "column_sums";
  case ComparedOutput::BlockMax:
    return "block_max";
  case ComparedOutput::State:
    return "state";
  case ComparedOutput::Sums:
    return "sums";
  }
  llvm_unreachable("all outputs are listed");
}

namespace {

double largestFinite(const double *Begin, const double *End) {
  double Largest = 0;
  for (const double *X = Begin; X != End; ++X)
    if (std::isfinite(*X))
      Largest = std::max(Largest, std::fabs(*X));
  return Largest;
}

llvm::Error checkShape(llvm::StringRef Name, const heddle_view &View,
                       const ReferenceResult &Expected, bool IsRagged,
                       int64_t Rows, int64_t Width) {
  // One tensor holds all sequences of a ragged batch, whatever its view says
  // of their number.
  return checkOutput(
      Name, View,
      {IsRagged ? View.shape[0] : Expected.Batch, Expected.Heads, Rows, Width});
}

void compareOutput(const ReferenceResult &Expected, const heddle_view &O,
                   heddle_dtype Type, Collector &Collect) {
  const int64_t Width = Expected.Width;
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H) {
      const double *Head = Expected.output(B, H, 0);
      const double HeadScale =
          largestFinite(Head, Head + Expected.rows(B) * Width);
      for (int64_t I = 0; I < Expected.rows(B); ++I) {
        const double *Row = Head + I * Width;
        double Scale =
            std::max(largestFinite(Row, Row + Width), ScaleFloor * HeadScale);
        if (!Expected.Spread.empty())
          Scale = std::max(Scale, Expected.Spread[Expected.row(B, H, I)]);
        if (Scale == 0)
          Scale = 1;
        for (int64_t T = 0; T < Width; ++T)
          Collect.add({ComparedOutput::O, B, H, I, T,
                       readOutput(O, Type, Expected.RowOffsets, B, H, I, T),
                       Row[T]},
                      Scale);
      }
    }
}

/// An output with one element per row.
void compareRows(const ReferenceResult &Expected, const heddle_view &View,
                 ComparedOutput Output, Collector &Collect) {
  const std::vector<double> &Values =
      Output == ComparedOutput::Lse ? Expected.Lse : Expected.RowMax;
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H)
      for (int64_t I = 0; I < Expected.rows(B); ++I) {
        const double Want = Values[Expected.row(B, H, I)];
        Collect.add(
            {Output, B, H, I, -1,
             readOutput(View, HEDDLE_F32, Expected.RowOffsets, B, H, I, 0),
             Want},
            std::max(1.0, std::fabs(Want)));
      }
}

void compareColumns(const ReferenceResult &Expected, size_t Source,
                    const heddle_view &View, Collector &Collect) {
  const KeyResult &Keys = Expected.Sources[Source];
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H)
      for (int64_t J = 0; J < Expected.keys(B, Source); ++J) {
        const double Want = Keys.ColumnSums[Expected.column(B, H, J, Source)];
        Collect.add({ComparedOutput::ColumnSums, B, H, J, -1,
                     readOutput(View, HEDDLE_F32, Keys.Offsets, B, H, J, 0),
                     Want, Source},
                    std::max(1.0, std::fabs(Want)));
      }
}

void compareBlocks(const ReferenceResult &Expected, size_t Source,
                   const heddle_view &View, Collector &Collect) {
  const KeyResult &Keys = Expected.Sources[Source];
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H)
      for (int64_t I = 0; I < Expected.BlockRows; ++I)
        for (int64_t J = 0; J < Keys.BlockColumns; ++J) {
          const double Want = Keys.BlockMax[Expected.block(B, H, I, J, Source)];
          Collect.add({ComparedOutput::BlockMax, B, H, I, J,
                       readOutput(View, HEDDLE_F32, {}, B, H, I, J), Want,
                       Source},
                      std::max(1.0, std::fabs(Want)));
        }
}

llvm::Error notAskedFor(ComparedOutput Output) {
  return invalid("the reference has no '" + nameOf(Output) +
                 "', it must be asked for");
}

/// Checks an output of the keys of every source.
llvm::Error checkSources(const ReferenceResult &Expected,
                         const ResultViews &Found) {
  for (auto [S, View] : llvm::enumerate(Found.ColumnSums)) {
    if (!View)
      continue;
    if (S >= Expected.Sources.size())
      return notAskedFor(ComparedOutput::ColumnSums);
    const KeyResult &Keys = Expected.Sources[S];
    if (Keys.ColumnSums.empty() && Expected.Heads * Keys.Keys != 0)
      return notAskedFor(ComparedOutput::ColumnSums);
    if (llvm::Error E = checkShape("column_sums", *View, Expected,
                                   !Keys.Offsets.empty(), Keys.Keys, 1))
      return E;
  }
  for (auto [S, View] : llvm::enumerate(Found.BlockMax)) {
    if (!View)
      continue;
    if (S >= Expected.Sources.size())
      return notAskedFor(ComparedOutput::BlockMax);
    if (llvm::Error E =
            checkShape("block_max", *View, Expected, false, Expected.BlockRows,
                       Expected.Sources[S].BlockColumns))
      return E;
  }
  return llvm::Error::success();
}

void printElement(llvm::raw_ostream &Os, const ComparedElement &E) {
  const bool IsBlock = E.Output == ComparedOutput::BlockMax;
  const bool IsState =
      E.Output == ComparedOutput::State || E.Output == ComparedOutput::Sums;
  const char *RowName = IsBlock                                  ? "row"
                        : IsState                                ? "f"
                        : E.Output == ComparedOutput::ColumnSums ? "k"
                                                                 : "q";
  Os << nameOf(E.Output);
  if (E.Source > 0)
    Os << " of source " << E.Source;
  Os << "[b=" << E.B << ", h=" << E.H << ", " << RowName << "=" << E.Row;
  if (E.Column >= 0)
    Os << (IsBlock ? ", column=" : ", t=") << E.Column;
  Os << "]: found " << llvm::format("%.9g", E.Found) << ", expected "
     << llvm::format("%.9g", E.Expected);
}

} // namespace

llvm::Expected<Comparison>
heddle::attn::compare(const ReferenceResult &Expected, const ResultViews &Found,
                      const Tolerance &Allowed) {
  const bool HasRaggedRows = !Expected.RowOffsets.empty();
  if (llvm::Error E = checkShape("o", Found.O, Expected, HasRaggedRows,
                                 Expected.Rows, Expected.Width))
    return E;
  struct Line {
    ComparedOutput Output;
    const heddle_view *View;
    bool IsKnown;
  } const Lines[] = {{ComparedOutput::Lse, Found.Lse, true},
                     {ComparedOutput::RowMax, Found.RowMax,
                      Expected.RowMax.size() == Expected.Lse.size()}};
  for (const Line &L : Lines) {
    if (!L.View)
      continue;
    if (!L.IsKnown)
      return notAskedFor(L.Output);
    if (llvm::Error E = checkShape(nameOf(L.Output), *L.View, Expected,
                                   HasRaggedRows, Expected.Rows, 1))
      return E;
  }
  if (llvm::Error E = checkSources(Expected, Found))
    return E;

  Comparison Out;
  Collector Collect(Out, Allowed, Found.Type);
  compareOutput(Expected, Found.O, Found.Type, Collect);
  for (const Line &L : Lines)
    if (L.View)
      compareRows(Expected, *L.View, L.Output, Collect);
  for (auto [S, View] : llvm::enumerate(Found.ColumnSums))
    if (View)
      compareColumns(Expected, S, *View, Collect);
  for (auto [S, View] : llvm::enumerate(Found.BlockMax))
    if (View)
      compareBlocks(Expected, S, *View, Collect);
  return Out;
}

double Comparison::largestError() const {
  return *std::max_element(std::begin(Errors), std::end(Errors));
}

void Comparison::print(llvm::raw_ostream &Os, const Tolerance &Allowed) const {
  Os << "largest error";
  bool Any = false;
  for (size_t I = 0; I < NumComparedOutputs; ++I)
    // o and lse always have a word, the others when they were compared.
    if (Worst[I] || I == 0 || (I == 1 && !IsLinear)) {
      Os << (Any ? ", of " : " of ") << nameOf(static_cast<ComparedOutput>(I))
         << llvm::format(" %.2e", Errors[I]);
      Any = true;
    }
  Os << llvm::format(", tolerance %.0e", Allowed.Relative);
  if (const double OfO = Allowed.of(ComparedOutput::O); OfO > Allowed.Relative)
    Os << llvm::format(", in o %.0e", OfO);
  if (passed())
    return;
  Os << "\n" << Failures << " elements differ, the first is ";
  printElement(Os, *FirstFailure);
  for (size_t I = 0; I < NumComparedOutputs; ++I)
    if (Worst[I] && Errors[I] > Allowed.of(static_cast<ComparedOutput>(I))) {
      Os << "\nthe worst is ";
      printElement(Os, *Worst[I]);
    }
}
