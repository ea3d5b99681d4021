// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/RolledLoops.h"

#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Instructions.h"

using namespace heddle::nv;

llvm::PreservedAnalyses
KeepLoopsRolled::run(llvm::Function &F,
                     llvm::FunctionAnalysisManager &Analyses) {
  if (!F.hasFnAttribute(RolledAttr))
    return llvm::PreservedAnalyses::all();
  llvm::LLVMContext &Context = F.getContext();
  llvm::Metadata *No = llvm::MDNode::get(
      Context, llvm::MDString::get(Context, "llvm.loop.unroll.disable"));
  auto *Hint = llvm::MDNode::getDistinct(Context, {nullptr, No});
  Hint->replaceOperandWith(0, Hint);
  const llvm::LoopInfo &Loops = Analyses.getResult<llvm::LoopAnalysis>(F);
  // At every branch: the one that closes a loop may be another one by the time
  // the code is printed.
  for (llvm::BasicBlock &Block : F)
    if (Loops.getLoopFor(&Block))
      Block.getTerminator()->setMetadata(llvm::LLVMContext::MD_loop, Hint);
  return llvm::PreservedAnalyses::all();
}
