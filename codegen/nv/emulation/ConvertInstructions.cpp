// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt (PTX ISA, Data Movement and Conversion Instructions: cvt).

#include "codegen/nv/emulation/Formats.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/APInt.h"
#include "llvm/ADT/APSInt.h"

#include <limits>

using namespace heddle::ptx;

namespace {

/// Everything about a conversion, in Inst::Imm.
struct Conversion {
  TypeClass ToClass, FromClass;
  uint8_t ToWidth, FromWidth;
  uint8_t ToBytes, FromBytes; ///< of a lane in the registers
  uint8_t Mode;               ///< Rounding
  uint8_t Flags;

  bool toFloat() const {
    return ToClass == TypeClass::Float || ToClass == TypeClass::Brain;
  }
  bool fromFloat() const {
    return FromClass == TypeClass::Float || FromClass == TypeClass::Brain;
  }
};
static_assert(sizeof(Conversion) == sizeof(int64_t));
enum ConvertFlag : uint8_t {
  Flush = 1,
  Sat = 2,
  ToIntegral = 4,
  ReluFlag = 8,
  Finite = 16
};

double loadFloat(uint64_t Bits, TypeClass Class, unsigned Width) {
  if (Width == 64)
    return bitsAs<double>(Bits);
  if (Width == 32)
    return bitsAs<float>(uint32_t(Bits));
  return Class == TypeClass::Brain ? fromBF16(uint16_t(Bits))
                                   : fromF16(uint16_t(Bits));
}

double toIntegral(double X, Rounding Mode) {
  switch (Mode) {
  case Rounding::Zero:
    return std::trunc(X);
  case Rounding::Down:
    return std::floor(X);
  case Rounding::Up:
    return std::ceil(X);
  default:
    // std::nearbyint depends on the mode of the host, which is to nearest.
    return std::nearbyint(X);
  }
}

uint64_t floatToFloat(double X, const Conversion &C) {
  auto Mode = Rounding(C.Mode);
  if (C.Flags & ToIntegral)
    X = toIntegral(X, Mode);
  if (C.Flags & Sat)
    X = !(X > 0) ? 0 : X > 1 ? 1 : X;
  if (C.ToWidth == 64)
    return std::isnan(X) ? ~uint64_t(0) >> 1 : bitsAs<uint64_t>(X);
  ConvertOptions How;
  How.Round = C.Flags & ToIntegral ? Rounding::Nearest : Mode;
  How.SatFinite = C.Flags & Finite;
  How.Relu = C.Flags & ReluFlag;
  const FloatFormat &To = C.ToWidth == 32                 ? F32Format
                          : C.ToClass == TypeClass::Brain ? BF16Format
                                                          : F16Format;
  uint64_t Out = encode(X, To, How);
  if (C.ToWidth == 32 && (C.Flags & Flush))
    Out = bitsAs<uint32_t>(flush(bitsAs<float>(uint32_t(Out))));
  return Out;
}

uint64_t floatToInteger(double X, const Conversion &C) {
  if (std::isnan(X))
    return 0;
  X = toIntegral(X, Rounding(C.Mode));
  bool Signed = C.ToClass == TypeClass::Signed;
  unsigned Bits = C.ToWidth - (Signed ? 1 : 0);
  double Most = std::ldexp(1.0, int(Bits)), Least = Signed ? -Most : 0;
  uint64_t Top = Bits == 64 ? ~uint64_t(0) : (uint64_t(1) << Bits) - 1;
  if (X >= Most)
    return Top;
  if (X <= Least)
    return Signed ? ~Top : 0;
  return Signed ? uint64_t(int64_t(X)) : uint64_t(X);
}

uint64_t integerToFloat(uint64_t X, const Conversion &C) {
  bool Signed = C.FromClass == TypeClass::Signed;
  const llvm::fltSemantics &To = C.ToWidth == 64   ? llvm::APFloat::IEEEdouble()
                                 : C.ToWidth == 32 ? llvm::APFloat::IEEEsingle()
                                 : C.ToClass == TypeClass::Brain
                                     ? llvm::APFloat::BFloat()
                                     : llvm::APFloat::IEEEhalf();
  static constexpr llvm::RoundingMode Modes[] = {
      llvm::RoundingMode::NearestTiesToEven,
      llvm::RoundingMode::NearestTiesToAway, llvm::RoundingMode::TowardZero,
      llvm::RoundingMode::TowardNegative, llvm::RoundingMode::TowardPositive};
  llvm::APFloat Out(To);
  Out.convertFromAPInt(llvm::APInt(64, X), Signed, Modes[C.Mode]);
  return Out.bitcastToAPInt().getZExtValue();
}

uint64_t integerToInteger(uint64_t X, const Conversion &C) {
  if (!(C.Flags & Sat))
    return X;
  bool Signed = C.ToClass == TypeClass::Signed;
  unsigned Bits = C.ToWidth - (Signed ? 1 : 0);
  uint64_t Top = Bits == 64 ? ~uint64_t(0) : (uint64_t(1) << Bits) - 1;
  if (C.FromClass == TypeClass::Signed) {
    auto Value = int64_t(X);
    int64_t Least = Signed ? int64_t(~Top) : 0;
    return Value < Least ? uint64_t(Least) : Value > 0 && X > Top ? Top : X;
  }
  return std::min(X, Top);
}

uint64_t extend(uint64_t Bits, TypeClass Class, unsigned Width) {
  if (Width == 64)
    return Bits;
  unsigned Up = 64 - Width;
  return Class == TypeClass::Signed ? uint64_t(int64_t(Bits << Up) >> Up)
                                    : Bits << Up >> Up;
}

/// Any conversion of one element, lane by lane.
void convertAny(WarpState &W, const Inst &I) {
  auto C = bitsAs<Conversion>(I.Imm);
  const char *From = W.reg<char>(I.Op[1]);
  char *To = W.reg<char>(I.Op[0]);
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    uint64_t X = 0;
    std::memcpy(&X, From + size_t(L) * C.FromBytes, C.FromBytes);
    X = extend(X, C.FromClass, C.FromWidth);
    uint64_t Out;
    if (C.fromFloat()) {
      double Value = loadFloat(X, C.FromClass, C.FromWidth);
      if ((C.Flags & Flush) && C.FromWidth == 32)
        Value = flush(float(Value));
      Out = C.toFloat() ? floatToFloat(Value, C) : floatToInteger(Value, C);
    } else {
      Out = C.toFloat() ? integerToFloat(X, C) : integerToInteger(X, C);
    }
    Out = extend(Out, C.ToClass, C.ToWidth);
    std::memcpy(To + size_t(L) * C.ToBytes, &Out, C.ToBytes);
  }
}

