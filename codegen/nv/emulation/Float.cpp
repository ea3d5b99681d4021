// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floating-point arithmetic, rounded to nearest (PTX ISA, Floating Point
// Instructions; Half Precision Floating Point Instructions). The names that
// integers share are decoded here too.

#include "codegen/nv/emulation/Formats.h"
#include "codegen/nv/emulation/Integer.h"
#include "codegen/nv/emulation/Rounded.h"

using namespace heddle::ptx;

bool heddle::ptx::takeFloatFlags(Decoder &D) {
  static constexpr std::pair<llvm::StringLiteral, FloatFlag> Names[] = {
      {"ftz", Ftz}, {"sat", Saturate}, {"relu", Relu}, {"NaN", KeepNan}};
  for (const auto &[Name, Flag] : Names)
    if (D.take(Name))
      D.I.Flags |= Flag;
  return D.I.Flags != 0;
}

Rounding heddle::ptx::takeRounding(Decoder &D) {
  D.take("rn");
  return D.take("rz")   ? Rounding::Zero
         : D.take("rm") ? Rounding::Down
         : D.take("rp") ? Rounding::Up
                        : Rounding::Nearest;
}

namespace {

/// The elements of a register: one per lane, or two.
template <typename Format, bool Packed>
inline constexpr unsigned Elements = Packed ? 2 * WarpSize : WarpSize;

template <typename Format, unsigned Count>
void loadOperand(WarpState &W, uint32_t Place, bool Flush,
                 typename Format::Value *Out) {
  const auto *X = W.reg<typename Format::Stored>(Place);
  for (unsigned L = 0; L < Count; ++L)
    Out[L] = Format::load(X[L]);
  if (!Flush)
    return;
  for (unsigned L = 0; L < Count; ++L)
    Out[L] = std::is_same_v<Format, FormatF16>
                 ? Format::load(typename Format::Stored(
                       flushF16(uint16_t(bitsAs<typename Format::Bits>(X[L])))))
                 : flush(Out[L]);
}

/// Flushes and clamps results, and stores them.
template <typename Format, bool Packed>
void storeResult(WarpState &W, const Inst &I, typename Format::Stored *Out) {
  constexpr unsigned Count = Elements<Format, Packed>;
  using Bits = typename Format::Bits;
  using Stored = typename Format::Stored;
  if (I.Flags & Ftz)
    for (unsigned L = 0; L < Count; ++L) {
      if constexpr (std::is_same_v<Format, FormatF16>)
        Out[L] = flushF16(Out[L]);
      else if constexpr (std::is_same_v<Format, FormatF32>)
        Out[L] = flush(Out[L]);
    }
  if (I.Flags & (Saturate | Relu))
    for (unsigned L = 0; L < Count; ++L) {
      auto X = Format::load(Out[L]);
      bool Nan = std::isnan(X);
      // A NaN saturates to zero, and survives .relu in its canonical form.
      if (I.Flags & Saturate)
        Out[L] = Nan || !(X > 0) ? Stored(0)
                 : X > 1         ? Format::store(1)
                                 : Out[L];
      else
        Out[L] = Nan ? canonicalNan<Format>() : X > 0 ? Out[L] : Stored(0);
    }
  using Register = std::conditional_t<Packed, typename Wide<Bits>::Of, Stored>;
  W.store(I.Op[0], reinterpret_cast<const Register *>(Out));
}

struct Add {
  template <typename F, typename T> static T of(T A, T B) { return A + B; }
};
struct Sub {
  template <typename F, typename T> static T of(T A, T B) { return A - B; }
};
struct Mul {
  template <typename F, typename T> static T of(T A, T B) { return A * B; }
};
struct Div {
  template <typename F, typename T> static T of(T A, T B) { return A / B; }
};

/// Whether A comes before B where -0 comes before +0.
template <typename T> bool before(T A, T B) {
  return A < B || (A == B && std::signbit(A) && !std::signbit(B));
}
struct Min {
  template <typename T> static T pick(T A, T B) { return before(A, B) ? A : B; }
};
struct Max {
  template <typename T> static T pick(T A, T B) { return before(A, B) ? B : A; }
};

template <typename Format, typename Op, bool Packed>
void arithmetic(WarpState &W, const Inst &I) {
  constexpr unsigned Count = Elements<Format, Packed>;
  typename Format::Value A[Count], B[Count];
  alignas(64) typename Format::Stored Out[Count];
  loadOperand<Format, Count>(W, I.Op[1], I.Flags & Ftz, A);
  loadOperand<Format, Count>(W, I.Op[2], I.Flags & Ftz, B);
  for (unsigned L = 0; L < Count; ++L)
    Out[L] = Format::store(Op::template of<Format>(A[L], B[L]));
  storeResult<Format, Packed>(W, I, Out);
}

/// f32 and f64 without modifiers.
template <typename T, typename Op> void plain(WarpState &W, const Inst &I) {
  const T *A = W.reg<T>(I.Op[1]), *B = W.reg<T>(I.Op[2]);
  alignas(64) T Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Op::template of<void>(A[L], B[L]);
  W.store(I.Op[0], Out);
}

template <typename Op> struct Two {
  template <typename F> struct Make {
    static constexpr Handler Run = arithmetic<F, Op, false>;
  };
  template <typename F> struct MakePacked {
    static constexpr Handler Run = arithmetic<F, Op, true>;
  };
};

/// min and max of two or three operands (Count).
template <typename Format, typename Op, bool Packed>
void extreme(WarpState &W, const Inst &I) {
  constexpr unsigned Count = Elements<Format, Packed>;
  typename Format::Value A[Count], B[Count];
  alignas(64) typename Format::Stored Out[Count];
  loadOperand<Format, Count>(W, I.Op[1], I.Flags & Ftz, A);
  for (unsigned N = 2; N <= I.Count; ++N) {
    loadOperand<Format, Count>(W, I.Op[N], I.Flags & Ftz, B);
    for (unsigned L = 0; L < Count; ++L) {
      bool NanA = std::isnan(A[L]), NanB = std::isnan(B[L]);
      auto Picked = Op::pick(A[L], B[L]);
      Picked = NanA && !(I.Flags & KeepNan) ? B[L] : Picked;
      A[L] = NanB ? (I.Flags & KeepNan ? B[L] : A[L]) : Picked;
      A[L] = NanA && (I.Flags & KeepNan) ? std::nan("") : A[L];
    }
  }
  for (unsigned L = 0; L < Count; ++L)
    Out[L] = std::isnan(A[L]) ? canonicalNan<Format>() : Format::store(A[L]);
  storeResult<Format, Packed>(W, I, Out);
}
template <typename Op> struct Extreme {
  template <typename F> struct Make {
    static constexpr Handler Run = extreme<F, Op, false>;
  };
  template <typename F> struct MakePacked {
    static constexpr Handler Run = extreme<F, Op, true>;
  };
};

template <typename Format, bool Packed>
void multiplyAdd(WarpState &W, const Inst &I) {
  constexpr unsigned Count = Elements<Format, Packed>;
  typename Format::Value A[Count], B[Count], C[Count];
  alignas(64) typename Format::Stored Out[Count];
  loadOperand<Format, Count>(W, I.Op[1], I.Flags & Ftz, A);
  loadOperand<Format, Count>(W, I.Op[2], I.Flags & Ftz, B);
  loadOperand<Format, Count>(W, I.Op[3], I.Flags & Ftz, C);
  for (unsigned L = 0; L < Count; ++L) {
    if constexpr (IsNarrow<Format>)
      Out[L] = Format::fmaStored(A[L], B[L], C[L]);
    else
      Out[L] = Format::fma(A[L], B[L], C[L]);
  }
  storeResult<Format, Packed>(W, I, Out);
}
template <typename F> struct MakeFma {
  static constexpr Handler Run = multiplyAdd<F, false>;
};
template <typename F> struct MakeFmaPacked {
  static constexpr Handler Run = multiplyAdd<F, true>;
};

/// abs and neg change only the sign: And, then Xor, on the bits.
template <typename Bits, bool IsFlushed>
void signs(WarpState &W, const Inst &I) {
  const Bits *X = W.reg<Bits>(I.Op[1]);
  auto And = Bits(I.Imm), Xor = Bits(uint64_t(I.Imm) >> 32);
  if (sizeof(Bits) == 8) {
    constexpr uint64_t Sign = uint64_t(1) << 63;
    And = Bits(I.Aux ? ~uint64_t(0) : ~Sign);
    Xor = Bits(I.Aux ? Sign : 0);
  }
  alignas(64) Bits Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    Bits In = X[L];
    if (IsFlushed)
      In = Bits(bitsAs<uint32_t>(flush(bitsAs<float>(uint32_t(In)))));
    Out[L] = (In & And) ^ Xor;
  }
  W.store(I.Op[0], Out);
}

