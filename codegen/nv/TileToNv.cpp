// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Levels.h"
#include "codegen/nv/MergeKernel.h"
#include "codegen/nv/Passes.h"
#include "codegen/nv/Schedules.h"
#include "codegen/nv/StateLowering.h"
#include "codegen/nv/TileLowering.h"
#include "heddle/abi.h"

namespace heddle::nv {
#define GEN_PASS_DEF_TILETONV
#include "codegen/nv/Passes.h.inc"
} // namespace heddle::nv

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using tile::KernelKind;

/// What a thread can have.
static constexpr int64_t MaxRegisters = 255;

/// Warps of a CTA that works off a recurrence: as many as keep the products of
/// a state of d_v by d_qk busy.
static int64_t warpsOfState(attn::EntryAttr Entry) {
  return std::max(Entry.getQk(), Entry.getV()) > 64 ? 8 : 4;
}

/// Registers of a thread that has the scores of two tiles of keys. What the
/// loop takes beside tiles is set such that no example spills: ptxas can do
/// with less, and takes more where there are more. Queries count where they are
/// in memory too: the addresses of tables take their place.
static int64_t estimateRegisters(func::FuncOp Kernel, const Config &C) {
  constexpr int64_t Loop = 120, PerAxis = 8, ScoreRegion = 8, WordBytes = 4;
  auto OfTile = [&](int64_t Columns) {
    return FragmentLayout{C.Rows, C.Warps, roundUp(Columns, 16)}.registers();
  };
  int64_t Registers = Loop + OfTile(C.V) + 2 * OfTile(C.KeyTile) +
                      OfTile(C.Qk) * byteWidth(C.Input) / WordBytes;
  Kernel.walk([&](attn::TilesOp Op) {
    if (!Op.getKeyBox().empty())
      Registers += PerAxis * static_cast<int64_t>(Op.getKeyBox().size() - 1);
    return WalkResult::interrupt();
  });
  Kernel.walk([&](tile::ModifyOp) {
    Registers += ScoreRegion;
    return WalkResult::interrupt();
  });
  return Registers;
}

static FailureOr<Config> configFor(func::FuncOp Kernel, attn::EntryAttr Entry,
                                   const NvLevel &Level) {
  attn::ScheduleAttr Schedule = Entry.getSchedule();
  Config C;
  C.QueryTile = Schedule.getQueryTile();
  C.KeyTile = Schedule.getKeyTile();
  // Keys of any number are padded.
  const bool IsUneven = Schedule.getRows() == UnevenRows;
  C.Rows = IsUneven ? FragmentRows : Schedule.getRows();
  // Rows and columns of the blocks of a matrix product, and warps of a CTA.
  constexpr int64_t Block = 16, MaxWarps = 32;
  if (C.Rows % Block != 0 || C.QueryTile % C.Rows != 0 ||
      (C.KeyTile % Block != 0 && !IsUneven) || C.QueryTile / C.Rows > MaxWarps)
    return Kernel.emitOpError()
           << "has 'query_tile' " << C.QueryTile << ", 'key_tile' " << C.KeyTile
           << " and 'rows' " << C.Rows
           << "; expected rows and key tile to be multiples of " << Block
           << ", and 1 to " << MaxWarps << " times the rows as query tile";
  C.Warps = Entry.getState() ? warpsOfState(Entry) : C.QueryTile / C.Rows;
  C.Stages = std::max<int64_t>(1, Schedule.getStages());
  C.Input = Entry.getInputType();
  C.Output = Entry.getOutputType();
  C.Tf32 = Entry.getTf32();
  C.Qk = Entry.getQk();
  C.V = Entry.getV();
  KernelShape Shape{C.Qk, C.V};
  Shape.ElementBytes = C.Input.getIntOrFloatBitWidth() / 8;
  if (auto Limit = Kernel->getAttrOfType<IntegerAttr>(SharedMemoryAttr))
    Shape.SharedLimit = Limit.getInt();
  C.SharedLimit = sharedLimit(Level, Shape);
  if (!Entry.getState())
    C.Slice = sliceFeatures(Schedule, Shape, C.SharedLimit);
  // A score region that reads tables has addresses under way for every score.
  auto ReadsTable = [](attn::AtOp Op) {
    return isa<tile::ModifyOp>(Op->getParentOp()) ? WalkResult::interrupt()
                                                  : WalkResult::advance();
  };
  if (Kernel.walk(ReadsTable).wasInterrupted())
    C.QueryRegisters /= 2;
  // What decodes waits for memory, not for products.
  C.ScoresAhead = usesMatrixUnit(C, C.Input) && C.Stages > 1 &&
                  !Entry.getPacked() &&
                  estimateRegisters(Kernel, C) <= MaxRegisters;
  return C;
}

