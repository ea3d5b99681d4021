// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/SharedMemory.h"

#include "dialect/nv/Nv.h"

#include <algorithm>

using namespace heddle::nv;
using namespace mlir;

SharedMemory::Part SharedMemory::reserve(int64_t Bytes) {
  int64_t Begin = Used;
  Used = roundUp(Begin + Bytes, kSlotAlignment);
  bool IsNew = Begin >= Most && Depth == 0;
  Most = std::max(Most, Used);
  // What the turn before did comes before all that this turn does.
  int64_t Until = 0;
  for (const Use &E : Earlier)
    if (E.Begin < Used && Begin < E.End)
      Until = std::max(Until, E.Until);
  bool HaveMet = MetIn == B.getInsertionBlock() && Met > Until;
  return {Begin, IsNew || HaveMet};
}

void SharedMemory::barrier() {
  B.barrier();
  Met = ++Time;
  MetIn = B.getInsertionBlock();
}

void SharedMemory::close(int64_t Mark, int64_t OuterDepth) {
  if (Used > Mark)
    Earlier.push_back({Mark, Used, ++Time});
  Used = Mark;
  Depth = OuterDepth;
}

Value SharedMemory::at(int64_t Offset) {
  Value Base =
      LLVM::AddressOfOp::create(B, B.ptrType(Space::Shared), kSharedSymbol);
  return B.bytes(Base, Offset);
}
