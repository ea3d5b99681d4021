// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Logic, shifts and bit fields (PTX ISA, Logic and Shift Instructions; bfe,
// bfi, prmt and others of Integer Arithmetic Instructions).

#include "codegen/nv/emulation/Lanes.h"

#include "llvm/ADT/bit.h"

using namespace heddle::ptx;

namespace {

struct And {
  template <typename T> static T of(T A, T B) { return A & B; }
};
struct Or {
  template <typename T> static T of(T A, T B) { return A | B; }
};
struct Xor {
  template <typename T> static T of(T A, T B) { return A ^ B; }
};
struct Not {
  template <typename T> static T of(T A) { return T(~A); }
};
struct Cnot {
  template <typename T> static T of(T A) { return A == 0; }
};
struct Shl {
  template <typename T> static T of(T A, uint32_t By) {
    return By < 8 * sizeof(T) ? T(A << By) : T(0);
  }
};
// More than the width counts as the width.
struct Shr {
  template <typename T> static T of(T A, uint32_t By) {
    if (std::is_signed_v<T>)
      return T(A >> std::min<uint32_t>(By, 8 * sizeof(T) - 1));
    return By < 8 * sizeof(T) ? T(A >> By) : T(0);
  }
};
struct Popc {
  template <typename T> static uint32_t of(T A) {
    return uint32_t(llvm::popcount(std::make_unsigned_t<T>(A)));
  }
};
struct Clz {
  template <typename T> static uint32_t of(T A) {
    return uint32_t(llvm::countl_zero(std::make_unsigned_t<T>(A)));
  }
};
struct Brev {
  template <typename T> static T of(T A) {
    T Out = 0;
    for (unsigned I = 0; I < 8 * sizeof(T); ++I)
      Out |= T(A >> I & 1) << (8 * sizeof(T) - 1 - I);
    return Out;
  }
};
/// The most significant bit that is no copy of the sign.
template <bool Shift> struct Bfind {
  template <typename T> static uint32_t of(T A) {
    auto Bits = std::make_unsigned_t<T>(std::is_signed_v<T> && A < 0 ? ~A : A);
    if (!Bits)
      return ~uint32_t(0);
    unsigned Lead = unsigned(llvm::countl_zero(Bits));
    return Shift ? Lead : unsigned(8 * sizeof(T)) - 1 - Lead;
  }
};
struct Bfe {
  template <typename T> static T of(T A, uint32_t First, uint32_t Length) {
    unsigned Width = 8 * sizeof(T), Pos = First & 0xff, Len = Length & 0xff;
    T Sign = 0;
    if (std::is_signed_v<T> && Len)
      Sign = T(A >> std::min(Pos + Len - 1, Width - 1)) & 1;
    using U = std::make_unsigned_t<T>;
    U Field = Pos < Width ? U(U(A) >> Pos) : U(Sign ? ~U(0) : 0);
    // Bits beyond the word are copies of the sign.
    U Keep = Len >= Width ? ~U(0) : U((U(1) << Len) - 1);
    if (Sign && Pos && Pos < Width)
      Field |= U(~U(0)) << (Width - Pos);
    return T(Sign ? Field | U(~Keep) : Field & Keep);
  }
};
struct Bfi {
  template <typename T>
  static T of(T From, T Into, uint32_t First, uint32_t Length) {
    unsigned Width = 8 * sizeof(T), Pos = First & 0xff, Len = Length & 0xff;
    if (Pos >= Width || !Len)
      return Into;
    T Keep = Len >= Width ? T(~T(0)) : T((T(1) << Len) - 1);
    Keep = T(Keep << Pos);
    return T((Into & ~Keep) | (T(From << Pos) & Keep));
  }
};
struct FunnelLeft {
  static uint32_t of(uint32_t Low, uint32_t High, uint32_t By, bool Wrap) {
    uint64_t Both = uint64_t(High) << 32 | Low;
    By = Wrap ? By & 31 : std::min(By, 32U);
    return uint32_t(Both << By >> 32);
  }
};
struct FunnelRight {
  static uint32_t of(uint32_t Low, uint32_t High, uint32_t By, bool Wrap) {
    uint64_t Both = uint64_t(High) << 32 | Low;
    By = Wrap ? By & 31 : std::min(By, 32U);
    return uint32_t(Both >> By);
  }
};
struct Permute {
  static uint32_t of(uint32_t A, uint32_t B, uint32_t Select) {
    uint64_t Both = uint64_t(B) << 32 | A;
    uint32_t Out = 0;
    for (unsigned I = 0; I < 4; ++I) {
      uint32_t Which = Select >> (4 * I);
      auto Byte = uint8_t(Both >> (8 * (Which & 7)));
      // The top bit of the selector copies the sign over the byte.
      if (Which & 8)
        Byte = Byte & 0x80 ? 0xff : 0;
      Out |= uint32_t(Byte) << (8 * I);
    }
    return Out;
  }
};

template <typename Op> struct Two {
  template <typename T> struct Make {
    using U = std::make_unsigned_t<T>;
    static constexpr Handler Run = binary<U, U, U, Op>;
  };
};
template <typename Op> struct One {
  template <typename T> struct Make {
    using U = std::make_unsigned_t<T>;
    static constexpr Handler Run = unary<U, U, Op>;
  };
};
template <typename Op> struct Shift {
  template <typename T> struct Make {
    static constexpr Handler Run = binary<T, T, uint32_t, Op>;
  };
};
template <typename Op> struct ToCount {
  template <typename T> struct Make {
    static constexpr Handler Run = unary<uint32_t, T, Op>;
  };
};
template <typename T> struct MakeBfe {
  static constexpr Handler Run = ternary<T, T, uint32_t, uint32_t, Bfe>;
};

// --- predicates: all lanes at once ---

enum class Logic : uint8_t { And, Or, Xor, Not };
template <Logic How> void onPredicates(WarpState &W, const Inst &I) {
  LaneMask A = *W.reg<LaneMask>(I.Op[1]) ^ (I.Flags & 1 ? AllLanes : 0);
  LaneMask B = *W.reg<LaneMask>(I.Op[2]) ^ (I.Flags & 2 ? AllLanes : 0);
  W.storePredicate(I.Op[0], How == Logic::And   ? A & B
                            : How == Logic::Or  ? A | B
                            : How == Logic::Xor ? A ^ B
                                                : ~A);
}
template <Logic How> void decodePredicates(Decoder &D) {
  bool NegatedA = false, NegatedB = false;
  unsigned Sources = How == Logic::Not ? 1 : 2;
  D.expect(1 + Sources);
  D.I.Op[0] = D.target(0, Predicate);
  D.I.Op[1] = D.predicate(1, NegatedA);
  D.I.Op[2] = Sources == 2 ? D.predicate(2, NegatedB) : D.I.Op[1];
  D.I.Flags = uint8_t(NegatedA) | uint8_t(NegatedB) << 1;
  D.I.Run = onPredicates<How>;
}

template <typename Op, Logic How> void decodeLogic(Decoder &D) {
  Type Of = D.type();
  if (Of.isPredicate())
    return decodePredicates<How>(D);
  simpleOperands(D, Of, 2);
  runs(D, forInteger<Two<Op>::template Make>(Of));
}

template <typename Op> void decodeShift(Decoder &D) {
  Type Of = D.type();
  D.expect(3);
  D.I.Op[0] = D.target(0, Of);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, U32);
  runs(D, forInteger<Shift<Op>::template Make>(Of));
}

