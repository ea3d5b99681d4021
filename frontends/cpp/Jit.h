// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_JIT_H
#define HEDDLE_FRONTENDS_CPP_JIT_H

#include "frontends/cpp/Compiler.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace heddle {

struct Program::Impl {
  Impl();
  ~Impl();

  // The bundle looks at the code: it is closed first.
  std::unique_ptr<llvm::orc::LLJIT> Code;
  heddle_bundle *Bundle = nullptr;
  const heddle_kernel *Kernel = nullptr;
  Timings Spent;
};

/// Loads an object file into this process and returns its descriptor.
llvm::Expected<const heddle_descriptor *>
loadObject(std::unique_ptr<llvm::MemoryBuffer> Object,
           std::unique_ptr<llvm::orc::LLJIT> &Code);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_JIT_H