void decodeSign(Decoder &D, Type Of, bool Negate) {
  bool Flushed = D.take("ftz") && Of == F32;
  simpleOperands(D, Of, 1);
  uint32_t Sign = Of.Width == 16 ? 0x8000 : Of.Packed ? 0x80008000 : 0x80000000;
  D.I.Aux = Negate;
  D.I.Imm = Negate ? int64_t(uint64_t(Sign) << 32 | 0xffffffff)
                   : int64_t(uint32_t(~Sign));
  if (Of.Packed && Of.Width == 64)
    return runs(D, nullptr);
  runs(D, Of.Width == 16   ? signs<uint16_t, false>
          : Of.Width == 64 ? signs<uint64_t, false>
          : Flushed        ? signs<uint32_t, true>
                           : signs<uint32_t, false>);
}

template <typename Op>
void decodeArithmetic(Decoder &D, Type Of, RoundedOp By) {
  Rounding Mode = takeRounding(D);
  bool Flags = takeFloatFlags(D);
  if (Mode != Rounding::Nearest)
    return decodeRounded(D, Of, By, Mode);
  simpleOperands(D, Of, 2);
  if (Of.Packed)
    return runs(D, forPacked<Two<Op>::template MakePacked>(Of));
  if (!Flags && Of.Width >= 32 && Of.isFloat())
    return runs(D, Of.Width == 32 ? plain<float, Op> : plain<double, Op>);
  runs(D, forFloat<Two<Op>::template Make>(Of));
}

