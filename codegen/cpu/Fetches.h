// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_FETCHES_H
#define HEDDLE_CODEGEN_CPU_FETCHES_H

#include "codegen/cpu/MicroKernel.h"

namespace heddle::cpu {

/// What falls to one stripe of register tiles of the rows that are asked for:
/// those of `P.Ahead`, and of `P.A` itself, where the product works through it,
/// those of the next stripe.
class Fetches {
public:
  Fetches(KernelBuilder &B, const Product &P, mlir::Value FirstRow,
          int64_t Rows);

  /// Part `Number` of `Parts` of what falls to the stretches of a reduction.
  void emitLater(mlir::Value Number, int64_t Parts);
  /// All at once: a stripe has time enough for them to arrive.
  void emitAll();
  /// The share of one step of the reduction.
  void emitPart(mlir::Value Step);

private:
  /// Rows, and which stripe's share of them is brought to which cache.
  struct Want {
    RowsAhead Rows;
    mlir::Value Stripe;
    CacheLevel To = CacheLevel::Second;
  };

  KernelBuilder &B;
  const Product &P;
  mlir::Value Stripe;
  int64_t Stripes;
  llvm::SmallVector<Want, 2> Wanted, Spread;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_FETCHES_H
