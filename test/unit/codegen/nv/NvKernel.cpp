// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "NvKernel.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

using namespace heddle;
using namespace mlir;

static std::string emitPtx(llvm::Module &Module) {
  LLVMInitializeNVPTXTargetInfo();
  LLVMInitializeNVPTXTarget();
  LLVMInitializeNVPTXTargetMC();
  LLVMInitializeNVPTXAsmPrinter();
  llvm::Triple Triple("nvptx64-nvidia-cuda");
  std::string Error;
  const llvm::Target *T = llvm::TargetRegistry::lookupTarget(Triple, Error);
  if (!T) {
    ADD_FAILURE() << Error;
    return "";
  }
  std::unique_ptr<llvm::TargetMachine> Machine(
      T->createTargetMachine(Triple, "sm_80", "+ptx74", {}, std::nullopt,
                             std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  Module.setTargetTriple(Triple);
  Module.setDataLayout(Machine->createDataLayout());

  llvm::LoopAnalysisManager Loops;
  llvm::FunctionAnalysisManager Functions;
  llvm::CGSCCAnalysisManager Components;
  llvm::ModuleAnalysisManager Modules;
  llvm::PassBuilder Builder(Machine.get());
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(Components);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  Builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(Module, Modules);

  llvm::SmallString<0> Text;
  llvm::raw_svector_ostream Out(Text);
  llvm::legacy::PassManager Codegen;
  Machine->addPassesToEmitFile(Codegen, Out, nullptr,
                               llvm::CodeGenFileType::AssemblyFile);
  Codegen.run(Module);
  return Text.str().str();
}

static Type elementType(MLIRContext &Context, llvm::StringRef Name) {
  if (Name == "f16")
    return Float16Type::get(&Context);
  if (Name == "bf16")
    return BFloat16Type::get(&Context);
  return Float32Type::get(&Context);
}

NvKernel::NvKernel(nv::Config Config, llvm::StringRef Type,
                   llvm::ArrayRef<NvArgument> Arguments, const Code &Make)
    : Arguments(Arguments), Threads(Config.threads()) {
  DialectRegistry Registry;
  registerAllToLLVMIRTranslations(Registry);
  MLIRContext Context(Registry);
  Context
      .loadDialect<arith::ArithDialect, scf::SCFDialect, cf::ControlFlowDialect,
                   LLVM::LLVMDialect, NVVM::NVVMDialect>();
  Config.Input = Config.Output = elementType(Context, Type);

  OpBuilder Top(&Context);
  Location Loc = Top.getUnknownLoc();
  OwningOpRef<ModuleOp> Module = ModuleOp::create(Loc);
  Top.setInsertionPointToEnd(Module->getBody());
  auto Array = LLVM::LLVMArrayType::get(Top.getI8Type(), 0);
  auto Shared = LLVM::GlobalOp::create(
      Top, Loc, Array, /*isConstant=*/false, LLVM::Linkage::External,
      "heddle_shared", Attribute(), /*alignment=*/128, /*addrSpace=*/3);

  SmallVector<mlir::Type> Types;
  for (NvArgument A : Arguments)
    switch (A) {
    case NvArgument::Pointer:
      Types.push_back(LLVM::LLVMPointerType::get(&Context, 1));
      break;
    case NvArgument::Integer:
      Types.push_back(Top.getI64Type());
      break;
    case NvArgument::Real:
      Types.push_back(Top.getF32Type());
      break;
    }
  auto Function = LLVM::LLVMFuncOp::create(
      Top, Loc, "kernel",
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&Context), Types));
  Function->setAttr("nvvm.kernel", Top.getUnitAttr());
  Function->setAttr("nvvm.maxntid",
                    Top.getDenseI32ArrayAttr({static_cast<int32_t>(Threads)}));
  Block *Entry = Function.addEntryBlock(Top);
  nv::NvBuilder B(Loc, Entry, Config);
  Value Base = LLVM::AddressOfOp::create(B, Shared);
  Make(B, Base, llvm::to_vector_of<Value>(Entry->getArguments()));
  LLVM::ReturnOp::create(B, ValueRange());

  PassManager Passes(&Context);
  Passes.addPass(createCSEPass());
  Passes.addPass(createSCFToControlFlowPass());
  Passes.addPass(createArithToLLVMConversionPass());
  Passes.addPass(createConvertIndexToLLVMPass());
  Passes.addPass(createConvertControlFlowToLLVMPass());
  Passes.addPass(createReconcileUnrealizedCastsPass());
  if (failed(verify(*Module)) || failed(Passes.run(*Module))) {
    ADD_FAILURE() << "the kernel cannot be lowered";
    return;
  }
  llvm::LLVMContext LlvmContext;
  std::unique_ptr<llvm::Module> Translated =
      translateModuleToLLVMIR(*Module, LlvmContext);
  if (!Translated) {
    ADD_FAILURE() << "the kernel cannot be translated";
    return;
  }
  Ptx = emitPtx(*Translated);
}

