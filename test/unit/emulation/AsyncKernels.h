// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text of small kernels with tensor copies, mbarriers and wgmma.

#ifndef HEDDLE_TEST_UNIT_EMULATION_ASYNCKERNELS_H
#define HEDDLE_TEST_UNIT_EMULATION_ASYNCKERNELS_H

#include <string>

namespace heddle::ptx::test {

/// D (64 by n, f32) = A B with A 64 by k row by row, and B either k by n
/// (n neighbours) or its transpose n by k. Tiles are brought by tensor copies
/// whose boxes are `width` bytes wide (16: without swizzle).
struct GemmText {
  unsigned N = 64, K = 64, Width = 128;
  bool Brain = true;        ///< bf16, otherwise f16
  bool OuterMajorB = false; ///< B is k by n
  bool RegisterA = false;   ///< A by ld.global into registers
  // What breaks the kernel.
  bool SkipWait = false, SkipFence = false, SkipWgmmaWait = false;
  bool ReuseA = false;        ///< loads the next registers of A before the wait
  bool WriteEarly = false;    ///< an accumulator is written before the wait
  bool ReadEarly = false;     ///< results are stored before the wait
  unsigned ExpectedBytes = 0; ///< 0: the right number
  unsigned Arrivals = 1;      ///< that the mbarrier counts
  unsigned ExtraArrivals = 0; ///< that threads make
  unsigned SwizzleCode = 4;   ///< of the descriptors; 4: the right one

  unsigned tileBytesA() const { return 64 * K * 2; }
  unsigned tileBytesB() const { return K * N * 2; }
  unsigned sharedBytes() const { return tileBytesA() + tileBytesB() + 1024; }
  std::string text() const;
};

/// A module with one entry `f` of the given parameters and body.
std::string module(const std::string &Parameters, const std::string &Body);

} // namespace heddle::ptx::test

#endif
