// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/DeviceLibrary.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/MemoryBuffer.h"

// The library as bitcode; written by CMake.
static const unsigned char Bitcode[] = {
#include "codegen/nv/DeviceLibrary.inc"
};

static constexpr llvm::StringLiteral Prefix = "heddle_device_";

llvm::Error heddle::nv::linkDeviceLibrary(llvm::Module &Module) {
  llvm::SmallVector<llvm::StringRef> Wanted;
  for (const llvm::Function &F : Module)
    if (F.isDeclaration() && F.getName().starts_with(Prefix))
      Wanted.push_back(F.getName());
  if (Wanted.empty())
    return llvm::Error::success();
  llvm::MemoryBufferRef Bytes(
      llvm::StringRef(reinterpret_cast<const char *>(Bitcode), sizeof(Bitcode)),
      "device library");
  llvm::Expected<std::unique_ptr<llvm::Module>> Library =
      llvm::parseBitcodeFile(Bytes, Module.getContext());
  if (!Library)
    return Library.takeError();
  // It is code for whatever machine the module is for.
  (*Library)->setTargetTriple(Module.getTargetTriple());
  (*Library)->setDataLayout(Module.getDataLayout());
  for (llvm::Function &F : **Library) {
    F.removeFnAttr("target-cpu");
    F.removeFnAttr("target-features");
  }
  // Names of functions of the module are gone when they are replaced.
  const llvm::SmallVector<std::string> Names(Wanted.begin(), Wanted.end());
  if (llvm::Linker::linkModules(Module, std::move(*Library),
                                llvm::Linker::LinkOnlyNeeded))
    return llvm::createStringError("the device library cannot be linked");
  for (llvm::StringRef Name : Names) {
    llvm::Function *F = Module.getFunction(Name);
    if (!F || F->isDeclaration())
      return llvm::createStringError("the device library has no function '" +
                                     Name + "'");
    F->setLinkage(llvm::GlobalValue::InternalLinkage);
    F->removeFnAttr(llvm::Attribute::NoInline);
    F->addFnAttr(llvm::Attribute::AlwaysInline);
  }
  return llvm::Error::success();
}
