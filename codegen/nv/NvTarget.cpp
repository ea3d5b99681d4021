// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Emit.h"
#include "codegen/nv/Levels.h"
#include "codegen/nv/Passes.h"
#include "codegen/nv/Schedules.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

#include "llvm/Support/FormatVariadic.h"

using namespace heddle;
using namespace heddle::nv;

namespace {

class NvTarget : public Target {
public:
  llvm::StringRef name() const override { return "nv"; }
  std::vector<Level> levels() const override;
  void registerDialects(mlir::DialectRegistry &Registry) const override;
  void registerPasses() const override { registerNvPasses(); }
  bool isDevice() const override { return true; }
  bool hasTf32() const override { return true; }
  bool keepsTileLoops() const override { return true; }
  attn::ScheduleAttr chooseSchedule(mlir::MLIRContext *Context,
                                    llvm::StringRef Level,
                                    const KernelShape &Shape) const override {
    return nv::chooseSchedule(Context, *findNvLevel(Level), Shape);
  }
  std::vector<ScheduleChoice>
  weighSchedules(mlir::MLIRContext *Context, llvm::StringRef Level,
                 const KernelShape &Shape) const override {
    return nv::weighSchedules(Context, *findNvLevel(Level), Shape);
  }
  KernelCost estimateCost(attn::ScheduleAttr Schedule, llvm::StringRef Level,
                          const KernelShape &Shape,
                          int64_t /*KeyBytes*/) const override {
    return nv::estimateCost(Schedule, *findNvLevel(Level), Shape);
  }
  std::vector<MachineFact>
  describeMachine(llvm::StringRef Level) const override;
  double flopPerSlot(llvm::StringRef Level) const override {
    return 2 * findNvLevel(Level)->TensorFma;
  }
  // Neither is measured: no device is at hand while code is made.
  double measurePeak(llvm::StringRef /*Level*/,
                     int /*Threads*/) const override {
    return 0;
  }
  double measureReadBandwidth(int /*Threads*/) const override { return 0; }
  std::string checkSchedule(attn::ScheduleAttr Schedule,
                            llvm::StringRef Level) const override {
    return nv::checkSchedule(Schedule, *findNvLevel(Level));
  }
  std::string checkShape(const KernelShape &Shape,
                         llvm::StringRef Level) const override;
  llvm::StringRef assemblyName() const override { return "ptx"; }
  void setModuleAttributes(mlir::ModuleOp Module) const override {
    nv::setModuleAttributes(Module);
  }
  void addLoweringPasses(mlir::OpPassManager &Passes) const override;
  void addLLVMPasses(mlir::OpPassManager &Passes) const override;
  std::unique_ptr<Emitter> createEmitter() const override {
    return nv::createEmitter();
  }
};

} // namespace

std::vector<Level> NvTarget::levels() const {
  std::vector<Level> Result;
  for (const NvLevel &L : nvLevels()) {
    // Never met by the processor that the compiler runs on.
    const std::string Needed = "compute capability " + L.capability();
    Result.push_back({L.Name.str(), {Needed}, {Needed}});
  }
  return Result;
}

void NvTarget::registerDialects(mlir::DialectRegistry &Registry) const {
  Registry.insert<NvDialect, mlir::arith::ArithDialect,
                  mlir::cf::ControlFlowDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::NVVM::NVVMDialect,
                  mlir::scf::SCFDialect, mlir::ub::UBDialect,
                  mlir::vector::VectorDialect>();
  mlir::arith::registerConvertArithToLLVMInterface(Registry);
  mlir::cf::registerConvertControlFlowToLLVMInterface(Registry);
  mlir::registerConvertMathToLLVMInterface(Registry);
  mlir::registerConvertNVVMToLLVMInterface(Registry);
  mlir::ub::registerConvertUBToLLVMInterface(Registry);
  mlir::vector::registerConvertVectorToLLVMInterface(Registry);
  mlir::registerBuiltinDialectTranslation(Registry);
  mlir::registerLLVMDialectTranslation(Registry);
  mlir::registerNVVMDialectTranslation(Registry);
}

std::string NvTarget::checkShape(const KernelShape &Shape,
                                 llvm::StringRef Level) const {
  if (Shape.isLinear())
    return "";
  return checkShared(*findNvLevel(Level), Shape);
}

void NvTarget::addLoweringPasses(mlir::OpPassManager &Passes) const {
  Passes.addPass(createTileToNv());
}

void NvTarget::addLLVMPasses(mlir::OpPassManager &Passes) const {
  Passes.addPass(createNvAssignRoles());
  Passes.addPass(createNvLowerRings());
  Passes.addPass(mlir::createSCFToControlFlowPass());
  Passes.addPass(mlir::createConvertToLLVMPass());
  Passes.addPass(mlir::createReconcileUnrealizedCastsPass());
}

std::vector<MachineFact>
NvTarget::describeMachine(llvm::StringRef Level) const {
  const NvLevel &L = *findNvLevel(Level);
  return {{"device", L.Device.str()},
          {"SMs", std::to_string(L.Sms)},
          {"clock", llvm::formatv("{0:f0} MHz", L.Megahertz)},
          {"shared memory", llvm::formatv("{0} KB", L.SharedLimit / 1024)},
          {"memory", llvm::formatv("{0:f0} GB/s", L.Bandwidth)},
          {"from", "an assumed machine"}};
}

namespace heddle {
const Target &nvTarget();
} // namespace heddle

const Target &heddle::nvTarget() {
  static const NvTarget TheTarget;
  return TheTarget;
}
