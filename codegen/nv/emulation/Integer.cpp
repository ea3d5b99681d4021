// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer arithmetic (PTX ISA, Integer Arithmetic Instructions). add, sub, mul,
// min, max, abs, neg and fma of floats have the same names and are in
// Float.cpp, where the shared names are registered.

#include "codegen/nv/emulation/Integer.h"

#include "codegen/nv/emulation/Lanes.h"

#include <limits>

using namespace heddle::ptx;

namespace {

template <typename T> using Bits = std::make_unsigned_t<T>;
// 16-bit operands are promoted to int, where products of them overflow.
template <typename T>
using Room = std::conditional_t<sizeof(T) < 4, uint32_t, Bits<T>>;

struct Add {
  template <typename T> static T of(T A, T B) {
    return T(Bits<T>(A) + Bits<T>(B));
  }
};
struct Sub {
  template <typename T> static T of(T A, T B) {
    return T(Bits<T>(A) - Bits<T>(B));
  }
};
struct MulLo {
  template <typename T> static T of(T A, T B) {
    return T(Room<T>(A) * Room<T>(B));
  }
};
struct MulHi {
  template <typename T> static T of(T A, T B) {
    return T((WideOf<T>(A) * B) >> (8 * sizeof(T)));
  }
};
struct Div {
  // What the ISA leaves open: a division by zero gives all ones, as on devices.
  template <typename T> static T of(T A, T B) {
    if (B == 0)
      return T(-1);
    if (std::is_signed_v<T> && B == T(-1))
      return T(Bits<T>(0) - Bits<T>(A));
    return T(A / B);
  }
};
struct Rem {
  template <typename T> static T of(T A, T B) {
    if (B == 0)
      return A;
    if (std::is_signed_v<T> && B == T(-1))
      return 0;
    return T(A % B);
  }
};
struct Min {
  template <typename T> static T of(T A, T B) { return A < B ? A : B; }
};
struct Max {
  template <typename T> static T of(T A, T B) { return A < B ? B : A; }
};
struct Abs {
  template <typename T> static T of(T A) {
    return A < 0 ? T(Bits<T>(0) - Bits<T>(A)) : A;
  }
};
struct Neg {
  template <typename T> static T of(T A) { return T(Bits<T>(0) - Bits<T>(A)); }
};
template <typename T> T saturate(WideOf<T> X) {
  using Limit = std::numeric_limits<T>;
  return X < Limit::min()   ? Limit::min()
         : X > Limit::max() ? Limit::max()
                            : T(X);
}
struct AddSat {
  template <typename T> static T of(T A, T B) {
    return saturate<T>(WideOf<T>(A) + B);
  }
};
struct SubSat {
  template <typename T> static T of(T A, T B) {
    return saturate<T>(WideOf<T>(A) - B);
  }
};
struct MadLo {
  template <typename T> static T of(T A, T B, T C) {
    return Add::of(MulLo::of(A, B), C);
  }
};
struct MadHi {
  template <typename T> static T of(T A, T B, T C) {
    return Add::of(MulHi::of(A, B), C);
  }
};
struct MadHiSat {
  static int32_t of(int32_t A, int32_t B, int32_t C) {
    return AddSat::of(MulHi::of(A, B), C);
  }
};
struct Sad {
  template <typename T> static T of(T A, T B, T C) {
    return Add::of(C, A < B ? Sub::of(B, A) : Sub::of(A, B));
  }
};
struct Mul24 {
  template <typename T> static T of(T A, T B) {
    return MulLo::of(low(A), low(B));
  }
  template <typename T> static T low(T A) { return T(Bits<T>(A) << 8) >> 8; }
};
struct MulWide {
  template <typename T> static WideOf<T> of(T A, T B) {
    return WideOf<T>(A) * B;
  }
};
struct MadWide {
  template <typename T> static WideOf<T> of(T A, T B, WideOf<T> C) {
    return Add::of(WideOf<T>(WideOf<T>(A) * B), C);
  }
};

template <typename Op> struct One {
  template <typename T> struct Make {
    static constexpr Handler Run = unary<T, T, Op>;
  };
};
template <typename Op> struct Two {
  template <typename T> struct Make {
    static constexpr Handler Run = binary<T, T, T, Op>;
  };
};
template <typename Op> struct Three {
  template <typename T> struct Make {
    static constexpr Handler Run = ternary<T, T, T, T, Op>;
  };
};

template <typename Op> void two(Decoder &D, Type Of) {
  simpleOperands(D, Of, 2);
  runs(D, forInteger<Two<Op>::template Make>(Of));
}
template <typename Op> void three(Decoder &D, Type Of) {
  simpleOperands(D, Of, 3);
  runs(D, forInteger<Three<Op>::template Make>(Of));
}

/// Two 16-bit elements in a register: as twice as many lanes.
template <typename T, typename Op> void packedTwo(WarpState &W, const Inst &I) {
  const T *X = W.reg<T>(I.Op[1]), *Y = W.reg<T>(I.Op[2]);
  alignas(64) T Out[2 * WarpSize];
  for (unsigned L = 0; L < 2 * WarpSize; ++L)
    Out[L] = Op::of(X[L], Y[L]);
  W.store(I.Op[0], reinterpret_cast<const uint32_t *>(Out));
}
template <typename Op> void packed(Decoder &D, Type Of) {
  simpleOperands(D, Of, 2);
  D.I.Run = Of.isSigned() ? packedTwo<int16_t, Op> : packedTwo<uint16_t, Op>;
}

// --- add with carry: the condition code is a register of the frame ---

template <typename T, bool Out, bool In, bool Minus>
void withCarry(WarpState &W, const Inst &I) {
  const T *X = W.reg<T>(I.Op[1]), *Y = W.reg<T>(I.Op[2]);
  LaneMask Carry = In ? *W.reg<LaneMask>(I.Op[3]) : 0, After = 0;
  T Sum[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    // A borrow is a missing carry of the complement.
    T B = Minus ? T(~Y[L]) : Y[L];
    unsigned From = In ? (Carry >> L & 1) ^ unsigned(Minus) : unsigned(Minus);
    auto Total = WideOf<T>(X[L]) + B + From;
    Sum[L] = T(Total);
    After |= LaneMask((Total >> (8 * sizeof(T))) != 0 ? 1 : 0) << L;
  }
  W.store(I.Op[0], Sum);
  if (Out)
    W.storePredicate(I.Op[3], Minus ? ~After : After);
}

/// add.cc, addc[.cc], sub.cc, subc[.cc] and the name of the register CC.CF.
template <bool In, bool Minus> void decodeCarry(Decoder &D, bool Out) {
  Type Of = D.type();
  simpleOperands(D, Of, 2);
  constexpr llvm::StringLiteral Flag = "%CC.CF";
  if (!D.Frame.find(Flag)) {
    Symbol Known;
    Known.Of = Predicate;
    D.Frame.declareOutermost(Flag, Known);
  }
  D.I.Op[3] = D.Frame.find(Flag)->Place;
  if (Of.Width == 64)
    D.I.Run = Out ? withCarry<uint64_t, true, In, Minus>
                  : withCarry<uint64_t, false, In, Minus>;
  else
    D.I.Run = Out ? withCarry<uint32_t, true, In, Minus>
                  : withCarry<uint32_t, false, In, Minus>;
}

/// mul and mad with .lo, .hi, .wide; `Sources` 2 or 3.
void decodeWide(Decoder &D, Type Of, unsigned Sources) {
  if (Of.Width > 32 || !Of.isInteger())
    return runs(D, nullptr);
  Type Twice{Of.Class, uint8_t(2 * Of.Width), false};
  D.expect(1 + Sources);
  D.I.Op[0] = D.target(0, Twice);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, Of);
  if (Sources == 3)
    D.I.Op[3] = D.source(3, Twice);
  static constexpr Handler Multiply[] = {
      binary<uint32_t, uint16_t, uint16_t, MulWide>,
      binary<int32_t, int16_t, int16_t, MulWide>,
      binary<uint64_t, uint32_t, uint32_t, MulWide>,
      binary<int64_t, int32_t, int32_t, MulWide>};
  static constexpr Handler Both[] = {
      ternary<uint32_t, uint16_t, uint16_t, uint32_t, MadWide>,
      ternary<int32_t, int16_t, int16_t, int32_t, MadWide>,
      ternary<uint64_t, uint32_t, uint32_t, uint64_t, MadWide>,
      ternary<int64_t, int32_t, int32_t, int64_t, MadWide>};
  unsigned Which = (Of.Width == 32 ? 2 : 0) + (Of.isSigned() ? 1 : 0);
  D.I.Run = Sources == 2 ? Multiply[Which] : Both[Which];
}

} // namespace

