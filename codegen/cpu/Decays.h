// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of factors between tokens: multiplied out along the way, never
// divided and never from logarithms, so that they are exact to rounding and a
// factor of 0 is one like any other.

#ifndef HEDDLE_CODEGEN_CPU_DECAYS_H
#define HEDDLE_CODEGEN_CPU_DECAYS_H

#include "codegen/cpu/Tiles.h"

namespace heddle::cpu {

/// See `tile.decays`. Everything is stored.
struct Decays {
  /// Of w.
  mlir::RankedTensorType Type;
  mlir::Value A, W, FromStart, ToEnd;
};

void emitDecays(KernelBuilder &B, const Decays &D);

/// See `tile.decayed_scores`; q and s are stored.
struct DecayedScores {
  /// Of q.
  mlir::RankedTensorType Type;
  mlir::Value Q;
  KeySide K, A;
  mlir::Value S;
  bool Before = false;
};

void emitDecayedScores(KernelBuilder &B, const DecayedScores &D);

/// See `tile.cumulate`. Everything is stored; `FromStart` may be `A`.
struct Cumulation {
  /// Of a.
  mlir::RankedTensorType Type;
  mlir::Value A, FromStart, ToEnd, Total;
  bool Before = false;
};

void emitCumulation(KernelBuilder &B, const Cumulation &C);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_DECAYS_H
