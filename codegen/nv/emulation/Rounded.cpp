// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Rounded.h"

#include "codegen/nv/emulation/Formats.h"

#include "llvm/ADT/APFloat.h"

using namespace heddle::ptx;
using llvm::APFloat;

static llvm::RoundingMode roundingMode(Rounding Mode) {
  switch (Mode) {
  case Rounding::Zero:
    return llvm::RoundingMode::TowardZero;
  case Rounding::Down:
    return llvm::RoundingMode::TowardNegative;
  case Rounding::Up:
    return llvm::RoundingMode::TowardPositive;
  case Rounding::NearestAway:
    return llvm::RoundingMode::NearestTiesToAway;
  case Rounding::Nearest:
    break;
  }
  return llvm::RoundingMode::NearestTiesToEven;
}

static float valueOf(const APFloat &X, float) { return X.convertToFloat(); }
static double valueOf(const APFloat &X, double) { return X.convertToDouble(); }

template <typename T>
static T compute(RoundedOp By, llvm::RoundingMode Mode, T A, T B, T C) {
  APFloat X(A);
  switch (By) {
  case RoundedOp::Add:
    X.add(APFloat(B), Mode);
    break;
  case RoundedOp::Sub:
    X.subtract(APFloat(B), Mode);
    break;
  case RoundedOp::Mul:
    X.multiply(APFloat(B), Mode);
    break;
  case RoundedOp::Div:
    X.divide(APFloat(B), Mode);
    break;
  case RoundedOp::Fma:
    X.fusedMultiplyAdd(APFloat(B), APFloat(C), Mode);
    break;
  case RoundedOp::Rcp:
    X = APFloat(T(1));
    X.divide(APFloat(A), Mode);
    break;
  }
  return valueOf(X, T());
}

template <typename T> static void runRounded(WarpState &W, const Inst &I) {
  auto By = RoundedOp(I.Count);
  llvm::RoundingMode Mode = roundingMode(Rounding(I.Aux));
  bool Flush = I.Flags & Ftz;
  T Out[WarpSize] = {};
  for (unsigned L = 0; L < WarpSize; ++L) {
    if (!W.on(L))
      continue;
    T In[3];
    for (unsigned N = 0; N < 3; ++N) {
      In[N] = W.reg<T>(I.Op[1 + N])[L];
      In[N] = Flush ? flush(In[N]) : In[N];
    }
    T X = compute(By, Mode, In[0], In[1], In[2]);
    X = Flush ? flush(X) : X;
    if (I.Flags & Saturate)
      X = !(X > 0) ? T(0) : X > 1 ? T(1) : X;
    Out[L] = X;
  }
  W.store(I.Op[0], Out);
}

void heddle::ptx::decodeRounded(Decoder &D, Type Of, RoundedOp By,
                                Rounding Mode) {
  unsigned Sources = By == RoundedOp::Rcp ? 1 : By == RoundedOp::Fma ? 3 : 2;
  simpleOperands(D, Of, Sources);
  // Operands that the operation does not have are read too.
  for (unsigned N = Sources + 1; N <= 3; ++N)
    D.I.Op[N] = D.I.Op[1];
  D.I.Count = uint8_t(By);
  D.I.Aux = uint32_t(Mode);
  bool Known = Of.isFloat() && !Of.Packed && Of.Width >= 32;
  runs(D, !Known           ? nullptr
          : Of.Width == 32 ? runRounded<float>
                           : runRounded<double>);
}
