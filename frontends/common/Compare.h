// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_COMPARE_H
#define HEDDLE_FRONTENDS_COMMON_COMPARE_H

#include "frontends/common/Tensors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace heddle::frontend {

/// The largest difference that --check accepts, relative to the largest
/// magnitude of the row (of o) or to max(1, |lse|).
inline constexpr double CheckTolerance = 2e-5;

/// The largest relative difference between results and what they should be.
struct CheckResult {
  /// What the results were compared with.
  std::string Against;
  double LargestO = 0, LargestLse = 0;
  /// The row of o or lse with the largest difference over both.
  int64_t Batch = 0, Head = 0, Row = 0;

  double largest() const { return std::max(LargestO, LargestLse); }
  bool passed() const { return largest() <= CheckTolerance; }

  /// Compares one row: `Count` features of o, and lse. An infinity or NaN must
  /// be met by the same; where the wanted row is zero only zero will do.
  template <typename Want>
  void addRow(int64_t B, int64_t H, int64_t I, const float *GotO,
              const Want *WantO, int64_t Count, float GotLse, Want WantLse) {
    double Magnitude = std::numeric_limits<float>::min();
    for (int64_t F = 0; F < Count; ++F)
      if (std::isfinite(static_cast<double>(WantO[F])))
        Magnitude =
            std::max(Magnitude, std::fabs(static_cast<double>(WantO[F])));
    double Error = 0;
    for (int64_t F = 0; F < Count; ++F)
      Error = std::max(
          Error, difference(GotO[F], static_cast<double>(WantO[F]), Magnitude));
    double LseError =
        difference(GotLse, static_cast<double>(WantLse),
                   std::max(1.0, std::fabs(static_cast<double>(WantLse))));
    if (std::max(Error, LseError) > largest()) {
      Batch = B;
      Head = H;
      Row = I;
    }
    LargestO = std::max(LargestO, Error);
    LargestLse = std::max(LargestLse, LseError);
  }

private:
  static double difference(double Got, double Want, double Magnitude) {
    if (std::isnan(Got) && std::isnan(Want))
      return 0;
    if (!std::isfinite(Got) || !std::isfinite(Want))
      return Got == Want ? 0 : std::numeric_limits<double>::infinity();
    return std::fabs(Got - Want) / Magnitude;
  }
};

/// Compares two sets of outputs of equal shape.
CheckResult compareOutputs(const Tensor &GotO, const Tensor &GotLse,
                           const Tensor &WantO, const Tensor &WantLse,
                           std::string Against);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_COMPARE_H
