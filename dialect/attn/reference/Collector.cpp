// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Collector.h"

#include "dialect/attn/reference/Failure.h"
#include "dialect/attn/reference/View.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

namespace {

/// What storing a value of this size rounds by at most: half a unit in the last
/// of `Bits` significant bits, or of the smallest number's.
double halfUnit(double Value, int Bits, int SmallestExponent) {
  int Exponent = SmallestExponent;
  if (Value != 0)
    std::frexp(Value, &Exponent);
  return std::ldexp(0.5, std::max(Exponent - Bits, SmallestExponent));
}

double roundingOf(heddle_dtype Type, double Value) {
  switch (Type) {
  case HEDDLE_F16:
    return halfUnit(Value, 11, -24);
  case HEDDLE_BF16:
    return halfUnit(Value, 8, -133);
  default:
    return 0; // the tolerance has room for it
  }
}

/// Values from here on are infinite when they are rounded.
double overflowOf(heddle_dtype Type) {
  switch (Type) {
  case HEDDLE_F16:
    return 65520;
  case HEDDLE_BF16:
    return std::ldexp(511.0 / 256, 127);
  default:
    return HUGE_VAL;
  }
}

} // namespace

void Collector::add(const ComparedElement &Element, double Scale) {
  if (!std::isfinite(Element.Found) || !std::isfinite(Element.Expected)) {
    if (!agreeNonFinite(Element))
      fail(Element);
    return;
  }
  double Distance = std::fabs(Element.Found - Element.Expected);
  if (Element.Output == ComparedOutput::O)
    // Of both: the rounding may have moved it to the next power of two.
    Distance =
        std::max(0.0, Distance - std::max(roundingOf(Type, Element.Expected),
                                          roundingOf(Type, Element.Found)));
  const double Error = Distance / Scale;
  double &Largest = Out.Errors[static_cast<size_t>(Element.Output)];
  std::optional<ComparedElement> &Worst =
      Out.Worst[static_cast<size_t>(Element.Output)];
  if (!Worst || Error > Largest) {
    Largest = Error;
    Worst = Element;
  }
  if (Error > Allowed.of(Element.Output))
    fail(Element);
}

/// Whether two values, not both finite, mean the same.
bool Collector::agreeNonFinite(const ComparedElement &Element) const {
  const double Found = Element.Found, Expected = Element.Expected;
  if (std::isfinite(Found))
    return false;
  if (std::isfinite(Expected))
    return Element.Output == ComparedOutput::O && !std::isnan(Found) &&
           std::signbit(Found) == std::signbit(Expected) &&
           std::fabs(Expected) * (1 + Allowed.of(ComparedOutput::O)) >=
               overflowOf(Type);
  const bool IsLevel = Element.Output == ComparedOutput::Lse ||
                       Element.Output == ComparedOutput::RowMax;
  if (IsLevel && Expected < 0)
    return Found == Expected;
  return std::isnan(Found) || std::isnan(Expected) || Found == Expected;
}

void Collector::fail(const ComparedElement &Element) {
  if (Out.Failures++ == 0)
    Out.FirstFailure = Element;
}

double heddle::attn::readOutput(const heddle_view &View, heddle_dtype Type,
                                const std::vector<int64_t> &Offsets, int64_t B,
                                int64_t H, int64_t I, int64_t T) {
  heddle_view Placed = View;
  Placed.offsets = Offsets.empty() ? nullptr : Offsets.data();
  return widen(View.data, Type,
               rowOffset(Placed, B, H, I) + T * View.stride[3]);
}

llvm::Error heddle::attn::checkOutput(llvm::StringRef Name,
                                      const heddle_view &View,
                                      llvm::ArrayRef<int64_t> Shape) {
  auto Text = [](const int64_t *Extents) {
    return (llvm::Twine(Extents[0]) + "x" + llvm::Twine(Extents[1]) + "x" +
            llvm::Twine(Extents[2]) + "x" + llvm::Twine(Extents[3]))
        .str();
  };
  if (!llvm::equal(Shape, View.shape))
    return invalid("expected '" + Name + "' to have the shape " +
                   Text(Shape.data()) + ", found " + Text(View.shape));
  if (!View.data && llvm::all_of(Shape, [](int64_t S) { return S != 0; }))
    return invalid("'" + Name + "' has no data");
  return llvm::Error::success();
}
