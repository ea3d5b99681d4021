// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparison and selection (PTX ISA, Comparison and Selection Instructions).

#include "codegen/nv/emulation/Formats.h"

#include "llvm/ADT/StringSwitch.h"

using namespace heddle::ptx;

namespace {

/// What counts: less, equal, greater, unordered (bits 0 to 3).
enum Relation : uint8_t { Less = 1, Equal = 2, Greater = 4, Unordered = 8 };

std::optional<uint8_t> relation(llvm::StringRef Name) {
  return llvm::StringSwitch<std::optional<uint8_t>>(Name)
      .Case("eq", Equal)
      .Case("ne", Less | Greater)
      .Cases({"lt", "lo"}, Less)
      .Cases({"le", "ls"}, Less | Equal)
      .Cases({"gt", "hi"}, Greater)
      .Cases({"ge", "hs"}, Greater | Equal)
      .Case("equ", Equal | Unordered)
      .Case("neu", Less | Greater | Unordered)
      .Case("ltu", Less | Unordered)
      .Case("leu", Less | Equal | Unordered)
      .Case("gtu", Greater | Unordered)
      .Case("geu", Greater | Equal | Unordered)
      .Case("num", Less | Equal | Greater)
      .Case("nan", Unordered)
      .Default(std::nullopt);
}

/// How the result meets a further predicate.
enum class Combine : uint8_t { None, And, Or, Xor };

Combine combine(Decoder &D) {
  return D.take("and")   ? Combine::And
         : D.take("or")  ? Combine::Or
         : D.take("xor") ? Combine::Xor
                         : Combine::None;
}

/// Bits of the lanes for which the relation holds. The relation is uniform, so
/// that the three comparisons are vectorised.
template <typename T> LaneMask compare(const T *A, const T *B, uint8_t Which) {
  uint8_t Holds[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    bool Lt = A[L]<B[L], Eq = A[L] == B[L], Gt = A[L]> B[L];
    uint8_t Is = Lt ? Less : Eq ? Equal : Gt ? Greater : Unordered;
    Holds[L] = Is & Which;
  }
  LaneMask Out = 0;
  for (unsigned L = 0; L < WarpSize; ++L)
    Out |= LaneMask(Holds[L] != 0) << L;
  return Out;
}

/// The lanes of a predicate operand or of a comparison, combined.
LaneMask combined(WarpState &W, const Inst &I, LaneMask Bits) {
  LaneMask With = *W.reg<LaneMask>(I.Op[4]) ^ (I.Flags & 0x80 ? AllLanes : 0);
  switch (Combine(I.Count)) {
  case Combine::And:
    return Bits & With;
  case Combine::Or:
    return Bits | With;
  case Combine::Xor:
    return Bits ^ With;
  case Combine::None:
    break;
  }
  return Bits;
}

template <typename T> LaneMask compareIntegers(WarpState &W, const Inst &I) {
  return compare(W.reg<T>(I.Op[2]), W.reg<T>(I.Op[3]), uint8_t(I.Aux));
}

template <typename Format> LaneMask compareFloats(WarpState &W, const Inst &I) {
  typename Format::Value A[WarpSize], B[WarpSize];
  const auto *X = W.reg<typename Format::Stored>(I.Op[2]);
  const auto *Y = W.reg<typename Format::Stored>(I.Op[3]);
  for (unsigned L = 0; L < WarpSize; ++L) {
    A[L] = Format::load(X[L]);
    B[L] = Format::load(Y[L]);
    if (I.Flags & Ftz) {
      bool Half = std::is_same_v<Format, FormatF16>;
      A[L] = Half && std::fabs(A[L]) < 0x1p-14F ? A[L] * 0 : flush(A[L]);
      B[L] = Half && std::fabs(B[L]) < 0x1p-14F ? B[L] * 0 : flush(B[L]);
    }
  }
  return compare(A, B, uint8_t(I.Aux));
}

/// setp: p [|q]; q gets the complement of the comparison.
template <LaneMask (*Compare)(WarpState &, const Inst &)>
void setPredicate(WarpState &W, const Inst &I) {
  LaneMask Bits = Compare(W, I);
  W.storePredicate(I.Op[1], combined(W, I, ~Bits));
  W.storePredicate(I.Op[0], combined(W, I, Bits));
}

/// set: all ones or 1.0 of the destination type, or zero.
template <LaneMask (*Compare)(WarpState &, const Inst &)>
void setValue(WarpState &W, const Inst &I) {
  LaneMask Bits = combined(W, I, Compare(W, I));
  uint32_t Wide[WarpSize];
  uint16_t Narrow[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    Wide[L] = Bits >> L & 1 ? uint32_t(I.Imm) : 0;
    Narrow[L] = uint16_t(Wide[L]);
  }
  I.Bytes == 2 ? W.store(I.Op[0], Narrow) : W.store(I.Op[0], Wide);
}

template <template <LaneMask (*)(WarpState &, const Inst &)> class Make>
Handler forCompared(Type Of) {
  if (Of.Packed || Of.isPredicate())
    return nullptr;
  if (Of.Class == TypeClass::Brain)
    return Make<compareFloats<FormatBF16>>::Run;
  if (Of.isFloat())
    return Of.Width == 16   ? Make<compareFloats<FormatF16>>::Run
           : Of.Width == 32 ? Make<compareFloats<FormatF32>>::Run
                            : Make<compareFloats<FormatF64>>::Run;
  bool Signed = Of.isSigned();
  switch (Of.Width) {
  case 16:
    return Signed ? Make<compareIntegers<int16_t>>::Run
                  : Make<compareIntegers<uint16_t>>::Run;
  case 32:
    return Signed ? Make<compareIntegers<int32_t>>::Run
                  : Make<compareIntegers<uint32_t>>::Run;
  case 64:
    return Signed ? Make<compareIntegers<int64_t>>::Run
                  : Make<compareIntegers<uint64_t>>::Run;
  default:
    return nullptr;
  }
}
template <LaneMask (*Compare)(WarpState &, const Inst &)> struct MakeSetp {
  static constexpr Handler Run = setPredicate<Compare>;
};
template <LaneMask (*Compare)(WarpState &, const Inst &)> struct MakeSet {
  static constexpr Handler Run = setValue<Compare>;
};

/// .relation[.boolean]; the operand of the boolean is the fourth.
void decodeRelation(Decoder &D) {
  llvm::StringRef Name = D.takeNext();
  std::optional<uint8_t> Which = relation(Name);
  if (!Which)
    D.fail("unknown comparison '." + Name + "'");
  D.I.Aux = Which.value_or(0);
  Combine With = combine(D);
  D.I.Count = uint8_t(With);
  D.take("ftz") ? void(D.I.Flags |= Ftz) : void();
  D.expect(With == Combine::None ? 3 : 4);
  D.I.Op[4] = D.Frame.constant(0, Predicate);
  if (With != Combine::None) {
    bool Negated = false;
    D.I.Op[4] = D.predicate(3, Negated);
    D.I.Flags |= Negated ? 0x80 : 0;
  }
}

/// f16x2 and bf16x2: two predicates, one for each half.
template <typename Format> void setPredicatePair(WarpState &W, const Inst &I) {
  const auto *X = W.reg<uint16_t>(I.Op[2]), *Y = W.reg<uint16_t>(I.Op[3]);
  LaneMask Out[2];
  for (unsigned Half = 0; Half < 2; ++Half) {
    float A[WarpSize], B[WarpSize];
    for (unsigned L = 0; L < WarpSize; ++L) {
      A[L] = Format::load(X[2 * L + Half]);
      B[L] = Format::load(Y[2 * L + Half]);
    }
    Out[Half] = combined(W, I, compare(A, B, uint8_t(I.Aux)));
  }
  W.storePredicate(I.Op[0], Out[0]);
  W.storePredicate(I.Op[1], Out[1]);
}

void decodeSetp(Decoder &D) {
  decodeRelation(D);
  Type Of = D.type();
  const Operand &To = D.operand(0);
  bool Both = To.Is == Operand::Pair;
  D.I.Op[0] = D.target(Both ? To.Items[0] : To, Predicate);
  D.I.Op[1] =
      Both ? D.target(To.Items[1], Predicate) : D.Frame.scratch(Predicate);
  D.I.Op[2] = D.source(1, Of);
  D.I.Op[3] = D.source(2, Of);
  if (Of.Packed && Of.isFloat() && Of.Width == 32 && Both)
    D.I.Run = Of.Class == TypeClass::Brain ? setPredicatePair<FormatBF16>
                                           : setPredicatePair<FormatF16>;
  else
    runs(D, forCompared<MakeSetp>(Of));
}

void decodeSet(Decoder &D) {
  decodeRelation(D);
  Type To = D.type(), Of = D.type();
  if (To.Packed || Of.Packed || (To.Width != 32 && To.Width != 16))
    return runs(D, nullptr);
  D.I.Bytes = uint8_t(To.bytes());
  D.I.Imm = !To.isFloat()                  ? 0xffffffff
            : To.Width == 32               ? 0x3f800000
            : To.Class == TypeClass::Brain ? 0x3f80
                                           : 0x3c00;
  D.I.Op[0] = D.target(0, To);
  D.I.Op[2] = D.source(1, Of);
  D.I.Op[3] = D.source(2, Of);
  runs(D, forCompared<MakeSet>(Of));
}

template <typename T> void select(WarpState &W, const Inst &I) {
  const T *A = W.reg<T>(I.Op[1]), *B = W.reg<T>(I.Op[2]);
  LaneMask Which = *W.reg<LaneMask>(I.Op[3]) ^ (I.Flags ? AllLanes : 0);
  alignas(64) T Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = Which >> L & 1 ? A[L] : B[L];
  W.store(I.Op[0], Out);
}

void decodeSelect(Decoder &D) {
  Type Of = D.type();
  D.expect(4);
  D.I.Op[0] = D.target(0, Of);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, Of);
  bool Negated = false;
  D.I.Op[3] = D.predicate(3, Negated);
  D.I.Flags = Negated;
  runs(D, Of.Width == 16   ? select<uint16_t>
          : Of.Width == 32 ? select<uint32_t>
          : Of.Width == 64 ? select<uint64_t>
                           : nullptr);
}