// --- the frequent ones, without branches ---

template <typename To, typename As, typename From> struct Reinterpret {
  static To of(From X) { return To(As(X)); }
};
template <typename To, typename As> Handler integerFrom(unsigned Bytes) {
  return Bytes == 2   ? unary<To, uint16_t, Reinterpret<To, As, uint16_t>>
         : Bytes == 4 ? unary<To, uint32_t, Reinterpret<To, As, uint32_t>>
                      : unary<To, uint64_t, Reinterpret<To, As, uint64_t>>;
}
template <typename To> Handler integerAs(const Conversion &C) {
  bool Signed = C.FromClass == TypeClass::Signed;
  switch (C.FromWidth) {
  case 8:
    return Signed ? integerFrom<To, int8_t>(C.FromBytes)
                  : integerFrom<To, uint8_t>(C.FromBytes);
  case 16:
    return Signed ? integerFrom<To, int16_t>(C.FromBytes)
                  : integerFrom<To, uint16_t>(C.FromBytes);
  case 32:
    return Signed ? integerFrom<To, int32_t>(C.FromBytes)
                  : integerFrom<To, uint32_t>(C.FromBytes);
  default:
    return Signed ? integerFrom<To, int64_t>(C.FromBytes)
                  : integerFrom<To, uint64_t>(C.FromBytes);
  }
}

struct WidenF16 {
  static float of(uint16_t X) { return fromF16(X); }
};
struct WidenBF16 {
  static float of(uint16_t X) { return fromBF16(X); }
};
struct NarrowF16 {
  static uint16_t of(float X) { return nearestF16(X); }
};
struct NarrowBF16 {
  static uint16_t of(float X) { return nearestBF16(X); }
};
template <typename T> struct ToFloat {
  static float of(T X) { return float(X); }
};

