// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_BENCH_WORKER_READBANDWIDTH_H
#define HEDDLE_BENCH_WORKER_READBANDWIDTH_H

#include "llvm/ADT/ArrayRef.h"

namespace heddle::bench {

/// Seconds that `Threads` threads take to read `Ranges` once, each thread an
/// equal part of every range: the floor of a kernel that must read them. The
/// ranges should be much larger than the caches. 0 when so many threads cannot
/// be started.
double readSeconds(llvm::ArrayRef<llvm::ArrayRef<uint8_t>> Ranges, int Threads);

/// GB/s of reading a quarter of a gigabyte, the best of several passes; 0 when
/// there is no memory or there are no threads for it.
double measureReadBandwidth(int Threads);

} // namespace heddle::bench

#endif // HEDDLE_BENCH_WORKER_READBANDWIDTH_H
