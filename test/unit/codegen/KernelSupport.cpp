// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "KernelSupport.h"

#include "codegen/Target.h"
#include "dialect/tile/Tile.h"
#include "frontends/cpp/Link.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"

#include <dlfcn.h>

using namespace heddle;

std::vector<std::string> heddle::hostLevels() {
  std::vector<std::string> Names;
  for (const Level &L : targets().front()->levels())
    if (L.runsHere())
      Names.push_back(L.Name);
  return Names;
}

static std::string kernelText(const std::string &Level,
                              const std::string &Views,
                              const std::string &Params,
                              const std::string &Body,
                              const std::string &Kind) {
  llvm::SmallVector<llvm::StringRef> Types;
  llvm::StringRef(Views).split(Types, ';');
  std::string Arguments =
      Kind == "check" ? "" : "%b: index, %h: index, %tile: index, ";
  const char *Names[] = {"q", "k", "v", "o", "lse", "max", "sums", "blocks"};
  for (size_t I = 0; I < std::size(Names); ++I)
    Arguments += std::string("%") + Names[I] + ": !attn.view<" +
                 (I < Types.size() ? Types[I].str() : "1xf32") + ">, ";
  Arguments += "%origin: index, %scale: f32" + Params;
  if (Kind == "columns")
    Arguments += ", %source: index";
  if (Kind == "check")
    Arguments += ") -> (index, index, index, index";
  mlir::MLIRContext Context;
  Context.loadDialect<attn::AttnDialect>();
  // Vectors as wide as those of real kernels.
  const Target *T = findTargetOfLevel(Level);
  int64_t Lanes = T->chooseSchedule(&Context, Level, {8, 8, 0, 0}).getLanes();
  return "#entry = #attn.entry<\"f\", @any, \"" + Level +
         "\", qk = 8, v = 8, types = f32 to f32, <row_max = false, "
         "column_sums = false, block_max = 0 by 0>, <query_tile = 64, key_tile "
         "= 16, rows = 4, lanes = " +
         std::to_string(Lanes) +
         ", unroll = 2>>\n"
         "func.func @f(" +
         Arguments + ") attributes {tile.kernel = \"" + Kind +
         "\", tile.entry = #entry} {\n" + Body + "\n}\n";
}

LoadedKernel::LoadedKernel(const std::string &Level, const std::string &Views,
                           const std::string &Params, const std::string &Body,
                           const std::string &Kind)
    : IsColumns(Kind == "columns") {
  load(kernelText(Level, Views, Params, Body, Kind));
}

void LoadedKernel::load(const std::string &Text) {
  const Target &T = *targets().front();
  mlir::DialectRegistry Registry;
  Registry
      .insert<attn::AttnDialect, tile::TileDialect, mlir::func::FuncDialect>();
  T.registerDialects(Registry);
  mlir::MLIRContext Context(Registry);
  Context.loadAllAvailableDialects();
  auto Module = mlir::parseSourceString<mlir::ModuleOp>(Text, &Context);
  if (!Module) {
    ADD_FAILURE() << "not a module:\n" << Text;
    return;
  }
  T.setModuleAttributes(*Module);
  mlir::PassManager Lowering(&Context);
  T.addLoweringPasses(Lowering);
  if (mlir::failed(Lowering.run(*Module))) {
    ADD_FAILURE() << "not lowered:\n" << Text;
    return;
  }
  auto Function = Module->lookupSymbol<mlir::LLVM::LLVMFuncOp>("f");
  Function.setVisibility_(mlir::LLVM::Visibility::Default);
  if (auto Bytes =
          Function->getAttrOfType<mlir::IntegerAttr>(tile::kWorkspaceAttr))
    WorkspaceBytes = Bytes.getInt();
  mlir::PassManager ToLLVM(&Context);
  T.addLLVMPasses(ToLLVM);
  ASSERT_TRUE(mlir::succeeded(ToLLVM.run(*Module)));
  llvm::SmallString<0> Object;
  llvm::raw_svector_ostream Out(Object);
  if (llvm::Error Failure = T.createEmitter()->emitObject(*Module, Out)) {
    ADD_FAILURE() << llvm::toString(std::move(Failure));
    return;
  }
  llvm::SmallString<128> File;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("heddle-kernel", "so", File));
  Path = File.str().str();
  // Anything that is left undefined, a support function of a compiler say,
  // fails here.
  ASSERT_EQ(linkSharedLibrary(Object.str().str(), Path, "kernel.so"), "");
  Library = dlopen(Path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(Library, nullptr) << dlerror();
  Address = dlsym(Library, "f");
  ASSERT_NE(Address, nullptr);
}

LoadedKernel::~LoadedKernel() {
  if (Library)
    dlclose(Library);
  if (!Path.empty())
    EXPECT_FALSE(llvm::sys::fs::remove(Path));
}

void LoadedKernel::run(const heddle_args &Args, int64_t B, int64_t H,
                       int64_t Tile, int64_t Source) const {
  // A task may rely on nothing in its workspace.
  std::vector<float> Memory(static_cast<size_t>(WorkspaceBytes / 4 + 32),
                            __builtin_nanf(""));
  auto Aligned = (reinterpret_cast<uintptr_t>(Memory.data()) + 63) / 64 * 64;
  auto *Workspace = reinterpret_cast<void *>(Aligned);
  if (IsColumns)
    reinterpret_cast<heddle_columns_fn>(Address)(&Args, B, H, Tile, Source,
                                                 Workspace);
  else
    reinterpret_cast<heddle_task_fn>(Address)(&Args, B, H, Tile, Workspace);
}

int64_t LoadedKernel::check(const heddle_args &Args, int64_t Out[3]) const {
  return reinterpret_cast<heddle_check_fn>(Address)(&Args, Out);
}