template <typename Op> void decodeCount(Decoder &D, Type Of) {
  D.expect(2);
  D.I.Op[0] = D.target(0, U32);
  D.I.Op[1] = D.source(1, Of);
  runs(D, Of.Width < 32 ? nullptr : forInteger<ToCount<Op>::template Make>(Of));
}

template <typename T> void insertField(WarpState &W, const Inst &I) {
  const T *From = W.reg<T>(I.Op[1]), *Into = W.reg<T>(I.Op[2]);
  const auto *First = W.reg<uint32_t>(I.Op[3]);
  const auto *Length = W.reg<uint32_t>(I.Op[4]);
  T Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Bfi::of(From[L], Into[L], First[L], Length[L]);
  W.store(I.Op[0], Out);
}

template <typename Op> void funnel(WarpState &W, const Inst &I) {
  const auto *Low = W.reg<uint32_t>(I.Op[1]), *High = W.reg<uint32_t>(I.Op[2]);
  const auto *By = W.reg<uint32_t>(I.Op[3]);
  uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Op::of(Low[L], High[L], By[L], I.Aux != 0);
  W.store(I.Op[0], Out);
}

/// Any function of three bits, by its table of 8 values.
void lookup(WarpState &W, const Inst &I) {
  const auto *A = W.reg<uint32_t>(I.Op[1]), *B = W.reg<uint32_t>(I.Op[2]);
  const auto *C = W.reg<uint32_t>(I.Op[3]);
  uint32_t Out[WarpSize] = {};
  for (unsigned Row = 0; Row < 8; ++Row)
    if (I.Aux >> Row & 1)
      for (unsigned L = 0; L < WarpSize; ++L)
        Out[L] |= (Row & 4 ? A[L] : ~A[L]) & (Row & 2 ? B[L] : ~B[L]) &
                  (Row & 1 ? C[L] : ~C[L]);
  W.store(I.Op[0], Out);
}

