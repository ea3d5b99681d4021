// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/Jit.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

using namespace heddle;

Program::Impl::Impl() = default;

Program::Impl::~Impl() { heddle_bundle_close(Bundle); }

Program::Program(std::unique_ptr<Impl> Content) : Content(std::move(Content)) {}
Program::Program(Program &&) noexcept = default;
Program &Program::operator=(Program &&) noexcept = default;
Program::~Program() = default;

const heddle_bundle *Program::bundle() const { return Content->Bundle; }
const heddle_kernel *Program::kernel() const { return Content->Kernel; }
const Timings &Program::timings() const { return Content->Spent; }

llvm::Expected<const heddle_descriptor *>
heddle::loadObjects(llvm::ArrayRef<HostEmitter::Object> Objects,
                    std::unique_ptr<llvm::orc::LLJIT> &Code) {
  // The objects are complete: they need no symbol of the process, no
  // constructors and no thread-local storage, and thus none of the support code
  // that a general JIT compiles at its start.
  llvm::orc::LLJITBuilder Builder;
  Builder
      .setJITTargetMachineBuilder(llvm::orc::JITTargetMachineBuilder(
          llvm::Triple(llvm::sys::getProcessTriple())))
      .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
      .setLinkProcessSymbolsByDefault(false);
  llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> Made = Builder.create();
  if (!Made)
    return Made.takeError();
  for (const HostEmitter::Object &Object : Objects)
    if (llvm::Error E =
            (*Made)->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(
                llvm::StringRef(Object->data(), Object->size()), "kernel")))
      return std::move(E);
  llvm::Expected<llvm::orc::ExecutorAddr> Address =
      (*Made)->lookup(HEDDLE_DESCRIPTOR_SYMBOL);
  if (!Address)
    return Address.takeError();
  Code = std::move(*Made);
  return Address->toPtr<const heddle_descriptor *>();
}