static void declareShared(ModuleOp Module) {
  if (Module.lookupSymbol(kSharedSymbol))
    return;
  auto B = OpBuilder::atBlockBegin(Module.getBody());
  auto Type = LLVM::LLVMArrayType::get(B.getI8Type(), 0);
  LLVM::GlobalOp::create(B, Module.getLoc(), Type, /*isConstant=*/false,
                         LLVM::Linkage::External, kSharedSymbol, Attribute(),
                         kSlotAlignment, static_cast<unsigned>(Space::Shared));
}

/// A function of the kernel that `Kernel` is of.
static LLVM::LLVMFuncOp createFunction(func::FuncOp Kernel, StringRef Name,
                                       Attribute Kind, const Config &C) {
  OpBuilder B(Kernel);
  MLIRContext *Context = B.getContext();
  auto Type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(Context), {LLVM::LLVMPointerType::get(Context)});
  auto Function = LLVM::LLVMFuncOp::create(B, Kernel.getLoc(), Name, Type);
  Function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    B.getUnitAttr());
  Function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      B.getDenseI32ArrayAttr({static_cast<int32_t>(C.threads())}));
  Function->setAttr(kThreadsAttr, B.getI64IntegerAttr(C.threads()));
  Function->setAttr(tile::kKernelAttr, Kind);
  Function->setAttr(tile::kEntryAttr, Kernel->getAttr(tile::kEntryAttr));
  return Function;
}

/// The one parameter: the block of a launch.
static LogicalResult setParameter(LLVM::LLVMFuncOp Function, int64_t Bytes) {
  if (Bytes > HEDDLE_DEVICE_BLOCK_LIMIT)
    return Function.emitError()
           << "kernel '" << Function.getName() << "' is launched with " << Bytes
           << " bytes of operands; expected at most "
           << HEDDLE_DEVICE_BLOCK_LIMIT
           << " on the nv target: use fewer parameters or sources";
  OpBuilder B(Function);
  Function.setArgAttr(
      0, LLVM::LLVMDialect::getByValAttrName(),
      TypeAttr::get(LLVM::LLVMArrayType::get(B.getI8Type(), Bytes)));
  Function.setArgAttr(0, LLVM::LLVMDialect::getAlignAttrName(),
                      B.getI64IntegerAttr(alignof(heddle_device_launch)));
  Function.setArgAttr(0, NVVM::NVVMDialect::getGridConstantAttrName(),
                      B.getUnitAttr());
  return success();
}

/// Runs a lowering, and says what is asked for beside it at a launch.
template <typename Lowering>
static LogicalResult runLowering(Lowering &&Run, func::FuncOp Kernel,
                                 LLVM::LLVMFuncOp Function, const Config &C,
                                 StringRef Level) {
  if (failed(Run.run()) || failed(setParameter(Function, Run.blockBytes())))
    return failure();
  const int64_t Bytes = Run.sharedBytes();
  if (Bytes > C.SharedLimit)
    return Kernel.emitOpError()
           << "needs " << Bytes << " bytes of shared memory; level '" << Level
           << "' has " << C.SharedLimit
           << ": choose a smaller 'query_tile' or 'key_tile', or fewer "
              "'stages'";
  OpBuilder B(Function);
  Function->setAttr(kSharedBytesAttr, B.getI64IntegerAttr(Bytes));
  return success();
}

