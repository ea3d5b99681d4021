// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/DeviceLibrary.h"

#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Linker/Linker.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

// The library as bitcode; written by CMake.
static const unsigned char Bitcode[] = {
#include "codegen/nv/DeviceLibrary.inc"
};

static constexpr StringLiteral Prefix = "heddle_device_";

Error heddle::nv::linkDeviceLibrary(Module &Module) {
  SmallVector<StringRef> Wanted;
  for (const Function &F : Module)
    if (F.isDeclaration() && F.getName().starts_with(Prefix))
      Wanted.push_back(F.getName());
  if (Wanted.empty())
    return Error::success();
  MemoryBufferRef Bytes(
      StringRef(reinterpret_cast<const char *>(Bitcode), sizeof(Bitcode)),
      "device library");
  Expected<std::unique_ptr<llvm::Module>> Library =
      parseBitcodeFile(Bytes, Module.getContext());
  if (!Library)
    return Library.takeError();
  // It is code for whatever machine the module is for.
  (*Library)->setTargetTriple(Module.getTargetTriple());
  (*Library)->setDataLayout(Module.getDataLayout());
  for (Function &F : **Library) {
    F.removeFnAttr("target-cpu");
    F.removeFnAttr("target-features");
  }
  // Names of functions of the module are gone when they are replaced.
  const SmallVector<std::string> Names(Wanted.begin(), Wanted.end());
  if (Linker::linkModules(Module, std::move(*Library), Linker::LinkOnlyNeeded))
    return createStringError("the device library cannot be linked");
  for (StringRef Name : Names) {
    Function *F = Module.getFunction(Name);
    if (!F || F->isDeclaration())
      return createStringError("the device library has no function '" + Name +
                               "'");
    F->setLinkage(GlobalValue::InternalLinkage);
    F->removeFnAttr(Attribute::NoInline);
    F->addFnAttr(Attribute::AlwaysInline);
  }
  return Error::success();
}
