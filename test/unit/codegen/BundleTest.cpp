// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"

#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/JSON.h"

#include <cstring>
#include <thread>

using namespace heddle;

/// The levels of the default target.
static std::vector<LevelInfo> bundleLevels() {
  std::vector<LevelInfo> Levels = listLevels();
  llvm::erase_if(Levels, [](const LevelInfo &L) { return L.IsDevice; });
  return Levels;
}

/// Reads what the compiler wrote through the runtime, field by field.
static void checkWindow(const heddle_bundle *Bundle, size_t NumLevels) {
  ASSERT_EQ(heddle_bundle_num_kernels(Bundle), 1);
  const heddle_kernel *Kernel = nullptr;
  ASSERT_EQ(take(heddle_bundle_find(Bundle, "mine", &Kernel)), "");
  const heddle_entry *Entry = heddle_kernel_entry(Kernel);
  EXPECT_STREQ(Entry->name, "mine");
  EXPECT_STREQ(Entry->pattern, "window");
  EXPECT_EQ(Entry->dtype, HEDDLE_F32);
  EXPECT_EQ(Entry->uses_batch, 0);
  EXPECT_EQ(Entry->uses_head, 0);
  EXPECT_EQ(Entry->d_qk, 40);
  EXPECT_EQ(Entry->d_v, 24);
  ASSERT_EQ(Entry->num_params, 2);
  EXPECT_STREQ(Entry->params[0].name, "width");
  EXPECT_EQ(Entry->params[0].has_default, 1);
  EXPECT_EQ(Entry->params[0].default_value.integer, 128);
  EXPECT_STREQ(Entry->params[1].name, "shift");
  EXPECT_EQ(Entry->params[1].has_default, 0);
  const std::vector<LevelInfo> Levels = bundleLevels();
  ASSERT_EQ(Entry->num_codes, static_cast<int64_t>(NumLevels));
  for (size_t I = 0; NumLevels == Levels.size() && I < NumLevels; ++I) {
    EXPECT_EQ(Entry->codes[I].level, Levels[I].Name);
    std::string Features;
    for (const std::string &F : Levels[I].Features)
      Features += (Features.empty() ? "" : ",") + F;
    EXPECT_EQ(Entry->codes[I].features, Features);
    EXPECT_GT(Entry->codes[I].workspace_bytes, 0);
  }
  llvm::Expected<llvm::json::Value> Manifest =
      llvm::json::parse(heddle_bundle_manifest(Bundle));
  ASSERT_TRUE(static_cast<bool>(Manifest));
  const llvm::json::Object *Listed =
      (*Manifest->getAsObject()->getArray("kernels"))[0].getAsObject();
  EXPECT_EQ(Listed->getString("name"), "mine");
  EXPECT_EQ(Listed->getString("dtype"), "f32");
  EXPECT_EQ(Listed->getInteger("d_v"), 24);
  EXPECT_EQ(Listed->getArray("codes")->size(), NumLevels);
  const llvm::json::Array &Params = *Listed->getArray("parameters");
  ASSERT_EQ(Params.size(), 2u);
  EXPECT_EQ(Params[0].getAsObject()->getInteger("default"), 128);
  EXPECT_FALSE(Params[1].getAsObject()->getInteger("default"));
}

static CompileOptions windowOptions() {
  CompileOptions Options;
  Options.Kernel = "mine";
  Options.HeadDimQk = 40;
  Options.HeadDimV = 24;
  return Options;
}

TEST(Bundle, JitDescribesTheKernel) {
  Compiler C;
  Result<Source> From = C.parse(WindowText);
  ASSERT_TRUE(From) << From.failure().str();
  Result<Program> P = C.jit(*From, windowOptions());
  ASSERT_TRUE(P) << P.failure().str();
  checkWindow(P->bundle(), 1);
}

