// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text, read and decoded once, ready to run.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_PROGRAM_H
#define HEDDLE_CODEGEN_NV_EMULATION_PROGRAM_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::ptx {

struct Module;

/// What a launch must know of an entry of the module; what it does is inside
/// the program.
struct Kernel {
  std::string Name;
  /// Threads of a CTA: exactly these (.reqntid), at most these (.maxntid);
  /// zeros where the text says nothing.
  uint32_t RequiredThreads[3] = {0, 0, 0};
  uint32_t MaxThreads[3] = {0, 0, 0};
  /// The parameters as one block of bytes, each at its own alignment in order.
  uint64_t ParameterBytes = 0;
  uint64_t ParameterAlign = 1;
  /// Offset of every parameter in that block.
  std::vector<uint64_t> ParameterOffsets;
  /// Shared memory that the text itself sizes; the dynamic part follows it.
  uint64_t SharedBytes = 0;
  /// Per thread: stack and spills of the deepest chain of calls without
  /// recursion, and registers named by the entry (32-bit units; virtual ones,
  /// so more than the hardware would use).
  uint64_t LocalBytes = 0;
  uint32_t Registers = 0;
  /// Number of the function in the module.
  unsigned Function = 0;
};

/// A decoded module. It never changes and may be shared by host threads.
class Program {
public:
  /// Reads a module. An instruction or directive that the emulator does not
  /// know is an error, with `Name`, the line and the text of the statement.
  static llvm::Expected<std::unique_ptr<Program>> parse(llvm::StringRef Text,
                                                        llvm::StringRef Name);
  ~Program();

  /// The entry of that name, or null.
  const Kernel *find(llvm::StringRef Entry) const;
  const std::vector<Kernel> &kernels() const;
  /// What .target says, e.g. "sm_80".
  llvm::StringRef target() const;
  /// The name given to parse().
  llvm::StringRef name() const;

  /// The decoded text, for the emulator itself.
  const Module &module() const { return *Code; }

private:
  Program();
  std::unique_ptr<Module> Code;
};

} // namespace heddle::ptx

#endif