template <typename Op> void decodeExtreme(Decoder &D, Type Of) {
  takeFloatFlags(D);
  D.expect(3, 4);
  D.I.Count = uint8_t(std::max(3U, D.count()) - 1);
  simpleOperands(D, Of, D.I.Count);
  runs(D, Of.Packed ? forPacked<Extreme<Op>::template MakePacked>(Of)
                    : forFloat<Extreme<Op>::template Make>(Of));
}

void decodeFma(Decoder &D, Type Of) {
  Rounding Mode = takeRounding(D);
  takeFloatFlags(D);
  if (Mode != Rounding::Nearest)
    return decodeRounded(D, Of, RoundedOp::Fma, Mode);
  simpleOperands(D, Of, 3);
  runs(D, Of.Packed ? forPacked<MakeFmaPacked>(Of) : forFloat<MakeFma>(Of));
}

/// .approx and .full are computed like .rn: more exactly than promised, also
/// for divisors beyond 2^126, where the ISA allows a zero.
void decodeDivide(Decoder &D, Type Of) {
  D.take("approx");
  D.take("full");
  decodeArithmetic<Div>(D, Of, RoundedOp::Div);
}

void copySign(WarpState &W, const Inst &I) {
  const auto *Sign = W.reg<uint32_t>(I.Op[1]), *X = W.reg<uint32_t>(I.Op[2]);
  uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = (X[L] & 0x7fffffff) | (Sign[L] & 0x80000000);
  W.store(I.Op[0], Out);
}
void copySignDouble(WarpState &W, const Inst &I) {
  const auto *Sign = W.reg<double>(I.Op[1]), *X = W.reg<double>(I.Op[2]);
  double Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = std::copysign(X[L], Sign[L]);
  W.store(I.Op[0], Out);
}

} // namespace

void heddle::ptx::addFloatInstructions(DecodeTable &Into) {
  Into["add"] = [](Decoder &D) {
    if (decodeCarryOut(D, /*Minus=*/false))
      return;
    Type Of = D.lastType();
    Of.isFloat() ? decodeArithmetic<Add>(D, Of, RoundedOp::Add)
                 : decodeIntegerAdd(D, Of);
  };
  Into["sub"] = [](Decoder &D) {
    if (decodeCarryOut(D, /*Minus=*/true))
      return;
    Type Of = D.lastType();
    Of.isFloat() ? decodeArithmetic<Sub>(D, Of, RoundedOp::Sub)
                 : decodeIntegerSub(D, Of);
  };
  Into["mul"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeArithmetic<Mul>(D, Of, RoundedOp::Mul)
                 : decodeIntegerMul(D, Of);
  };
  Into["mad"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeFma(D, Of) : decodeIntegerMad(D, Of);
  };
  Into["fma"] = [](Decoder &D) { decodeFma(D, D.lastType()); };
  Into["div"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeDivide(D, Of) : decodeIntegerDiv(D, Of);
  };
  Into["min"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeExtreme<Min>(D, Of) : decodeIntegerMin(D, Of);
  };
  Into["max"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeExtreme<Max>(D, Of) : decodeIntegerMax(D, Of);
  };
  Into["abs"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeSign(D, Of, false) : decodeIntegerAbs(D, Of);
  };
  Into["neg"] = [](Decoder &D) {
    Type Of = D.lastType();
    Of.isFloat() ? decodeSign(D, Of, true) : decodeIntegerNeg(D, Of);
  };
  Into["copysign"] = [](Decoder &D) {
    Type Of = D.lastType();
    simpleOperands(D, Of, 2);
    runs(D, Of.Width == 64 ? copySignDouble : copySign);
  };
}
