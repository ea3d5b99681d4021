// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From addresses of lanes to bytes, with all checks.

#ifndef HEDDLE_CODEGEN_NV_EMULATION_MEMORY_H
#define HEDDLE_CODEGEN_NV_EMULATION_MEMORY_H

#include "codegen/nv/emulation/Cta.h"

namespace heddle::ptx {

class Decoder;

/// How an access orders others (PTX ISA, Memory Consistency Model). Weak
/// accesses may race; the others may not with each other.
enum class Order : uint8_t { Weak, Relaxed, Acquire, Release, Both };

enum class Touch : uint8_t { Read, Write, Both };

/// The accesses of one instruction.
class MemoryAccess {
public:
  MemoryAccess(WarpState &W, Space In, Touch How, Order With = Order::Weak);

  /// The bytes of a lane; null: a fault. They do not straddle anything.
  char *resolve(unsigned Lane, uint64_t Address, unsigned Bytes);
  /// The same, without noting the access to shared memory.
  char *locate(unsigned Lane, uint64_t Address, unsigned Bytes);

  /// Whether the last address was one of shared memory.
  bool inShared() const { return IsShared; }

private:
  char *global(unsigned Lane, uint64_t Address, unsigned Bytes);
  char *parameter(unsigned Lane, uint64_t Address, unsigned Bytes);
  char *outside(unsigned Lane, Space In, uint64_t Address, unsigned Bytes,
                uint64_t Size);
  void order(uint64_t Key);

  WarpState &W;
  Space In;
  Touch How;
  Order With;
  Access Shared;
  bool IsShared = false;
};

/// The order and scope modifiers of ld, st, atom and red. Scopes make no
/// difference: all threads that run together are in one CTA.
Order takeOrder(Decoder &D, Order Plain);

/// fence, membar: what was done before counts for what comes after.
void fence(WarpState &W);

/// Makes the lanes of a warp see what each other did.
inline void orderLanes(WarpState &W) { ++W.Clock[W.Index]; }

} // namespace heddle::ptx

#endif
