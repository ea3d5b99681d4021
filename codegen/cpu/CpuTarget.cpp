// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/CostModel.h"
#include "codegen/cpu/Emit.h"
#include "codegen/cpu/FmaPeak.h"
#include "codegen/cpu/HostFeatures.h"
#include "codegen/cpu/Passes.h"
#include "codegen/cpu/ReadBandwidth.h"
#include "codegen/cpu/Schedules.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle;
using namespace heddle::cpu;

namespace {

class CpuTarget : public Target {
public:
  llvm::StringRef name() const override { return "cpu"; }
  std::vector<Level> levels() const override;
  void registerDialects(mlir::DialectRegistry &Registry) const override;
  void registerPasses() const override { registerCpuPasses(); }
  attn::ScheduleAttr chooseSchedule(mlir::MLIRContext *Context,
                                    llvm::StringRef Level,
                                    const KernelShape &Shape) const override {
    return cpu::chooseSchedule(Context, Level, Shape);
  }
  std::vector<ScheduleChoice>
  weighSchedules(mlir::MLIRContext *Context, llvm::StringRef Level,
                 const KernelShape &Shape) const override {
    return cpu::weighSchedules(Context, Level, Shape);
  }
  KernelCost estimateCost(attn::ScheduleAttr Schedule, llvm::StringRef Level,
                          const KernelShape &Shape,
                          int64_t KeyBytes) const override {
    return cpu::estimateCost(machineHere(*findCpuLevel(Level)),
                             blockingOf(Schedule), Shape, KeyBytes);
  }
  std::vector<MachineFact>
  describeMachine(llvm::StringRef Level) const override;
  double flopPerSlot(llvm::StringRef Level) const override {
    const Machine M = assumedMachine(*findCpuLevel(Level));
    return 2 * static_cast<double>(M.Lanes) / M.productSlots();
  }
  double measurePeak(llvm::StringRef Level, int Threads) const override {
    return measureFmaPeak(Threads,
                          static_cast<int>(findCpuLevel(Level)->Lanes));
  }
  double measureReadBandwidth(int Threads) const override {
    return cpu::measureReadBandwidth(Threads);
  }
  std::string checkSchedule(attn::ScheduleAttr Schedule,
                            llvm::StringRef Level) const override;
  void setModuleAttributes(mlir::ModuleOp Module) const override {
    cpu::setModuleAttributes(Module);
  }
  void addLoweringPasses(mlir::OpPassManager &Passes) const override {
    Passes.addPass(createTileToCpu());
  }
  void addLLVMPasses(mlir::OpPassManager &Passes) const override;
  std::unique_ptr<Emitter> createEmitter() const override {
    return cpu::createEmitter();
  }
};

} // namespace

std::vector<Level> CpuTarget::levels() const {
  std::vector<Level> Result;
  for (const CpuLevel &L : cpuLevels())
    Result.push_back({L.Name.str(),
                      {L.Features.begin(), L.Features.end()},
                      missingFeatures(L.featureList())});
  return Result;
}

void CpuTarget::registerDialects(mlir::DialectRegistry &Registry) const {
  Registry.insert<mlir::arith::ArithDialect, mlir::cf::ControlFlowDialect,
                  mlir::LLVM::LLVMDialect, mlir::math::MathDialect,
                  mlir::scf::SCFDialect, mlir::ub::UBDialect,
                  mlir::vector::VectorDialect>();
  mlir::arith::registerConvertArithToLLVMInterface(Registry);
  mlir::cf::registerConvertControlFlowToLLVMInterface(Registry);
  mlir::registerConvertMathToLLVMInterface(Registry);
  mlir::ub::registerConvertUBToLLVMInterface(Registry);
  mlir::vector::registerConvertVectorToLLVMInterface(Registry);
  mlir::registerBuiltinDialectTranslation(Registry);
  mlir::registerLLVMDialectTranslation(Registry);
}

/// 32768 as "32 KB".
static std::string sizeText(int64_t Bytes) {
  constexpr int64_t Mega = 1024 * 1024;
  return Bytes >= Mega ? llvm::formatv("{0} MB", Bytes / Mega).str()
                       : llvm::formatv("{0} KB", Bytes / 1024).str();
}

std::vector<MachineFact>
CpuTarget::describeMachine(llvm::StringRef Level) const {
  const Machine M = machineHere(*findCpuLevel(Level));
  return {{"lanes", std::to_string(M.Lanes)},
          {"registers", std::to_string(M.Registers)},
          {"L1", sizeText(M.L1)},
          {"L2", sizeText(M.L2)},
          {"L3", sizeText(M.L3)},
          {"from", M.IsHere ? "this machine" : "an assumed machine"}};
}

/// Bounds on what a schedule may ask for: they keep the unrolled code, and the
/// scratch memory of a task, within what a compiler and a cache can take.
static constexpr int64_t MaxTile = 1024, MaxHeads = 16;
static constexpr int64_t MaxUnrolledProducts = 1024;

std::string CpuTarget::checkSchedule(attn::ScheduleAttr Schedule,
                                     llvm::StringRef Level) const {
  const CpuLevel *L = findCpuLevel(Level);
  if (!llvm::isPowerOf2_64(Schedule.getLanes()) ||
      Schedule.getLanes() > L->Lanes)
    return llvm::formatv("found 'lanes' {0}, expected a power of two up to {1} "
                         "for level '{2}'",
                         Schedule.getLanes(), L->Lanes, Level);
  for (auto [Name, Size] : {std::pair("query_tile", Schedule.getQueryTile()),
                            std::pair("key_tile", Schedule.getKeyTile())})
    if (Size > MaxTile)
      return llvm::formatv("found '{0}' {1}, expected at most {2}", Name, Size,
                           MaxTile);
  if (Schedule.getStages() != 0)
    return llvm::formatv("found {0} stages, expected none for level '{1}'",
                         Schedule.getStages(), Level);
  if (Schedule.getHeads() > MaxHeads)
    return llvm::formatv("found {0} heads per task, expected at most {1}",
                         Schedule.getHeads(), MaxHeads);
  int64_t Products = Schedule.getRows() * Schedule.getUnroll() *
                     (Schedule.getQueryTile() / Schedule.getLanes());
  if (Products > MaxUnrolledProducts)
    return llvm::formatv(
        "found {0} multiply-adds in the loop body ('rows' {1} x 'unroll' {2} x "
        "'query_tile' {3} / 'lanes' {4}), expected at most {5}",
        Products, Schedule.getRows(), Schedule.getUnroll(),
        Schedule.getQueryTile(), Schedule.getLanes(), MaxUnrolledProducts);
  return "";
}

void CpuTarget::addLLVMPasses(mlir::OpPassManager &Passes) const {
  Passes.addPass(mlir::createSCFToControlFlowPass());
  Passes.addPass(mlir::createConvertToLLVMPass());
  Passes.addPass(mlir::createReconcileUnrealizedCastsPass());
}

namespace heddle {
const Target &cpuTarget();
} // namespace heddle

const Target &heddle::cpuTarget() {
  static const CpuTarget TheTarget;
  return TheTarget;
}
