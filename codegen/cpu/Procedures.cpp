// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Procedures.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle::cpu;
using namespace mlir;

Procedures::Procedures(LLVM::LLVMFuncOp Function)
    : Kernel(Function), Last(Function) {}

/// Verbs with a formula or a region of the pattern in them. That of another
/// kernel is hardly ever the same.
static bool isOfPattern(StringRef Verb) {
  return llvm::is_contained({"bits", "modify", "map"}, Verb);
}

LLVM::LLVMFuncOp Procedures::create(Location Loc, StringRef Verb,
                                    TypeRange Arguments) {
  MLIRContext *Context = Loc.getContext();
  auto Type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(Context),
                                          llvm::to_vector(Arguments));
  Operation *Module = Kernel->getParentOp();
  std::string Base = (Kernel.getName() + "." + Verb).str();
  std::string Name = Base;
  for (unsigned I = 0; SymbolTable::lookupSymbolIn(Module, Name); ++I)
    Name = Base + "_" + std::to_string(I);
  OpBuilder B(Context);
  B.setInsertionPointAfter(Last);
  auto Made =
      LLVM::LLVMFuncOp::create(B, Loc, Name, Type, LLVM::Linkage::Internal);
  Made.setNoInline(true);
  Made.setTargetCpuAttr(Kernel.getTargetCpuAttr());
  Made.setTargetFeaturesAttr(Kernel.getTargetFeaturesAttr());
  Made.setPreferVectorWidthAttr(Kernel.getPreferVectorWidthAttr());
  if (!isOfPattern(Verb))
    Made->setAttr(ProcedureAttr, B.getStringAttr(Verb));
  Last = Made;
  return Made;
}

void Procedures::call(KernelBuilder &B, StringRef Verb, ArrayRef<int64_t> Sizes,
                      ArrayRef<Value *> Inputs,
                      function_ref<void(KernelBuilder &)> Body) {
  std::string Key = Verb.str();
  for (int64_t Size : Sizes)
    Key += "," + std::to_string(Size);
  KernelBuilder::Values Arguments;
  for (Value *Input : Inputs) {
    Key += *Input ? ",+" : ",-";
    if (*Input)
      Arguments.push_back(*Input);
  }
  LLVM::LLVMFuncOp &Procedure = Known[Key];
  if (!Procedure) {
    Procedure = create(B.getLoc(), Verb, ValueRange(Arguments).getTypes());
    OpBuilder Blocks(B.getContext());
    Block *Entry = Procedure.addEntryBlock(Blocks);
    unsigned Next = 0;
    for (Value *Input : Inputs)
      if (*Input)
        *Input = Entry->getArgument(Next++);
    KernelBuilder Inner(B.getLoc(), Entry, B.shape());
    Body(Inner);
    LLVM::ReturnOp::create(Inner, ValueRange());
    Next = 0;
    for (Value *Input : Inputs)
      if (*Input)
        *Input = Arguments[Next++];
  }
  LLVM::CallOp::create(B, Procedure, Arguments);
}
