// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Compare.h"

#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>
#include <system_error>

using namespace heddle::attn;

namespace {

/// See `Comparison`: rows are scaled by no less than this share of their head.
constexpr double ScaleFloor = 1.0 / 64;

double largestFinite(const double *Begin, const double *End) {
  double Largest = 0;
  for (const double *X = Begin; X != End; ++X)
    if (std::isfinite(*X))
      Largest = std::max(Largest, std::fabs(*X));
  return Largest;
}

/// Whether two values, not both finite, mean the same.
bool agreeNonFinite(double Found, double Expected, bool IsLse) {
  if (std::isfinite(Found) || std::isfinite(Expected))
    return false;
  if (IsLse && Expected < 0)
    return Found == Expected;
  return std::isnan(Found) || std::isnan(Expected) || Found == Expected;
}

/// Takes the elements one after the other.
class Collector {
public:
  Collector(Comparison &Out, double Allowed) : Out(Out), Allowed(Allowed) {}

  void add(const ComparedElement &Element, double Scale) {
    const bool IsLse = Element.Column < 0;
    if (!std::isfinite(Element.Found) || !std::isfinite(Element.Expected)) {
      if (!agreeNonFinite(Element.Found, Element.Expected, IsLse))
        fail(Element);
      return;
    }
    const double Error = std::fabs(Element.Found - Element.Expected) / Scale;
    double &Largest = IsLse ? Out.LseError : Out.OutputError;
    std::optional<ComparedElement> &Worst =
        IsLse ? Out.WorstLse : Out.WorstOutput;
    if (!Worst || Error > Largest) {
      Largest = Error;
      Worst = Element;
    }
    if (Error > Allowed)
      fail(Element);
  }

private:
  void fail(const ComparedElement &Element) {
    if (Out.Failures++ == 0)
      Out.FirstFailure = Element;
  }

  Comparison &Out;
  double Allowed;
};

double element(const heddle_view &View, int64_t B, int64_t H, int64_t I,
               int64_t T) {
  return static_cast<double>(static_cast<const float *>(
      View.data)[B * View.stride[0] + H * View.stride[1] + I * View.stride[2] +
                 T * View.stride[3]]);
}

llvm::Error checkShape(const char *Name, const heddle_view &View,
                       const ReferenceResult &Expected, int64_t Width) {
  const int64_t Want[4] = {Expected.Batch, Expected.Heads, Expected.Rows,
                           Width};
  const int64_t *Have = View.shape;
  if (!std::equal(Want, Want + 4, Have))
    return llvm::createStringError(
        std::make_error_code(std::errc::invalid_argument),
        "expected '%s' to have the shape %lldx%lldx%lldx%lld, found "
        "%lldx%lldx%lldx%lld",
        Name, static_cast<long long>(Want[0]), static_cast<long long>(Want[1]),
        static_cast<long long>(Want[2]), static_cast<long long>(Want[3]),
        static_cast<long long>(Have[0]), static_cast<long long>(Have[1]),
        static_cast<long long>(Have[2]), static_cast<long long>(Have[3]));
  if (!View.data && Want[0] * Want[1] * Want[2] * Want[3] != 0)
    return llvm::createStringError(
        std::make_error_code(std::errc::invalid_argument), "'%s' has no data",
        Name);
  return llvm::Error::success();
}

void printElement(llvm::raw_ostream &Os, const ComparedElement &E) {
  Os << (E.Column < 0 ? "lse" : "o") << "[b=" << E.B << ", h=" << E.H
     << ", q=" << E.Row;
  if (E.Column >= 0)
    Os << ", t=" << E.Column;
  Os << "]: found " << llvm::format("%.9g", E.Found) << ", expected "
     << llvm::format("%.9g", E.Expected);
}

} // namespace

llvm::Expected<Comparison>
heddle::attn::compare(const ReferenceResult &Expected, const heddle_view &O,
                      const heddle_view *Lse, const Tolerance &Allowed) {
  if (llvm::Error E = checkShape("o", O, Expected, Expected.Width))
    return E;
  if (Lse)
    if (llvm::Error E = checkShape("lse", *Lse, Expected, 1))
      return E;
  Comparison Out;
  Collector Collect(Out, Allowed.Relative);
  const int64_t Width = Expected.Width;
  for (int64_t B = 0; B < Expected.Batch; ++B)
    for (int64_t H = 0; H < Expected.Heads; ++H) {
      const double *Head = Expected.output(B, H, 0);
      const double HeadScale =
          largestFinite(Head, Head + Expected.Rows * Width);
      for (int64_t I = 0; I < Expected.Rows; ++I) {
        const double *Row = Head + I * Width;
        double Scale =
            std::max(largestFinite(Row, Row + Width), ScaleFloor * HeadScale);
        if (Scale == 0)
          Scale = 1;
        for (int64_t T = 0; T < Width; ++T)
          Collect.add({B, H, I, T, element(O, B, H, I, T), Row[T]}, Scale);
        if (!Lse)
          continue;
        const double Want = Expected.Lse[Expected.row(B, H, I)];
        Collect.add({B, H, I, -1, element(*Lse, B, H, I, 0), Want},
                    std::max(1.0, std::fabs(Want)));
      }
    }
  return Out;
}

void Comparison::print(llvm::raw_ostream &Os, const Tolerance &Allowed) const {
  Os << llvm::format("largest error of o %.2e, of lse %.2e, tolerance %.0e",
                     OutputError, LseError, Allowed.Relative);
  if (passed())
    return;
  Os << "\n" << Failures << " elements differ, the first is ";
  printElement(Os, *FirstFailure);
  for (const std::optional<ComparedElement> &Worst : {WorstOutput, WorstLse})
    if (Worst &&
        (Worst->Column < 0 ? LseError : OutputError) > Allowed.Relative) {
      Os << "\nthe worst is ";
      printElement(Os, *Worst);
    }
}