/// A handler without branches, or null.
Handler quick(const Conversion &C) {
  if (!C.toFloat() && !C.fromFloat()) {
    if (C.Flags || C.ToWidth != 8 * C.ToBytes)
      return nullptr;
    return C.ToBytes == 2   ? integerAs<uint16_t>(C)
           : C.ToBytes == 4 ? integerAs<uint32_t>(C)
                            : integerAs<uint64_t>(C);
  }
  bool Plain = !C.Flags && Rounding(C.Mode) == Rounding::Nearest &&
               C.FromWidth == 8 * C.FromBytes && C.ToWidth == 8 * C.ToBytes;
  if (!Plain)
    return nullptr;
  if (C.fromFloat() && C.toFloat() && C.FromWidth == 16 && C.ToWidth == 32)
    return C.FromClass == TypeClass::Brain ? unary<float, uint16_t, WidenBF16>
                                           : unary<float, uint16_t, WidenF16>;
  if (C.fromFloat() && C.toFloat() && C.FromWidth == 32 && C.ToWidth == 16)
    return C.ToClass == TypeClass::Brain ? unary<uint16_t, float, NarrowBF16>
                                         : unary<uint16_t, float, NarrowF16>;
  if (!C.fromFloat() && C.toFloat() && C.FromWidth == 32 && C.ToWidth == 32)
    return C.FromClass == TypeClass::Signed
               ? unary<float, int32_t, ToFloat<int32_t>>
               : unary<float, uint32_t, ToFloat<uint32_t>>;
  return nullptr;
}

// --- two f32 into one register ---

template <typename Op> void packNearest(WarpState &W, const Inst &I) {
  const auto *High = W.reg<float>(I.Op[1]), *Low = W.reg<float>(I.Op[2]);
  alignas(64) uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = uint32_t(Op::of(High[L])) << 16 | Op::of(Low[L]);
  W.store(I.Op[0], Out);
}
void packAny(WarpState &W, const Inst &I) {
  auto C = bitsAs<Conversion>(I.Imm);
  const auto *High = W.reg<float>(I.Op[1]), *Low = W.reg<float>(I.Op[2]);
  uint32_t Out[WarpSize] = {};
  for (unsigned L = 0; L < WarpSize; ++L)
    if (W.on(L))
      Out[L] =
          uint32_t(floatToFloat(High[L], C) << 16 | floatToFloat(Low[L], C));
  W.store(I.Op[0], Out);
}

/// f32 to tf32: rounded to 10 bits of mantissa, the rest of the register zero.
void toTensorFloat(WarpState &W, const Inst &I) {
  auto C = bitsAs<Conversion>(I.Imm);
  ConvertOptions How;
  How.Round = Rounding(C.Mode);
  How.Relu = C.Flags & ReluFlag;
  How.SatFinite = C.Flags & Finite;
  const auto *X = W.reg<float>(I.Op[1]);
  uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L)
    Out[L] = toTF32(X[L], How);
  W.store(I.Op[0], Out);
}

void takeMode(Decoder &D, Conversion &C) {
  static constexpr std::pair<llvm::StringLiteral, Rounding> Modes[] = {
      {"rn", Rounding::Nearest},
      {"rna", Rounding::NearestAway},
      {"rz", Rounding::Zero},
      {"rm", Rounding::Down},
      {"rp", Rounding::Up}};
  static constexpr std::pair<llvm::StringLiteral, Rounding> Integral[] = {
      {"rni", Rounding::Nearest},
      {"rzi", Rounding::Zero},
      {"rmi", Rounding::Down},
      {"rpi", Rounding::Up}};
  static constexpr std::pair<llvm::StringLiteral, ConvertFlag> Flags[] = {
      {"ftz", Flush}, {"sat", Sat}, {"relu", ReluFlag}, {"satfinite", Finite}};
  for (const auto &[Name, Mode] : Modes)
    if (D.take(Name))
      C.Mode = uint8_t(Mode);
  for (const auto &[Name, Mode] : Integral)
    if (D.take(Name)) {
      C.Mode = uint8_t(Mode);
      C.Flags |= ToIntegral;
    }
  for (const auto &[Name, Flag] : Flags)
    if (D.take(Name))
      C.Flags |= Flag;
}