void NvKernel::run(ptx::Device &On, llvm::ArrayRef<uint64_t> Values,
                   uint64_t SharedBytes, uint32_t Ctas) const {
  llvm::Expected<std::unique_ptr<ptx::Program>> Program =
      ptx::Program::parse(Ptx, "test");
  if (!Program) {
    ADD_FAILURE() << llvm::toString(Program.takeError());
    return;
  }
  const ptx::Kernel *Kernel = (*Program)->find("kernel");
  ASSERT_TRUE(Kernel);
  ASSERT_EQ(Kernel->ParameterOffsets.size(), Values.size());
  std::vector<char> Parameters(Kernel->ParameterBytes);
  for (size_t I = 0; I < Values.size(); ++I)
    std::memcpy(&Parameters[Kernel->ParameterOffsets[I]], &Values[I],
                Arguments[I] == NvArgument::Real ? 4 : 8);
  ptx::LaunchConfig Launch;
  Launch.Grid[0] = Ctas;
  Launch.Block[0] = Threads;
  Launch.DynamicShared = SharedBytes;
  Launch.Parameters = Parameters;
  std::optional<ptx::Fault> Fault = ptx::run(**Program, *Kernel, Launch, On);
  if (Fault)
    ADD_FAILURE() << Fault->describe();
}

std::optional<std::string> heddle::assemble(const std::string &Ptx) {
  llvm::ErrorOr<std::string> Tool = llvm::sys::findProgramByName("ptxas");
  if (!Tool)
    Tool = llvm::sys::findProgramByName("ptxas", {"/usr/local/cuda/bin"});
  if (!Tool)
    return std::nullopt;
  llvm::SmallString<64> In, Out;
  if (llvm::sys::fs::createTemporaryFile("heddle", "ptx", In) ||
      llvm::sys::fs::createTemporaryFile("heddle", "txt", Out)) {
    ADD_FAILURE() << "no temporary file can be made";
    return std::nullopt;
  }
  llvm::FileRemover RemoveIn(In), RemoveOut(Out);
  {
    std::error_code Error;
    llvm::raw_fd_ostream File(In, Error);
    File << Ptx;
  }
  llvm::StringRef To = Out.str();
  int Status = llvm::sys::ExecuteAndWait(
      *Tool, {*Tool, "-arch=sm_80", "-v", In, "-o", "/dev/null"}, std::nullopt,
      {std::nullopt, To, To});
  auto Said = llvm::MemoryBuffer::getFile(Out);
  std::string Text = Said ? (*Said)->getBuffer().str() : "";
  EXPECT_EQ(Status, 0) << Text;
  return Text;
}

static const llvm::fltSemantics &semantics(llvm::StringRef Type) {
  return Type == "bf16" ? llvm::APFloat::BFloat() : llvm::APFloat::IEEEhalf();
}

uint16_t heddle::toBits(float Value, llvm::StringRef Type) {
  llvm::APFloat X(Value);
  bool Inexact;
  X.convert(semantics(Type), llvm::APFloat::rmNearestTiesToEven, &Inexact);
  return static_cast<uint16_t>(X.bitcastToAPInt().getZExtValue());
}

float heddle::fromBits(uint16_t Bits, llvm::StringRef Type) {
  llvm::APFloat X(semantics(Type), llvm::APInt(16, Bits));
  bool Inexact;
  X.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven,
            &Inexact);
  return X.convertToFloat();
}

NvArray::NvArray(ptx::Device &On, llvm::StringRef Type, int64_t Count,
                 int64_t Offset)
    : On(On), Type(Type), Count(Count),
      Allocated(On.allocate(Count * (Type == "f32" ? 4 : 2) + Offset)),
      First(Allocated + Offset) {}

NvArray::~NvArray() { On.free(Allocated); }

float NvArray::get(int64_t I) const {
  if (Type == "f32")
    return reinterpret_cast<const float *>(First)[I];
  return fromBits(reinterpret_cast<const uint16_t *>(First)[I], Type);
}

void NvArray::set(int64_t I, float Value) {
  if (Type == "f32")
    reinterpret_cast<float *>(First)[I] = Value;
  else
    reinterpret_cast<uint16_t *>(First)[I] = toBits(Value, Type);
}
