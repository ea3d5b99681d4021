// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel did wrong, and where.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_FAULT_H
#define HEDDLE_CODEGEN_NV_EMULATION_FAULT_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace heddle::ptx {

enum class FaultKind : unsigned {
  Launch,        ///< the launch itself is not possible
  OutOfBounds,   ///< an address outside everything that may be touched there
  Misaligned,    ///< an address that is no multiple of the access
  ReadOnly,      ///< a write to constant memory or parameters
  Uninitialized, ///< a read of shared memory that nobody wrote
  Pending,       ///< shared memory touched while an asynchronous copy owns it
  Race,          ///< two accesses to shared memory that nothing orders
  Deadlock,      ///< every warp waits
  MissingLanes,  ///< a .sync or .aligned instruction without all its lanes
  Barrier, ///< a barrier used with different counts, or counts it cannot have
  Trap,    ///< trap, or an execution that fell off the end
  Hang,    ///< more instructions than Options::MaxInstructions
};
/// For programs, e.g. "out-of-bounds".
llvm::StringRef faultName(FaultKind Of);

struct Fault {
  FaultKind Kind = FaultKind::Launch;
  /// What happened, without the place.
  std::string Message;
  std::string Kernel;
  /// The line of the PTX text (from 1; 0: no instruction is at fault), its
  /// text, and "file:line" of the source where the text has .loc.
  unsigned Line = 0;
  std::string Text, Source;
  uint32_t Cta[3] = {0, 0, 0};
  uint32_t Warp = 0;
  /// The first lane at fault, -1 where the warp as a whole is.
  int32_t Lane = -1;

  /// All of it on one line:
  /// <kernel>: CTA (x,y,z) warp w lane l: <message>, at line <n>: <text>
  std::string describe() const;
};

} // namespace heddle::ptx

#endif