/// prmt with a mode: the bytes that a mode selects depend on the two low bits.
void permuteMode(WarpState &W, const Inst &I) {
  // Selectors of f4e, b4e, rc8, ecl, ecr, rc16 (PTX ISA, prmt).
  static constexpr uint16_t Select[6][4] = {
      {0x3210, 0x4321, 0x5432, 0x6543}, {0x5670, 0x6701, 0x7012, 0x0123},
      {0x0000, 0x1111, 0x2222, 0x3333}, {0x3210, 0x3211, 0x3222, 0x3333},
      {0x0000, 0x1110, 0x2210, 0x3210}, {0x1010, 0x3232, 0x1010, 0x3232}};
  const auto *A = W.reg<uint32_t>(I.Op[1]), *B = W.reg<uint32_t>(I.Op[2]);
  const auto *C = W.reg<uint32_t>(I.Op[3]);
  uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Permute::of(A[L], B[L], Select[I.Aux][C[L] & 3]);
  W.store(I.Op[0], Out);
}

void decodePermute(Decoder &D) {
  D.take("b32");
  simpleOperands(D, B32, 3);
  D.I.Run = ternary<uint32_t, uint32_t, uint32_t, uint32_t, Permute>;
  static constexpr llvm::StringLiteral Modes[] = {"f4e", "b4e", "rc8",
                                                  "ecl", "ecr", "rc16"};
  for (unsigned Mode = 0; Mode < std::size(Modes); ++Mode)
    if (D.take(Modes[Mode])) {
      D.I.Aux = Mode;
      D.I.Run = permuteMode;
    }
}

void decodeFunnel(Decoder &D) {
  bool Left = D.take("l");
  if (!Left && !D.take("r"))
    D.fail("expected '.l' or '.r'");
  D.I.Aux = D.take("wrap");
  if (!D.I.Aux && !D.take("clamp"))
    D.fail("expected '.wrap' or '.clamp'");
  D.type();
  simpleOperands(D, B32, 3);
  D.I.Run = Left ? funnel<FunnelLeft> : funnel<FunnelRight>;
}