void heddle::ptx::decodeIntegerAdd(Decoder &D, Type Of) {
  if (Of.Packed)
    return packed<Add>(D, Of);
  if (!D.take("sat"))
    return two<Add>(D, Of);
  simpleOperands(D, Of, 2);
  runs(D, Of == S32 ? binary<int32_t, int32_t, int32_t, AddSat> : nullptr);
}

void heddle::ptx::decodeIntegerSub(Decoder &D, Type Of) {
  if (Of.Packed)
    return packed<Sub>(D, Of);
  if (!D.take("sat"))
    return two<Sub>(D, Of);
  simpleOperands(D, Of, 2);
  runs(D, Of == S32 ? binary<int32_t, int32_t, int32_t, SubSat> : nullptr);
}

void heddle::ptx::decodeIntegerMul(Decoder &D, Type Of) {
  if (D.take("wide"))
    return decodeWide(D, Of, 2);
  if (D.take("hi"))
    return two<MulHi>(D, Of);
  D.take("lo");
  two<MulLo>(D, Of);
}

void heddle::ptx::decodeIntegerDiv(Decoder &D, Type Of) { two<Div>(D, Of); }
void heddle::ptx::decodeIntegerMin(Decoder &D, Type Of) {
  Of.Packed ? packed<Min>(D, Of) : two<Min>(D, Of);
}
void heddle::ptx::decodeIntegerMax(Decoder &D, Type Of) {
  Of.Packed ? packed<Max>(D, Of) : two<Max>(D, Of);
}
void heddle::ptx::decodeIntegerAbs(Decoder &D, Type Of) {
  simpleOperands(D, Of, 1);
  runs(D, forInteger<One<Abs>::template Make>(Of));
}
void heddle::ptx::decodeIntegerNeg(Decoder &D, Type Of) {
  simpleOperands(D, Of, 1);
  runs(D, forInteger<One<Neg>::template Make>(Of));
}