void decodePack(Decoder &D, Conversion &C, Type To) {
  D.expect(3);
  D.I.Op[0] = D.target(0, B32);
  D.I.Op[1] = D.source(1, F32);
  D.I.Op[2] = D.source(2, F32);
  C.ToWidth = 16;
  D.I.Imm = bitsAs<int64_t>(C);
  if (C.Flags || Rounding(C.Mode) != Rounding::Nearest)
    D.I.Run = packAny;
  else
    D.I.Run = To.Class == TypeClass::Brain ? packNearest<NarrowBF16>
                                           : packNearest<NarrowF16>;
}

void decodeConvert(Decoder &D) {
  Conversion C{};
  takeMode(D, C);
  Type To = D.type(), From = D.type();
  C.ToClass = To.Class;
  C.FromClass = From.Class;
  C.ToWidth = To.Width;
  C.FromWidth = From.Width;
  if (To.Packed && To.isFloat() && To.Width == 32 && From == F32)
    return decodePack(D, C, To);
  D.expect(2);
  unsigned ToBytes = 0, FromBytes = 0;
  D.I.Op[0] = D.target(0, To, &ToBytes);
  D.I.Op[1] = D.source(1, From, &FromBytes);
  C.ToBytes = uint8_t(ToBytes);
  C.FromBytes = uint8_t(FromBytes);
  D.I.Imm = bitsAs<int64_t>(C);
  if (To.Class == TypeClass::Tensor && From == F32) {
    D.I.Run = toTensorFloat;
    return;
  }
  auto Takes = [](Type T) {
    return !T.Packed && (T.isFloat() || T.isInteger());
  };
  Handler Quick = Takes(To) && Takes(From) ? quick(C) : nullptr;
  runs(D, !Takes(To) || !Takes(From) ? nullptr : Quick ? Quick : convertAny);
}

/// cvt.pack.sat.to.from d, a, b[, c]: two 32-bit integers saturated side by
/// side, above the low bits of c.
void packIntegers(WarpState &W, const Inst &I) {
  auto C = bitsAs<Conversion>(I.Imm);
  const auto *A = W.reg<int32_t>(I.Op[1]), *B = W.reg<int32_t>(I.Op[2]);
  const auto *Above = W.reg<uint32_t>(I.Op[3]);
  uint32_t Out[WarpSize];
  for (unsigned L = 0; L < WarpSize; ++L) {
    uint64_t Mask = (uint64_t(1) << C.ToWidth) - 1;
    uint64_t High = integerToInteger(uint64_t(int64_t(A[L])), C) & Mask;
    uint64_t Low = integerToInteger(uint64_t(int64_t(B[L])), C) & Mask;
    uint64_t Rest = I.Count == 4 ? uint64_t(Above[L]) << (2 * C.ToWidth) : 0;
    Out[L] = uint32_t(Rest | High << C.ToWidth | Low);
  }
  W.store(I.Op[0], Out);
}

void decodePackIntegers(Decoder &D) {
  Conversion C{};
  takeMode(D, C);
  Type To = D.type(), From = D.type();
  if (D.next() == "b32")
    D.type();
  C.ToClass = To.Class;
  C.FromClass = TypeClass::Signed;
  C.ToWidth = To.Width;
  D.expect(3, 4);
  simpleOperands(D, From, D.count() - 1);
  D.I.Count = uint8_t(D.count());
  if (D.I.Count == 3)
    D.I.Op[3] = D.I.Op[1];
  D.I.Imm = bitsAs<int64_t>(C);
  runs(D, From == S32 && To.isInteger() && To.Width <= 16 ? packIntegers
                                                          : nullptr);
}

} // namespace

void heddle::ptx::addConvertInstructions(DecodeTable &Into) {
  Into["cvt"] = [](Decoder &D) {
    D.take("pack") ? decodePackIntegers(D) : decodeConvert(D);
  };
}
