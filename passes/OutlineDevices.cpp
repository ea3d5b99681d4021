// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Target.h"
#include "dialect/tile/Tile.h"
#include "heddle/abi.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/KernelSpec.h"
#include "passes/PackHeads.h"
#include "passes/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace heddle {
#define GEN_PASS_DEF_ATTNOUTLINEDEVICES
#include "passes/Passes.h.inc"

namespace {

/// Assembly languages of devices know letters, digits and underscores.
std::string plainName(StringRef name) {
  std::string plain = name.str();
  for (char &c : plain)
    if (!llvm::isAlnum(c))
      c = '_';
  return plain;
}

/// The bytes of what a kernel is launched with (see heddle_device_launch).
/// Tasks bring the integers that packed code takes behind the pattern's.
size_t blockBytes(const KernelSpec &spec) {
  const size_t hidden = spec.entry.getPacked() ? kNumHiddenParams : 0;
  return sizeof(heddle_device_launch) + sizeof(heddle_args) +
         spec.sources.size() * sizeof(heddle_source) +
         (spec.params.size() - hidden) * sizeof(heddle_operand);
}

struct AttnOutlineDevices : impl::AttnOutlineDevicesBase<AttnOutlineDevices> {
  void runOnOperation() override {
    llvm::MapVector<StringRef, SmallVector<func::FuncOp>> kernels;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto entry = function->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
      auto kind = function->getAttrOfType<StringAttr>(tile::kKernelAttr);
      if (!entry || !kind)
        continue;
      const Target *target = findTargetOfLevel(entry.getLevel());
      if (!target || !target->isDevice())
        continue;
      if (kind == "count" || kind == "check") {
        function->setAttr(tile::kHostAttr, UnitAttr::get(&getContext()));
        continue;
      }
      if (failed(checkBlock(function, entry)))
        return signalPassFailure();
      kernels[entry.getLevel()].push_back(function);
    }
    for (auto &[level, functions] : kernels)
      outline(level, functions);
  }

  static LogicalResult checkBlock(func::FuncOp function,
                                  attn::EntryAttr entry) {
    FailureOr<KernelSpec> spec = findKernelSpec(function, entry);
    if (failed(spec))
      return failure();
    const size_t bytes = blockBytes(*spec);
    if (bytes <= HEDDLE_DEVICE_BLOCK_LIMIT)
      return success();
    return function.emitError()
           << "level '" << entry.getLevel() << "' takes operands of at most "
           << HEDDLE_DEVICE_BLOCK_LIMIT << " bytes, but those of kernel '"
           << entry.getName() << "' with " << spec->sources.size()
           << " sources and " << spec->params.size() << " parameters take "
           << bytes;
  }

  void outline(StringRef level, ArrayRef<func::FuncOp> functions) {
    ModuleOp parent = getOperation();
    OpBuilder builder(parent.getBodyRegion());
    builder.setInsertionPointToEnd(parent.getBody());
    auto device =
        ModuleOp::create(builder, parent.getLoc(), StringRef(plainName(level)));
    device->setAttr(tile::kDeviceAttr, builder.getStringAttr(level));
    SymbolTable(parent).insert(device.getOperation());
    SymbolTable names(device);
    for (func::FuncOp function : functions) {
      function->remove();
      function.setName(plainName(function.getName()));
      names.insert(function);
    }
  }
};

} // namespace
} // namespace heddle
