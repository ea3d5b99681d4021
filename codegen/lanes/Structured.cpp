// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/Structured.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace heddle;
using namespace mlir;

SmallVector<Value> heddle::emitLoop(
    ImplicitLocOpBuilder &B, Value Begin, Value End, Value Step,
    ValueRange Inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> Body) {
  auto For = scf::ForOp::create(
      B, Begin, End, Step, Inits,
      [&](OpBuilder &Nested, Location, Value Index, ValueRange Carried) {
        OpBuilder::InsertionGuard Guard(B);
        B.restoreInsertionPoint(Nested.saveInsertionPoint());
        scf::YieldOp::create(B, Body(Index, Carried));
      });
  return llvm::to_vector_of<Value>(For.getResults());
}

void heddle::emitBranch(ImplicitLocOpBuilder &B, Value Condition,
                        llvm::function_ref<void()> Then,
                        llvm::function_ref<void()> Else) {
  auto Branch = [&](llvm::function_ref<void()> Code) {
    return [&B, Code](OpBuilder &Nested, Location) {
      OpBuilder::InsertionGuard Guard(B);
      B.restoreInsertionPoint(Nested.saveInsertionPoint());
      Code();
      scf::YieldOp::create(B);
    };
  };
  if (Else)
    scf::IfOp::create(B, Condition, Branch(Then), Branch(Else));
  else
    scf::IfOp::create(B, Condition, Branch(Then));
}
