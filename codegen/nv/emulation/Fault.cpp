// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Fault.h"

#include "llvm/Support/raw_ostream.h"

using namespace heddle::ptx;

llvm::StringRef heddle::ptx::faultName(FaultKind Of) {
  static constexpr llvm::StringLiteral Names[] = {
      "launch",        "out-of-bounds", "misaligned", "read-only",
      "uninitialized", "pending-copy",  "race",       "deadlock",
      "missing-lanes", "barrier",       "trap",       "hang"};
  return Names[unsigned(Of)];
}

std::string Fault::describe() const {
  std::string Out;
  llvm::raw_string_ostream OS(Out);
  OS << Kernel << ": ";
  if (Kind != FaultKind::Launch) {
    OS << "CTA (" << Cta[0] << "," << Cta[1] << "," << Cta[2] << ")";
    if (Kind != FaultKind::Deadlock)
      OS << " warp " << Warp;
    if (Lane >= 0)
      OS << " lane " << Lane;
    OS << ": ";
  }
  OS << Message;
  if (Line)
    OS << ", at line " << Line << ": " << Text;
  if (!Source.empty())
    OS << " (" << Source << ")";
  return Out;
}
