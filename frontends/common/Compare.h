// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_COMPARE_H
#define HEDDLE_FRONTENDS_COMMON_COMPARE_H

#include "frontends/common/Inputs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace heddle::frontend {

/// The largest difference that --check accepts in what is computed and stored
/// in f32, relative to the largest magnitude of the row (of o), or to max(1,
/// |x|) for the others. Of a few features all may cancel by chance: rows of
/// less than 16 are measured by the root mean square of their head where that
/// is more.
inline constexpr double CheckTolerance = 2e-5;

/// The same for o in a dtype: sums are in f32 always, so what narrower dtypes
/// add is the rounding of o itself.
inline double outputTolerance(heddle_dtype Output) {
  return Output == HEDDLE_F16    ? 1e-3
         : Output == HEDDLE_BF16 ? 8e-3
                                 : CheckTolerance;
}

/// What products of tf32 add to all outputs: their operands have 10 bits after
/// the point, so that scores are off by what rows of q and k are.
inline constexpr double Tf32Tolerance = 2e-3;

/// The same for o where a device multiplies weights with v in the dtype of q, k
/// and v.
inline double deviceTolerance(heddle_dtype Input, bool IsTf32 = false) {
  if (IsTf32)
    return Tf32Tolerance;
  return Input == HEDDLE_F16    ? 2e-3
         : Input == HEDDLE_BF16 ? 1e-2
                                : CheckTolerance;
}

/// The largest relative difference between results and what they should be.
struct CheckResult {
  /// What the results were compared with.
  std::string Against;
  /// Of o, and of the others.
  double Tolerance = CheckTolerance, Elsewhere = CheckTolerance;
  double LargestO = 0, LargestLse = 0;
  /// Of row maxima, column sums and block maxima, where there are any.
  double LargestMore = 0;
  bool HasMore = false;
  /// The row of o or lse with the largest difference over both, in units of
  /// what is accepted.
  int64_t Batch = 0, Head = 0, Row = 0;

  /// The largest difference over what is accepted; at most 1 when passed.
  double largest() const {
    return std::max(LargestO / Tolerance,
                    std::max(LargestLse, LargestMore) / Elsewhere);
  }
  bool passed() const { return largest() <= 1; }

  /// Compares one row: `Count` features of o, and lse. An infinity or NaN must
  /// be met by the same; where the wanted row is zero only zero will do, others
  /// have at least the magnitude `Least`.
  template <typename Got, typename Want>
  void addRow(int64_t B, int64_t H, int64_t I, const Got *GotO,
              const Want *WantO, int64_t Count, float GotLse, Want WantLse,
              double Least = 0) {
    constexpr double Tiny = std::numeric_limits<float>::min();
    double Magnitude = Tiny;
    for (int64_t F = 0; F < Count; ++F)
      if (std::isfinite(static_cast<double>(WantO[F])))
        Magnitude =
            std::max(Magnitude, std::fabs(static_cast<double>(WantO[F])));
    if (Magnitude > Tiny)
      Magnitude = std::max(Magnitude, Least);
    double Error = 0;
    for (int64_t F = 0; F < Count; ++F)
      Error =
          std::max(Error, difference(static_cast<double>(GotO[F]),
                                     static_cast<double>(WantO[F]), Magnitude));
    double LseError = scaled(GotLse, static_cast<double>(WantLse));
    if (std::max(Error / Tolerance, LseError / Elsewhere) > largest()) {
      Batch = B;
      Head = H;
      Row = I;
    }
    LargestO = std::max(LargestO, Error);
    LargestLse = std::max(LargestLse, LseError);
  }

  /// Compares one element of a further output.
  void addMore(float Got, double Want) {
    HasMore = true;
    LargestMore = std::max(LargestMore, scaled(Got, Want));
  }

private:
  static double difference(double Got, double Want, double Magnitude) {
    if (std::isnan(Got) && std::isnan(Want))
      return 0;
    if (!std::isfinite(Got) || !std::isfinite(Want))
      return Got == Want ? 0 : std::numeric_limits<double>::infinity();
    return std::fabs(Got - Want) / Magnitude;
  }
  static double scaled(float Got, double Want) {
    return difference(Got, Want, std::max(1.0, std::fabs(Want)));
  }
};

/// Compares two sets of outputs of equal shapes and dtypes. `Rounded` is what
/// they may differ by if that is more than usual: a device may round rotated
/// keys too, on which all of them depend.
CheckResult compareOutputs(const OutputTensors &Got, const OutputTensors &Want,
                           std::string Against, double Rounded = 0);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_COMPARE_H