/// dp4a: four products of bytes and a sum.
template <bool SignedA, bool SignedB> struct Dot4 {
  static uint32_t of(uint32_t A, uint32_t B, uint32_t C) {
    for (unsigned I = 0; I < 32; I += 8) {
      auto X = uint8_t(A >> I), Y = uint8_t(B >> I);
      int Left = SignedA ? int(int8_t(X)) : int(X),
          Right = SignedB ? int(int8_t(Y)) : int(Y);
      C += uint32_t(Left * Right);
    }
    return C;
  }
};

void decodeDot(Decoder &D) {
  bool A = D.type().isSigned(), B = D.type().isSigned();
  simpleOperands(D, B32, 3);
  static constexpr Handler Run[2][2] = {
      {ternary<uint32_t, uint32_t, uint32_t, uint32_t, Dot4<false, false>>,
       ternary<uint32_t, uint32_t, uint32_t, uint32_t, Dot4<false, true>>},
      {ternary<uint32_t, uint32_t, uint32_t, uint32_t, Dot4<true, false>>,
       ternary<uint32_t, uint32_t, uint32_t, uint32_t, Dot4<true, true>>}};
  D.I.Run = Run[A][B];
}

} // namespace

void heddle::ptx::addBitInstructions(DecodeTable &Into) {
  Into["and"] = decodeLogic<And, Logic::And>;
  Into["or"] = decodeLogic<Or, Logic::Or>;
  Into["xor"] = decodeLogic<Xor, Logic::Xor>;
  Into["not"] = [](Decoder &D) {
    Type Of = D.type();
    if (Of.isPredicate())
      return decodePredicates<Logic::Not>(D);
    simpleOperands(D, Of, 1);
    runs(D, forInteger<One<Not>::template Make>(Of));
  };
  Into["cnot"] = [](Decoder &D) {
    Type Of = D.type();
    simpleOperands(D, Of, 1);
    runs(D, forInteger<One<Cnot>::template Make>(Of));
  };
  Into["shl"] = decodeShift<Shl>;
  Into["shr"] = decodeShift<Shr>;
  Into["popc"] = [](Decoder &D) { decodeCount<Popc>(D, D.type()); };
  Into["clz"] = [](Decoder &D) { decodeCount<Clz>(D, D.type()); };
  Into["bfind"] = [](Decoder &D) {
    bool Shift = D.take("shiftamt");
    Type Of = D.type();
    Shift ? decodeCount<Bfind<true>>(D, Of) : decodeCount<Bfind<false>>(D, Of);
  };
  Into["brev"] = [](Decoder &D) {
    Type Of = D.type();
    simpleOperands(D, Of, 1);
    runs(D, Of.Width < 32 ? nullptr : forInteger<One<Brev>::template Make>(Of));
  };
  Into["bfe"] = [](Decoder &D) {
    Type Of = D.type();
    D.expect(4);
    D.I.Op[0] = D.target(0, Of);
    D.I.Op[1] = D.source(1, Of);
    D.I.Op[2] = D.source(2, U32);
    D.I.Op[3] = D.source(3, U32);
    runs(D, Of.Width < 32 ? nullptr : forInteger<MakeBfe>(Of));
  };
  Into["bfi"] = [](Decoder &D) {
    Type Of = D.type();
    D.expect(5);
    D.I.Op[0] = D.target(0, Of);
    D.I.Op[1] = D.source(1, Of);
    D.I.Op[2] = D.source(2, Of);
    D.I.Op[3] = D.source(3, U32);
    D.I.Op[4] = D.source(4, U32);
    D.I.Run = Of.Width == 64 ? insertField<uint64_t> : insertField<uint32_t>;
  };
  Into["prmt"] = decodePermute;
  Into["shf"] = decodeFunnel;
  Into["lop3"] = [](Decoder &D) {
    D.type();
    D.expect(5);
    D.I.Op[0] = D.target(0, B32);
    for (unsigned N = 1; N <= 3; ++N)
      D.I.Op[N] = D.source(N, B32);
    D.I.Aux = uint32_t(D.immediate(4));
    D.I.Run = lookup;
  };
  Into["dp4a"] = decodeDot;
}
