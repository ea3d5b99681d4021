// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Levels.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/TileLowering.h"
#include "llvm/ADT/STLExtras.h"

namespace heddle::cpu {
#define GEN_PASS_DEF_TILETOCPU
#include "codegen/cpu/Passes.h.inc"
} // namespace heddle::cpu

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

/// The function type of the C ABI.
static LLVM::LLVMFunctionType abiType(MLIRContext *Context, KernelKind Kind) {
  Type Ptr = LLVM::LLVMPointerType::get(Context);
  Type I64 = IntegerType::get(Context, 64);
  if (Kind == KernelKind::Check)
    return LLVM::LLVMFunctionType::get(I64, {Ptr, Ptr});
  SmallVector<Type> Arguments{Ptr, I64, I64, I64};
  if (Kind == KernelKind::Count)
    Arguments.push_back(IntegerType::get(Context, 32));
  if (Kind == KernelKind::Columns)
    Arguments.push_back(I64);
  Arguments.push_back(Ptr);
  return LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(Context),
                                     Arguments);
}

static Shape shapeFor(const CpuLevel &Level, attn::ScheduleAttr Schedule) {
  Shape S;
  // Beyond 64 lanes only the number of instructions would grow.
  S.Lanes = largestDivisor(Schedule.getLanes(), 64);
  S.Rows = Schedule.getRows();
  S.Unroll = std::min<int64_t>(Schedule.getUnroll(), 16);
  int64_t PerVector = (S.Lanes + Level.Lanes - 1) / Level.Lanes;
  S.Registers = Level.Registers / PerVector;
  S.ProductScratch = Level.ProductScratch;
  S.ConvertsHalf = Level.ConvertsHalf;
  S.ScalesBy2 = Level.ScalesBy2 && S.Lanes == Level.Lanes;
  return S;
}

static LLVM::LLVMFuncOp createFunction(func::FuncOp Kernel, KernelKind Kind,
                                       const CpuLevel &Level) {
  OpBuilder B(Kernel);
  MLIRContext *Context = B.getContext();
  auto Function = LLVM::LLVMFuncOp::create(B, Kernel.getLoc(), Kernel.getName(),
                                           abiType(Context, Kind));
  Function.setVisibility_(LLVM::Visibility::Hidden);
  Function.setTargetCpu(Level.TargetCpu);
  if (!Level.Features.empty()) {
    SmallVector<std::string> Enabled;
    for (llvm::StringRef Feature : Level.Features)
      Enabled.push_back("+" + Feature.str());
    Function.setTargetFeaturesAttr(LLVM::TargetFeaturesAttr::get(
        Context, llvm::to_vector_of<llvm::StringRef>(Enabled)));
  }
  // Vectors stay as wide as the level has them, whatever the processor model
  // prefers.
  Function.setPreferVectorWidth(std::to_string(Level.Lanes * 32));
  Function->setAttr(tile::kKernelAttr, Kernel->getAttr(tile::kKernelAttr));
  Function->setAttr(tile::kEntryAttr, Kernel->getAttr(tile::kEntryAttr));
  if (Attribute Host = Kernel->getAttr(tile::kHostAttr))
    Function->setAttr(tile::kHostAttr, Host);
  Function->setAttr(tile::kFeaturesAttr, B.getStringAttr(Level.featureList()));
  return Function;
}

/// The procedures of a kernel at a level, by `tile.entry`.
using KnownProcedures = llvm::DenseMap<Attribute, std::unique_ptr<Procedures>>;

static LogicalResult lowerKernel(func::FuncOp Kernel, KnownProcedures &Known) {
  auto KindName = dyn_cast<StringAttr>(Kernel->getAttr(tile::kKernelAttr));
  std::optional<KernelKind> Kind;
  if (KindName)
    Kind = tile::findKernelKind(KindName);
  if (!Kind)
    return Kernel.emitOpError()
           << "has the kernel kind " << Kernel->getAttr(tile::kKernelAttr)
           << "; expected \"task\", \"state\", \"step\", \"slice\", "
              "\"columns\", \"count\" or \"check\"";
  auto EntryAttr = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  if (!EntryAttr)
    return Kernel.emitOpError()
           << "has no '" << tile::kEntryAttr << "'; run 'attn-tile' first";
  // What counts and checks for other devices runs on every machine.
  const CpuLevel *Level = Kernel->hasAttr(tile::kHostAttr)
                              ? &cpuLevels().back()
                              : findCpuLevel(EntryAttr.getLevel());
  if (!Level) {
    auto Names =
        llvm::map_range(cpuLevels(), [](const CpuLevel &L) { return L.Name; });
    return Kernel.emitOpError()
           << "is for the level '" << EntryAttr.getLevel()
           << "'; expected one of " << llvm::join(Names, ", ");
  }
  if (failed(tile::checkKernel(Kernel, *Kind)))
    return failure();

  LLVM::LLVMFuncOp Function = createFunction(Kernel, *Kind, *Level);
  OpBuilder B(Kernel);
  Block *Entry = Function.addEntryBlock(B);
  std::unique_ptr<Procedures> &Shared = Known[EntryAttr];
  if (!Shared)
    Shared = std::make_unique<Procedures>(Function);
  TileLowering Lowering(Kernel, Entry, *Kind,
                        shapeFor(*Level, EntryAttr.getSchedule()), *Shared);
  if (failed(Lowering.run())) {
    Function.erase();
    return failure();
  }
  if (Lowering.hasWorkspace())
    Function->setAttr(tile::kWorkspaceAttr,
                      B.getI64IntegerAttr(Lowering.workspaceBytes()));
  Kernel.erase();
  return success();
}

namespace {
struct TileToCpu final : heddle::cpu::impl::TileToCpuBase<TileToCpu> {
  void runOnOperation() override {
    auto Kernels = llvm::to_vector(llvm::make_filter_range(
        getOperation().getOps<func::FuncOp>(), [](func::FuncOp Function) {
          return Function->hasAttr(tile::kKernelAttr);
        }));
    KnownProcedures Known;
    for (func::FuncOp Kernel : Kernels)
      if (failed(lowerKernel(Kernel, Known)))
        return signalPassFailure();
  }
};
} // namespace
