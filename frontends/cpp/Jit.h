// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_JIT_H
#define HEDDLE_FRONTENDS_CPP_JIT_H

#include "codegen/HostEmitter.h"
#include "frontends/cpp/Compiler.h"

#include "llvm/Support/Error.h"

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

/// Loads object files that belong together into this process and returns their
/// descriptor.
llvm::Expected<const heddle_descriptor *>
loadObjects(llvm::ArrayRef<HostEmitter::Object> Objects,
            std::unique_ptr<llvm::orc::LLJIT> &Code);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_JIT_H