/// Adds the kernel that merges the parts of rows that `Kernel` computes, which
/// is packed code. It is launched with the same block.
static LogicalResult addMerge(func::FuncOp Kernel, const Config &C,
                              int64_t BlockBytes) {
  const tile::Signature Sig(Kernel.getFunctionType(), KernelKind::Task);
  MergeOutputs Outputs;
  Kernel.walk([&](tile::StoreOp Op) {
    Outputs.HasLse |= Op.getView() == Kernel.getArgument(Sig.lse());
    Outputs.HasRowMax |= Op.getView() == Kernel.getArgument(Sig.rowMax());
  });
  StringRef Name = Kernel.getName();
  Name.consume_back("_task");
  OpBuilder B(Kernel);
  LLVM::LLVMFuncOp Function =
      createFunction(Kernel, (Name + "_merge").str(), B.getStringAttr("merge"),
                     mergeConfig(C));
  if (failed(setParameter(Function, BlockBytes)))
    return failure();
  const int64_t Bytes =
      buildMergeKernel(Kernel.getLoc(), Function.addEntryBlock(B), C, Outputs);
  Function->setAttr(kSharedBytesAttr, B.getI64IntegerAttr(Bytes));
  return success();
}

static LogicalResult lowerKernel(func::FuncOp Kernel, KernelKind Kind,
                                 attn::EntryAttr Entry, const NvLevel &Level) {
  if (failed(tile::checkKernel(Kernel, Kind)))
    return failure();
  const bool IsLinear = tile::isLinear(Kernel);
  if (IsLinear && Kind != KernelKind::Task)
    return Kernel.emitOpError()
           << "works off tokens one by one or only their state, and level '"
           << Level.Name << "' has but one kernel of a recurrence, 'task'";
  FailureOr<Config> C = configFor(Kernel, Entry, Level);
  if (failed(C))
    return failure();
  LLVM::LLVMFuncOp Function = createFunction(
      Kernel, Kernel.getName(), Kernel->getAttr(tile::kKernelAttr), *C);
  OpBuilder B(Kernel);
  Block *Body = Function.addEntryBlock(B);
  LogicalResult Ok = failure();
  int64_t BlockBytes = 0;
  if (IsLinear) {
    StateLowering Run(Kernel, Body, Kind, *C);
    Ok = runLowering(Run, Kernel, Function, *C, Level.Name);
    if (succeeded(Ok))
      Function->setAttr(kWorkspaceBytesAttr,
                        B.getI64IntegerAttr(Run.workspaceBytes()));
  } else {
    TileLowering Run(Kernel, Body, Kind, *C);
    Ok = runLowering(Run, Kernel, Function, *C, Level.Name);
    BlockBytes = Run.blockBytes();
  }
  if (failed(Ok)) {
    Function.erase();
    return failure();
  }
  if (Entry.getPacked() && failed(addMerge(Kernel, *C, BlockBytes)))
    return failure();
  Kernel.erase();
  return success();
}

namespace {
struct TileToNv final : heddle::nv::impl::TileToNvBase<TileToNv> {
  void runOnOperation() override {
    for (auto Kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto Name = Kernel->getAttrOfType<StringAttr>(tile::kKernelAttr);
      auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
      if (!Name || !Entry)
        continue;
      const NvLevel *Level = findNvLevel(Entry.getLevel());
      std::optional<KernelKind> Kind = tile::findKernelKind(Name);
      // Counting and checking is done by the machine that launches kernels.
      if (!Level || !Kind || *Kind == KernelKind::Count ||
          *Kind == KernelKind::Check)
        continue;
      declareShared(getOperation());
      if (failed(lowerKernel(Kernel, *Kind, Entry, *Level)))
        return signalPassFailure();
    }
  }
};
} // namespace
