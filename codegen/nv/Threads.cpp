// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Threads.h"

using namespace heddle::nv;
using namespace mlir;

/// Copies of a body that are not worth a loop.
static constexpr int64_t MostUnrolled = 16;

void heddle::nv::forEachOfCta(NvBuilder &B, int64_t Count,
                              llvm::function_ref<void(Value Number)> Body) {
  int64_t Threads = B.config().threads();
  if (Count > MostUnrolled * Threads) {
    B.loop(B.thread(), B.i32(Count), Threads, Body);
    return;
  }
  for (int64_t First = 0; First < Count; First += Threads) {
    Value Number = B.add(B.thread(), First);
    if (First + Threads <= Count)
      Body(Number);
    else
      B.branch(B.cmp(arith::CmpIPredicate::slt, Number, Count),
               [&] { Body(Number); });
  }
}
