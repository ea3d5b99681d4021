// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_CPU_FMAPEAK_H
#define HEDDLE_CODEGEN_CPU_FMAPEAK_H

namespace heddle::cpu {

/// Measures how many GFLOP/s of f32 multiply-adds (two operations each) the
/// machine sustains from registers on `Threads` threads running at the same
/// time: the roof that kernels are compared with. Uses the widest vectors that
/// `hostHas` reports, of at most `MaxLanes` elements. Each sample lasts about 2
/// ms; the best of several counts. Returns 0 when so many threads cannot be
/// started.
double measureFmaPeak(int Threads, int MaxLanes = 16);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_FMAPEAK_H
