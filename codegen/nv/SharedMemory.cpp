// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/SharedMemory.h"

#include "dialect/nv/Nv.h"

#include <algorithm>

using namespace heddle::nv;
using namespace mlir;

int64_t SharedMemory::reserve(int64_t Bytes) {
  int64_t Offset = Used;
  Used = roundUp(Offset + Bytes, kSlotAlignment);
  Most = std::max(Most, Used);
  return Offset;
}

Value SharedMemory::at(int64_t Offset) {
  Value Base =
      LLVM::AddressOfOp::create(B, B.ptrType(Space::Shared), kSharedSymbol);
  return B.bytes(Base, Offset);
}
