// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Square roots, reciprocals and elementary functions (PTX ISA, Floating Point
// Instructions). Approximations of a device are not imitated: results are those
// of the C library in the same or a wider format, rounded to nearest, with the
// special values that the ISA gives.

#include "codegen/nv/emulation/Formats.h"
#include "codegen/nv/emulation/Rounded.h"

using namespace heddle::ptx;

namespace {

struct Ex2 {
  static float of(float X) { return std::exp2(X); }
};
struct Lg2 {
  static float of(float X) { return std::log2(X); }
};
struct Sin {
  static float of(float X) { return std::sin(X); }
};
struct Cos {
  static float of(float X) { return std::cos(X); }
};
struct Tanh {
  static float of(float X) { return std::tanh(X); }
};
struct Sqrt {
  template <typename T> static T of(T X) { return std::sqrt(X); }
};
struct Rcp {
  template <typename T> static T of(T X) { return T(1) / X; }
};
struct Rsqrt {
  static float of(float X) { return float(1 / std::sqrt(double(X))); }
  static double of(double X) { return 1 / std::sqrt(X); }
};

template <typename Format, typename Op, bool Packed>
void function(WarpState &W, const Inst &I) {
  constexpr unsigned Count = Packed ? 2 * WarpSize : WarpSize;
  using Stored = typename Format::Stored;
  const auto *X = W.reg<Stored>(I.Op[1]);
  alignas(64) Stored Out[Count];
  bool Flush = I.Flags & Ftz;
  for (unsigned L = 0; L < Count; ++L) {
    // The library is slow, so lanes that do not execute are left out.
    if (!W.on(Packed ? L / 2 : L)) {
      Out[L] = Stored();
      continue;
    }
    auto In = Format::load(X[L]);
    In = Flush ? flush(In) : In;
    auto Result = Op::of(In);
    Result = Flush ? flush(Result) : Result;
    Out[L] =
        std::isnan(Result) ? canonicalNan<Format>() : Format::store(Result);
  }
  using Register = std::conditional_t<Packed, uint32_t, Stored>;
  W.store(I.Op[0], reinterpret_cast<const Register *>(Out));
}

/// f32, f16, bf16 and their pairs, always .approx.
template <typename Op> void decodeApproximation(Decoder &D) {
  D.take("approx");
  takeFloatFlags(D);
  Type Of = D.type();
  simpleOperands(D, Of, 1);
  if (Of == F32)
    D.I.Run = function<FormatF32, Op, false>;
  else if (Of.isHalf())
    D.I.Run = Of.Class == TypeClass::Brain ? function<FormatBF16, Op, false>
                                           : function<FormatF16, Op, false>;
  else if (Of.Packed && Of.Width == 32 && Of.isFloat())
    D.I.Run = Of.Class == TypeClass::Brain ? function<FormatBF16, Op, true>
                                           : function<FormatF16, Op, true>;
  else
    runs(D, nullptr);
}

/// f32 and f64, .approx or with a rounding mode.
template <typename Op> void decodeRoot(Decoder &D) {
  D.take("approx");
  Rounding Mode = takeRounding(D);
  takeFloatFlags(D);
  Type Of = D.type();
  if (Mode != Rounding::Nearest) {
    if (std::is_same_v<Op, Rcp>)
      return decodeRounded(D, Of, RoundedOp::Rcp, Mode);
    return D.fail("'" + D.From.Opcode +
                  "': only rounding to nearest is supported here");
  }
  simpleOperands(D, Of, 1);
  bool Known = Of.isFloat() && !Of.Packed && Of.Width >= 32;
  runs(D, !Known           ? nullptr
          : Of.Width == 32 ? function<FormatF32, Op, false>
                           : function<FormatF64, Op, false>);
}

} // namespace

void heddle::ptx::addTranscendentalInstructions(DecodeTable &Into) {
  Into["ex2"] = decodeApproximation<Ex2>;
  Into["lg2"] = decodeApproximation<Lg2>;
  Into["sin"] = decodeApproximation<Sin>;
  Into["cos"] = decodeApproximation<Cos>;
  Into["tanh"] = decodeApproximation<Tanh>;
  Into["sqrt"] = decodeRoot<Sqrt>;
  Into["rcp"] = decodeRoot<Rcp>;
  Into["rsqrt"] = decodeRoot<Rsqrt>;
}
