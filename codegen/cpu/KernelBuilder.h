// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary the lowering of tile verbs is written in: f32 vectors of the
// schedule's width, pointers in steps of f32 elements, 64-bit integers, counted
// loops.

#ifndef HEDDLE_CODEGEN_CPU_KERNELBUILDER_H
#define HEDDLE_CODEGEN_CPU_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace heddle::cpu {

/// What the lowering knows of the machine and the schedule.
struct Shape {
  /// Elements of a vector value.
  int64_t Lanes;
  /// Rows of the micro-kernel's register tile.
  int64_t Rows;
  /// Steps of the reduction per loop iteration.
  int64_t Unroll;
  /// Vector values that the registers hold at once, and how many a
  /// multiply-add needs for itself.
  int64_t Registers;
  int64_t ProductScratch;
  /// Conversions between f16 and f32 are instructions.
  bool ConvertsHalf;

  /// `Elements` in whole vectors.
  int64_t vectors(int64_t Elements) const {
    return (Elements + Lanes - 1) / Lanes;
  }
};

/// The largest divisor of `N` that is at most `Limit`; at least 1.
int64_t largestDivisor(int64_t N, int64_t Limit);

class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Values = mlir::SmallVector<mlir::Value>;
  using LoopBody =
      llvm::function_ref<Values(mlir::Value Index, mlir::ValueRange Carried)>;

  /// Builds at the end of `Entry`, the first block of the new function.
  KernelBuilder(mlir::Location Loc, mlir::Block *Entry, const Shape &S);

  const Shape &shape() const { return S; }
  int64_t lanes() const { return S.Lanes; }
  mlir::Type ptrType() const { return Ptr; }
  mlir::VectorType vectorType() const { return Vector; }

  /// Constants live once in the entry block.
  mlir::Value i64(int64_t Value);
  mlir::Value f32(float Value);
  mlir::Value splat(float Value);
  mlir::Value constant(mlir::TypedAttr Value);
  mlir::Value splat(mlir::Value Scalar);

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

  /// Vectors lie at multiples of their width from a 64-byte boundary.
  mlir::Value loadVector(mlir::Value Pointer);
  void storeVector(mlir::Value Vector, mlir::Value Pointer);
  mlir::Value loadScalar(mlir::Value Pointer, mlir::Type Type = {});
  void storeScalar(mlir::Value Value, mlir::Value Pointer);
  /// Asks for the cache line of an address, into the second level. Any address
  /// will do.
  void prefetch(mlir::Value Pointer);

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
  Shape S;
  mlir::Type Ptr;
  mlir::VectorType Vector;
  unsigned VectorAlignment;
  llvm::DenseMap<mlir::Attribute, mlir::Value> Constants;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_KERNELBUILDER_H