TEST(Bundle, FileDescribesTheKernel) {
  TemporaryFolder Folder;
  std::string Path = Folder.file("libwindow.so");
  Compiler C;
  Result<Source> From = C.parse(WindowText);
  ASSERT_TRUE(From) << From.failure().str();
  Result<Timings> Spent =
      C.writeBundle(*From, windowOptions(), Path, Folder.file("window.h"));
  ASSERT_TRUE(Spent) << Spent.failure().str();
  EXPECT_GT(Spent->Link, 0);
  EXPECT_EQ(Folder.size(), 2u) << "temporary files are left";
  heddle_bundle *Bundle = nullptr;
  ASSERT_EQ(take(heddle_bundle_open(Path.c_str(), &Bundle)), "");
  checkWindow(Bundle, bundleLevels().size());
  heddle_bundle_close(Bundle);

  std::string Header = readFile(Folder.file("window.h"));
  for (const char *Line :
       {"#define MINE_KERNEL \"mine\"", "MINE_D_QK = 40", "MINE_D_V = 24",
        "MINE_NUM_PARAMS = 2", "MINE_PARAM_WIDTH = 0", "MINE_PARAM_SHIFT = 1",
        "#define MINE_DEFAULT_WIDTH INT64_C(128)"})
    EXPECT_NE(Header.find(Line), std::string::npos) << Line;
  EXPECT_EQ(Header.find("DEFAULT_SHIFT"), std::string::npos);
}

TEST(Bundle, ExportsTheDescriptorAndNeedsNothing) {
  TemporaryFolder Folder;
  std::string Path = Folder.file("libwindow.so");
  Compiler C;
  Result<Source> From = C.parse(WindowText);
  ASSERT_TRUE(From);
  Result<Timings> Spent = C.writeBundle(*From, windowOptions(), Path);
  ASSERT_TRUE(Spent) << Spent.failure().str();
  auto Opened = llvm::object::ObjectFile::createObjectFile(Path);
  ASSERT_TRUE(static_cast<bool>(Opened));
  auto *Elf =
      llvm::dyn_cast<llvm::object::ELFObjectFileBase>(Opened->getBinary());
  ASSERT_NE(Elf, nullptr);
  std::vector<std::string> Names;
  for (llvm::object::ELFSymbolRef Symbol : Elf->getDynamicSymbolIterators())
    Names.push_back(llvm::cantFail(Symbol.getName()).str());
  EXPECT_EQ(Names, std::vector<std::string>{HEDDLE_DESCRIPTOR_SYMBOL});
  for (auto Needed : {llvm::StringRef("libc.so"), llvm::StringRef("libm.so")})
    EXPECT_EQ(readFile(Path).find(Needed.str()), std::string::npos);
}

TEST(Bundle, HoldsCodeOfDevicesBesideThatOfThisMachine) {
  std::vector<std::string> Devices;
  for (const LevelInfo &L : listLevels())
    if (L.IsDevice)
      Devices.push_back(L.Name);
  ASSERT_GE(Devices.size(), 2u);
  CompileOptions Options = windowOptions();
  Options.Dtype = "f16";
  Options.ShortQueries = true;
  Options.Targets = {Devices.front(), Devices.back(),
                     bundleLevels().back().Name};
  Compiler C;
  Result<Source> From = C.parse(WindowText);
  ASSERT_TRUE(From);
  Result<Program> P = C.jit(*From, Options);
  ASSERT_TRUE(P) << P.failure().str();
  const heddle_entry *Entry = heddle_kernel_entry(P->kernel());
  ASSERT_EQ(Entry->num_codes, 3);
  EXPECT_EQ(Entry->codes[0].level, bundleLevels().back().Name);
  EXPECT_EQ(Entry->codes[0].device, nullptr);
  EXPECT_NE(Entry->codes[0].task, nullptr);
  EXPECT_NE(Entry->codes[0].packed, nullptr);
  for (int I : {1, 2}) {
    const heddle_code &Code = Entry->codes[I];
    EXPECT_EQ(Code.level, I == 1 ? Devices.front() : Devices.back());
    EXPECT_EQ(Code.task, nullptr);
    EXPECT_NE(Code.count, nullptr);
    EXPECT_NE(Code.check, nullptr);
    ASSERT_NE(Code.device, nullptr);
    const heddle_device_code &D = *Code.device;
    EXPECT_STREQ(D.target, "nv");
    EXPECT_EQ("sm_" + std::to_string(D.arch), Code.level);
    EXPECT_EQ(static_cast<int64_t>(std::strlen(D.ptx)), D.ptx_bytes);
    const std::string Ptx(D.ptx);
    EXPECT_NE(Ptx.find(".entry " + std::string(D.task) + "("), Ptx.npos);
    // Code that takes heads for rows has a kernel that merges its parts.
    ASSERT_NE(Code.packed, nullptr);
    ASSERT_NE(Code.packed->device, nullptr);
    ASSERT_NE(Code.packed->device->merge, nullptr);
    const std::string Merge = Code.packed->device->merge;
    EXPECT_NE(Ptx.find(".entry " + Merge + "("), Ptx.npos);
    EXPECT_EQ(D.columns, nullptr);
    EXPECT_EQ(D.threads, 32 * Code.query_tile / 16);
    EXPECT_GT(D.shared_bytes, 0);
    EXPECT_EQ(D.columns_threads, 0);
    EXPECT_EQ(D.cubin == nullptr, D.cubin_bytes == 0);
    if (D.cubin)
      EXPECT_EQ(std::memcmp(D.cubin, "\177ELF", 4), 0);
  }
}

