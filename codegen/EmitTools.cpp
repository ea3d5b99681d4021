// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/EmitTools.h"

#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;

bool CollectErrors::handleDiagnostics(const llvm::DiagnosticInfo &Info) {
  if (Info.getSeverity() != llvm::DS_Error)
    return true;
  llvm::raw_string_ostream Out(Text);
  if (!Text.empty())
    Out << "; ";
  llvm::DiagnosticPrinterRawOStream Printer(Out);
  Info.print(Printer);
  return true;
}
