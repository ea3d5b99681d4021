// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs passes on text: the tool that lit tests use.

#include "codegen/Target.h"
#include "frontends/cpp/Session.h"
#include "passes/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int Argc, char **Argv) {
  mlir::DialectRegistry Registry;
  heddle::compilerDialects().appendTo(Registry);
  heddle::registerHeddlePasses();
  heddle::registerTargetPasses();
  // What the lowerings use of MLIR's own, and what makes their output readable.
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerSCFToControlFlowPass();
  mlir::registerConvertToLLVMPass();
  mlir::registerReconcileUnrealizedCastsPass();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(Argc, Argv, "Heddle's pass driver\n", Registry));
}
