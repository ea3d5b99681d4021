// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the builders of all targets' code share: constants that live once,
// arithmetic of scalars, or of vectors, lane by lane; steps of pointers;
// counted loops and branches.

#ifndef HEDDLE_CODEGEN_LANES_CODEBUILDER_H
#define HEDDLE_CODEGEN_LANES_CODEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace heddle {

class CodeBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using Values = mlir::SmallVector<mlir::Value>;
  using LoopBody =
      llvm::function_ref<Values(mlir::Value Index, mlir::ValueRange Carried)>;

  /// Builds at the end of `Entry`, the first block of the new function. Loops
  /// of a known length count in integers of `CounterBits`.
  CodeBuilder(mlir::Location Loc, mlir::Block *Entry, unsigned CounterBits);

  mlir::Block *entry() const { return Entry; }

  /// Constants live once, in the entry block.
  mlir::Value i64(int64_t Value);
  mlir::Value f32(float Value);
  mlir::Value constant(mlir::TypedAttr Value);
  /// A constant of the integer type of `Like`.
  mlir::Value like(mlir::Value Like, int64_t Value);

  /// Integers; the second operand may be a number.
  mlir::Value add(mlir::Value X, mlir::Value Y);
  mlir::Value add(mlir::Value X, int64_t Y);
  mlir::Value mul(mlir::Value X, mlir::Value Y);
  mlir::Value mul(mlir::Value X, int64_t Y);
  /// The lesser signed one.
  mlir::Value min(mlir::Value X, mlir::Value Y);

  mlir::Value fadd(mlir::Value X, mlir::Value Y);
  mlir::Value fsub(mlir::Value X, mlir::Value Y);
  mlir::Value fmul(mlir::Value X, mlir::Value Y);
  mlir::Value cmp(mlir::arith::CmpFPredicate P, mlir::Value X, mlir::Value Y);
  mlir::Value select(mlir::Value C, mlir::Value X, mlir::Value Y);

  /// `Base` plus so many elements (f32 unless told).
  mlir::Value offset(mlir::Value Base, mlir::Value Elements,
                     mlir::Type Element = {});
  mlir::Value offset(mlir::Value Base, int64_t Elements,
                     mlir::Type Element = {});

  /// for (i = 0; i < End; i += Step), results carried. The index has the type
  /// of `End`. A loop of one iteration is its body.
  Values loop(int64_t End, int64_t Step, mlir::ValueRange Inits, LoopBody Body);
  Values loop(mlir::Value End, int64_t Step, mlir::ValueRange Inits,
              LoopBody Body);
  void loop(int64_t End, int64_t Step,
            llvm::function_ref<void(mlir::Value Index)> Body);
  void loop(mlir::Value End, int64_t Step,
            llvm::function_ref<void(mlir::Value Index)> Body);
  /// for (i = Begin; i < End; i += Step).
  void loop(mlir::Value Begin, mlir::Value End, int64_t Step,
            llvm::function_ref<void(mlir::Value Index)> Body);

  /// One of two pieces of code without results.
  void branch(mlir::Value Condition, llvm::function_ref<void()> Then,
              llvm::function_ref<void()> Else = {});

protected:
  /// `Known`, which is made at the start of the entry block if there is none.
  mlir::Value inEntry(mlir::Value &Known,
                      llvm::function_ref<mlir::Value()> Make);

private:
  mlir::Value counter(int64_t Value);

  mlir::Block *Entry;
  unsigned CounterBits;
  llvm::DenseMap<mlir::Attribute, mlir::Value> Constants;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_CODEBUILDER_H