TEST(Bundle, TellsWhatTheKeysDependOn) {
  Compiler C;
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  Result<Program> P = C.jit(*From, {});
  ASSERT_TRUE(P) << P.failure().str();
  EXPECT_EQ(heddle_kernel_entry(P->kernel())->uses_head, 1);
  EXPECT_EQ(heddle_kernel_entry(P->kernel())->uses_batch, 0);
  EXPECT_EQ(heddle_kernel_entry(P->kernel())->num_params, 0);
}

/// A task whose rows are all of one value: o = v whatever the weights.
static void runOnes(const heddle_kernel *Kernel) {
  constexpr int64_t Length = 70, Dim = 64;
  std::vector<float> Ones(Length * Dim, 1.0F);
  std::vector<float> Out(Length * Dim, -1.0F);
  const int64_t Shape[] = {1, 1, Length, Dim};
  heddle_tensor In = {Ones.data(), HEDDLE_F32, 4, Shape, nullptr};
  heddle_tensor O = {Out.data(), HEDDLE_F32, 4, Shape, nullptr};
  heddle_tensors Tensors = {};
  Tensors.q = Tensors.k = Tensors.v = &In;
  Tensors.o = &O;
  heddle_problem Problem = {};
  Problem.batch = Problem.heads_q = Problem.heads_kv = 1;
  Problem.seq_q = Problem.seq_k = Length;
  heddle_plan *Plan = nullptr;
  heddle_pool *Pool = nullptr;
  ASSERT_EQ(take(heddle_pool_create(1, &Pool)), "");
  ASSERT_EQ(take(heddle_plan_create(Kernel, &Problem, &Plan)), "");
  EXPECT_EQ(take(heddle_launch(Plan, &Tensors, Pool)), "");
  heddle_plan_destroy(Plan);
  heddle_pool_destroy(Pool);
  for (float X : Out)
    ASSERT_NEAR(X, 1.0F, 1e-5F);
}

TEST(Bundle, ProgramOutlivesItsCompiler) {
  std::optional<Program> Kept;
  {
    Compiler C;
    Result<Source> From = C.parse(PerHeadText);
    ASSERT_TRUE(From);
    Result<Program> P = C.jit(*From, {});
    ASSERT_TRUE(P) << P.failure().str();
    Kept.emplace(std::move(*P));
  }
  runOnes(Kept->kernel());
}

TEST(Bundle, CompilersOfSeveralThreadsAreIndependent) {
  TemporaryFolder Folder;
  std::vector<std::thread> Threads;
  std::vector<std::string> Errors(3);
  for (unsigned I = 0; I < Errors.size(); ++I)
    Threads.emplace_back([&, I] {
      Compiler C;
      Result<Source> From = C.parse(PerHeadText);
      if (!From) {
        Errors[I] = From.failure().str();
        return;
      }
      Result<Timings> Spent = C.writeBundle(
          *From, {}, Folder.file("lib" + std::to_string(I) + ".so"));
      if (!Spent)
        Errors[I] = Spent.failure().str();
    });
  for (std::thread &T : Threads)
    T.join();
  for (unsigned I = 0; I < Errors.size(); ++I) {
    EXPECT_EQ(Errors[I], "");
    heddle_bundle *Bundle = nullptr;
    std::string Path = Folder.file("lib" + std::to_string(I) + ".so");
    ASSERT_EQ(take(heddle_bundle_open(Path.c_str(), &Bundle)), "");
    runOnes(heddle_bundle_kernel(Bundle, 0));
    heddle_bundle_close(Bundle);
  }
}