void heddle::ptx::decodeIntegerMad(Decoder &D, Type Of) {
  if (D.take("wide"))
    return decodeWide(D, Of, 3);
  bool High = D.take("hi");
  if (!High)
    D.take("lo");
  if (High && D.take("sat")) {
    simpleOperands(D, Of, 3);
    return runs(D, Of == S32
                       ? ternary<int32_t, int32_t, int32_t, int32_t, MadHiSat>
                       : nullptr);
  }
  High ? three<MadHi>(D, Of) : three<MadLo>(D, Of);
}

void heddle::ptx::addIntegerInstructions(DecodeTable &Into) {
  Into["rem"] = [](Decoder &D) { two<Rem>(D, D.type()); };
  Into["sad"] = [](Decoder &D) { three<Sad>(D, D.type()); };
  Into["mul24"] = [](Decoder &D) {
    D.take("lo");
    Type Of = D.type();
    if (Of.Width != 32)
      return runs(D, nullptr);
    two<Mul24>(D, Of);
  };
  Into["addc"] = [](Decoder &D) { decodeCarry<true, false>(D, D.take("cc")); };
  Into["subc"] = [](Decoder &D) { decodeCarry<true, true>(D, D.take("cc")); };
}

bool heddle::ptx::decodeCarryOut(Decoder &D, bool Minus) {
  if (!D.take("cc"))
    return false;
  Minus ? decodeCarry<false, true>(D, true)
        : decodeCarry<false, false>(D, true);
  return true;
}
