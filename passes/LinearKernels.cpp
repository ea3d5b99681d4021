// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/LinearKernels.h"

using namespace heddle;
using namespace mlir;

/// Checks that the function does nothing but the linear attention, on its own
/// arguments.
static LogicalResult checkFunction(func::FuncOp function) {
  Block &body = function.getBody().front();
  auto linear = dyn_cast<attn::LinearOp>(body.front());
  if (!linear || std::next(body.begin(), 2) != body.end() ||
      body.back().getOperands() != linear.getResults())
    return function.emitError()
           << "expected a kernel function that holds one 'attn.linear' and "
              "returns its results";
  for (Value operand : linear.getOperands())
    if (!isa<BlockArgument>(operand))
      return linear.emitOpError()
             << "expected arguments of the kernel function as operands";
  return success();
}

LogicalResult heddle::forEachLinear(
    ModuleOp module,
    function_ref<LogicalResult(func::FuncOp, LinearFrame &)> build) {
  for (auto function :
       llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
    auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
    if (!entry || !entry.getState() || function->hasAttr(tile::kKernelAttr))
      continue;
    if (failed(checkFunction(function)))
      return failure();
    FailureOr<KernelSpec> spec = findKernelSpec(function, entry);
    if (failed(spec))
      return failure();
    LinearFrame frame(function, *spec);
    if (failed(build(function, frame)))
      return failure();
  }
  return success();
}
