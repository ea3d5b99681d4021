// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary that targets write elementwise code in: values of a number of
// lanes, which are vectors, or plain scalars where a lane is a thread of its
// own; pointers in steps of f32 elements, 64-bit integers, counted loops.

#ifndef HEDDLE_CODEGEN_LANES_LANEBUILDER_H
#define HEDDLE_CODEGEN_LANES_LANEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace heddle {

class LaneBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Values = mlir::SmallVector<mlir::Value>;
  using LoopBody =
      llvm::function_ref<Values(mlir::Value Index, mlir::ValueRange Carried)>;

  /// Values without lanes are scalars.
  static constexpr int64_t Scalars = 0;

  /// Builds at the end of `Entry`, the first block of the new function.
  LaneBuilder(mlir::Location Loc, mlir::Block *Entry, int64_t Lanes);

  mlir::Block *entry() const { return Entry; }
  int64_t lanes() const { return Lanes; }
  mlir::Type ptrType() const { return Ptr; }
  /// One `Element` per lane.
  mlir::Type ofLanes(mlir::Type Element) const;

  /// Constants live once in the entry block.
  mlir::Value i64(int64_t Value);
  mlir::Value f32(float Value);
  mlir::Value constant(mlir::TypedAttr Value);
  /// The same in every lane.
  mlir::Value splat(float Value);
  mlir::Value splat(mlir::Value Scalar);
  mlir::Value splatConstant(mlir::TypedAttr Scalar);

  /// Between `index`, the type of the kernel's own arithmetic, and i64.
  mlir::Value toI64(mlir::Value Index);
  mlir::Value toIndex(mlir::Value I64);

  mlir::Value add(mlir::Value X, mlir::Value Y);
  mlir::Value add(mlir::Value X, int64_t Y);
  mlir::Value mul(mlir::Value X, mlir::Value Y);
  mlir::Value mul(mlir::Value X, int64_t Y);
  mlir::Value min(mlir::Value X, mlir::Value Y);

  mlir::Value fadd(mlir::Value X, mlir::Value Y);
  mlir::Value fsub(mlir::Value X, mlir::Value Y);
  mlir::Value fmul(mlir::Value X, mlir::Value Y);
  /// x * y + z, fused where the machine fuses.
  mlir::Value fma(mlir::Value X, mlir::Value Y, mlir::Value Z);
  mlir::Value cmp(mlir::arith::CmpFPredicate P, mlir::Value X, mlir::Value Y);
  mlir::Value select(mlir::Value C, mlir::Value X, mlir::Value Y);

  /// `Base` plus so many elements (f32 unless told).
  mlir::Value offset(mlir::Value Base, mlir::Value Elements,
                     mlir::Type Element = {});
  mlir::Value offset(mlir::Value Base, int64_t Elements,
                     mlir::Type Element = {});

  mlir::Value loadScalar(mlir::Value Pointer, mlir::Type Type = {});
  void storeScalar(mlir::Value Value, mlir::Value Pointer);

  /// for (i = 0; i < End; i += Step), results carried; a loop of one iteration
  /// is its body.
  Values loop(int64_t End, int64_t Step, mlir::ValueRange Inits, LoopBody Body);
  Values loop(mlir::Value End, int64_t Step, mlir::ValueRange Inits,
              LoopBody Body);
  void loop(int64_t End, int64_t Step,
            llvm::function_ref<void(mlir::Value Index)> Body);
  void loop(mlir::Value End, int64_t Step,
            llvm::function_ref<void(mlir::Value Index)> Body);

  /// One of two pieces of code without results.
  void branch(mlir::Value Condition, llvm::function_ref<void()> Then,
              llvm::function_ref<void()> Else = {});

private:
  mlir::Block *Entry;
  int64_t Lanes;
  mlir::Type Ptr;
  llvm::DenseMap<mlir::Attribute, mlir::Value> Constants;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_LANEBUILDER_H
