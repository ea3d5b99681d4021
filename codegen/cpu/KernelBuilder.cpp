// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/KernelBuilder.h"

#include <algorithm>

using namespace heddle::cpu;
using namespace mlir;

int64_t heddle::cpu::largestDivisor(int64_t N, int64_t Limit) {
  for (int64_t D = std::min(N, Limit); D > 1; --D)
    if (N % D == 0)
      return D;
  return 1;
}

KernelBuilder::KernelBuilder(Location Loc, Block *Entry, const Shape &S)
    : LaneBuilder(Loc, Entry, S.Lanes), S(S),
      Vector(VectorType::get({S.Lanes}, getF32Type())) {
  int64_t Bytes = S.Lanes * 4;
  VectorAlignment = std::min<int64_t>(64, Bytes & -Bytes);
}

Value KernelBuilder::loadVector(Value Pointer) {
  return LLVM::LoadOp::create(*this, Vector, Pointer, VectorAlignment);
}

void KernelBuilder::storeVector(Value V, Value Pointer) {
  LLVM::StoreOp::create(*this, V, Pointer, VectorAlignment);
}

void KernelBuilder::prefetch(Value Pointer, CacheLevel To) {
  constexpr int32_t ForReading = 0, OfData = 1;
  LLVM::Prefetch::create(*this, Pointer, ForReading,
                         To == CacheLevel::First ? 3 : 2, OfData);
}