/// slct: a where c is not negative, else b.
template <typename T, bool Float>
void selectBySign(WarpState &W, const Inst &I) {
  const T *A = W.reg<T>(I.Op[1]), *B = W.reg<T>(I.Op[2]);
  const auto *C = W.reg<uint32_t>(I.Op[3]);
  T Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    float X = bitsAs<float>(C[L]);
    bool First =
        Float ? (I.Flags & Ftz ? flush(X) : X) >= 0 : int32_t(C[L]) >= 0;
    Out[L] = First ? A[L] : B[L];
  }
  W.store(I.Op[0], Out);
}

void decodeSelectBySign(Decoder &D) {
  takeFloatFlags(D);
  Type Of = D.type(), By = D.type();
  D.expect(4);
  D.I.Op[0] = D.target(0, Of);
  D.I.Op[1] = D.source(1, Of);
  D.I.Op[2] = D.source(2, Of);
  D.I.Op[3] = D.source(3, By);
  bool Known = By.Width == 32 && (Of.Width == 32 || Of.Width == 64);
  runs(D, !Known                           ? nullptr
          : Of.Width == 32 && By.isFloat() ? selectBySign<uint32_t, true>
          : Of.Width == 32                 ? selectBySign<uint32_t, false>
          : By.isFloat()                   ? selectBySign<uint64_t, true>
                                           : selectBySign<uint64_t, false>);
}

