// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_READBANDWIDTH_H
#define HEDDLE_CODEGEN_CPU_READBANDWIDTH_H

#include <cstddef>
#include <vector>

namespace heddle::cpu {

struct ByteRange {
  const void *Data;
  size_t Size;
};

/// Seconds that `Threads` threads take to read `Ranges` once, each thread an
/// equal part of every range: the floor of a kernel that must read them. The
/// ranges should be much larger than the caches. 0 when so many threads cannot
/// be started.
double readSeconds(const std::vector<ByteRange> &Ranges, int Threads);

/// Measures how many gigabytes per second `Threads` threads read from memory at
/// the same time, each a stretch of its own, once from end to end: the roof of
/// kernels that do little with what they read. The best of several samples
/// counts. Takes 64 megabytes per thread, at most 512 in all, for as long as it
/// runs; a larger cache than that makes the result one of the cache. Returns 0
/// when threads or memory are not to be had.
double measureReadBandwidth(int Threads);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_READBANDWIDTH_H
