// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the machine we run on is and has. Free of LLVM: the runtime library
// contains it too.

#ifndef HEDDLE_CODEGEN_CPU_HOSTFEATURES_H
#define HEDDLE_CODEGEN_CPU_HOSTFEATURES_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::cpu {

/// The first part of the host's target triple, for example "x86_64"; "unknown"
/// where this file does not know the architecture.
std::string_view hostArch();

/// The ELF machine number of the host, 0 where unknown.
uint16_t hostElfMachine();

/// The name of an ELF machine number, or "machine <number>".
std::string elfMachineName(uint16_t Machine);

/// True if the processor and the operating system provide the instruction-set
/// extension `Feature`, named as LLVM names it ("avx2", "avx512vl"). Unknown
/// names are false. The environment variable HEDDLE_CPU_FEATURES (a
/// comma-separated list) hides whatever it does not list; it never adds one.
bool hostHas(std::string_view Feature);

/// Those of the comma-separated `Features` that the host lacks, in order.
std::vector<std::string> missingFeatures(std::string_view Features);

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_HOSTFEATURES_H