// --- testp ---

template <typename T> bool hasProperty(T X, unsigned Which) {
  switch (Which) {
  case 0:
    return std::isfinite(X);
  case 1:
    return std::isinf(X);
  case 2:
    return !std::isnan(X);
  case 3:
    return std::isnan(X);
  case 4:
    return std::isnormal(X);
  default:
    return std::fpclassify(X) == FP_SUBNORMAL;
  }
}
template <typename T> void testProperty(WarpState &W, const Inst &I) {
  const T *X = W.reg<T>(I.Op[1]);
  LaneMask Out = 0;
  for (unsigned L = 0; L < WarpSize; ++L)
    Out |= LaneMask(hasProperty(X[L], I.Aux)) << L;
  W.storePredicate(I.Op[0], Out);
}

void decodeTestProperty(Decoder &D) {
  static constexpr llvm::StringLiteral Names[] = {
      "finite", "infinite", "number", "notanumber", "normal", "subnormal"};
  llvm::StringRef Name = D.takeNext();
  const auto *Known = llvm::find(Names, Name);
  if (Known == std::end(Names))
    D.fail("unknown property '." + Name + "'");
  D.I.Aux = uint32_t(Known - Names);
  Type Of = D.type();
  D.expect(2);
  D.I.Op[0] = D.target(0, Predicate);
  D.I.Op[1] = D.source(1, Of);
  D.I.Run = Of.Width == 64 ? testProperty<double> : testProperty<float>;
}

} // namespace

void heddle::ptx::addCompareInstructions(DecodeTable &Into) {
  Into["setp"] = decodeSetp;
  Into["set"] = decodeSet;
  Into["selp"] = decodeSelect;
  Into["slct"] = decodeSelectBySign;
  Into["testp"] = decodeTestProperty;
}
