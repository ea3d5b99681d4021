// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/DeviceFunctions.h"

#include "mlir/IR/BuiltinOps.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

/// As in device/Index.cpp.
static StringRef symbolOf(IndexQuestion Question) {
  switch (Question) {
  case IndexQuestion::Span:
    return "heddle_device_span";
  case IndexQuestion::Seek:
    return "heddle_device_seek";
  case IndexQuestion::Probe:
    return "heddle_device_probe";
  case IndexQuestion::Rank:
    return "heddle_device_rank";
  case IndexQuestion::Member:
    return "heddle_device_member";
  }
  llvm_unreachable("covered switch");
}

Value DeviceFunctions::call(IndexQuestion Question, ArrayRef<Value> Arguments) {
  bool HasResult =
      Question != IndexQuestion::Span && Question != IndexQuestion::Probe;
  StringRef Symbol = symbolOf(Question);
  auto Module = B.entry()->getParentOp()->getParentOfType<ModuleOp>();
  auto Function = Module.lookupSymbol<LLVM::LLVMFuncOp>(Symbol);
  if (!Function) {
    Type Result = HasResult ? Type(B.getI64Type())
                            : Type(LLVM::LLVMVoidType::get(B.getContext()));
    auto FunctionType = LLVM::LLVMFunctionType::get(
        Result, llvm::to_vector(ValueRange(Arguments).getTypes()));
    OpBuilder::InsertionGuard Guard(B);
    B.setInsertionPointToStart(Module.getBody());
    Function = LLVM::LLVMFuncOp::create(B, Symbol, FunctionType);
  }
  auto Call = LLVM::CallOp::create(B, Function, Arguments);
  return HasResult ? Call.getResult() : Value();
}
