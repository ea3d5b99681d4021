// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The assembler of the CUDA toolkit, where there is one.

#ifndef HEDDLE_CODEGEN_NV_PTXAS_H
#define HEDDLE_CODEGEN_NV_PTXAS_H

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace heddle::nv {

/// What ptxas says of a kernel.
struct KernelReport {
  int64_t Registers = 0;
  /// Bytes of local memory per thread, and of it those written and read because
  /// registers did not suffice.
  int64_t Stack = 0, SpillStores = 0, SpillLoads = 0;
  /// Static shared memory, which comes on top of what a launch asks for.
  int64_t Shared = 0;
};

struct Assembled {
  std::string Cubin;
  llvm::StringMap<KernelReport> Kernels;
  /// Warnings and advice about performance, as ptxas words them, each once
  /// (C75xx: products that it could not keep asynchronous).
  std::vector<std::string> Warnings;
};

/// The path of ptxas: what HEDDLE_PTXAS names ("none": there is none), or that
/// of CUDA_HOME, of PATH, or of /usr/local/cuda. Empty when there is none.
std::string findPtxas();

/// What the output of `ptxas -v` says, kernel by kernel.
void readReport(llvm::StringRef Output, Assembled &Into);

/// Assembles `Ptx` for the processor `Chip` ("sm_80"). No value where this
/// ptxas is too old for the chip or the text; an error where it refuses the
/// text. With `KeepsLines` the code keeps the lines that the text gives.
llvm::Expected<std::optional<Assembled>> assemble(llvm::StringRef Ptxas,
                                                  llvm::StringRef Ptx,
                                                  llvm::StringRef Chip,
                                                  bool KeepsLines = false);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_PTXAS_H
