// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "TestTensors.h"

#include <elf.h>
#include <link.h>

using namespace heddle::test;

static heddle_error *tryOpen(const std::string &Path) {
  heddle_bundle *Bundle = nullptr;
  heddle_error *Error = heddle_bundle_open(Path.c_str(), &Bundle);
  EXPECT_EQ(Bundle == nullptr, Error != nullptr);
  heddle_bundle_close(Bundle);
  return Error;
}

TEST(Bundle, OpensAndDescribes) {
  Owned<heddle_bundle> Bundle = openBundle("good");
  ASSERT_TRUE(Bundle);
  EXPECT_EQ(heddle_bundle_num_kernels(Bundle.get()), 3);
  EXPECT_STREQ(heddle_bundle_manifest(Bundle.get()), "{\"entries\": []}");
  EXPECT_EQ(heddle_bundle_kernel(Bundle.get(), -1), nullptr);
  EXPECT_EQ(heddle_bundle_kernel(Bundle.get(), 3), nullptr);
  const heddle_kernel *Kernel = findKernel(Bundle, "window");
  EXPECT_EQ(Kernel, heddle_bundle_kernel(Bundle.get(), 0));
  EXPECT_EQ(heddle_kernel_entry(Kernel)->d_qk, 8);
}

TEST(Bundle, OpensBareFileNames) {
  // dlopen would search the library path for a name without a slash.
  ScratchFolder Folder;
  std::filesystem::path Before = std::filesystem::current_path();
  std::filesystem::copy_file(bundlePath("good"), Folder / "bare.so");
  std::filesystem::current_path(Folder.path());
  expectOk(tryOpen("bare.so"));
  std::filesystem::current_path(Before);
}

TEST(Bundle, NamesUnknownKernels) {
  Owned<heddle_bundle> Bundle = openBundle("good");
  const heddle_kernel *Kernel = heddle_bundle_kernel(Bundle.get(), 0);
  expectError(heddle_bundle_find(Bundle.get(), "nope", &Kernel),
              HEDDLE_NOT_FOUND, {"'nope'", "'window', 'growing', 'state'"});
  EXPECT_EQ(Kernel, nullptr);
}

TEST(Bundle, RefusesNullArguments) {
  heddle_bundle *Bundle = nullptr;
  expectError(heddle_bundle_open(nullptr, &Bundle), HEDDLE_INVALID_ARGUMENT,
              {"path is empty"});
  expectError(heddle_bundle_open("x", nullptr), HEDDLE_INVALID_ARGUMENT,
              {"'out'"});
  expectError(heddle_bundle_from_descriptor(nullptr, &Bundle),
              HEDDLE_INVALID_ARGUMENT, {"descriptor is null"});
  heddle_bundle_close(nullptr);
  heddle_error_free(nullptr);
  EXPECT_EQ(heddle_bundle_num_kernels(nullptr), 0);
}

TEST(Bundle, RefusesFilesThatAreNoBundles) {
  ScratchFolder Folder;
  expectError(tryOpen(Folder / "none.so"), HEDDLE_NOT_FOUND,
              {"none.so", "No such file"});
  expectError(tryOpen(Folder.path()), HEDDLE_INVALID_BUNDLE,
              {"expected a regular file"});
  writeFile(Folder / "empty.so", "");
  expectError(tryOpen(Folder / "empty.so"), HEDDLE_INVALID_BUNDLE,
              {"not a bundle", "ELF"});
  writeFile(Folder / "text.so", "module {\n  // a pattern, not a bundle\n}\n");
  expectError(tryOpen(Folder / "text.so"), HEDDLE_INVALID_BUNDLE,
              {"not a bundle", "ELF"});
  expectError(tryOpen(bundlePath("no_symbol")), HEDDLE_INVALID_BUNDLE,
              {"heddle_bundle_descriptor"});
}

TEST(Bundle, RefusesTruncatedFilesOfEveryLength) {
  ScratchFolder Folder;
  std::string Whole = readFile(bundlePath("good"));
  ASSERT_GT(Whole.size(), sizeof(ElfW(Ehdr)));
  std::string Path = Folder / "cut.so";
  for (size_t Size :
       {size_t(4), size_t(15), size_t(16), size_t(40), sizeof(ElfW(Ehdr)),
        size_t(200), Whole.size() / 2, Whole.size() - 1}) {
    writeFile(Path, Whole.substr(0, Size));
    expectError(tryOpen(Path), HEDDLE_INVALID_BUNDLE, {"truncated", "cut.so"});
  }
}

/// A copy of the good bundle with one byte of the ELF header changed.
static heddle_error *openPatched(size_t Offset, unsigned char Value) {
  ScratchFolder Folder;
  std::string Bytes = readFile(bundlePath("good"));
  Bytes[Offset] = static_cast<char>(Value);
  writeFile(Folder / "patched.so", Bytes);
  return tryOpen(Folder / "patched.so");
}

TEST(Bundle, RefusesOtherMachines) {
  expectError(openPatched(EI_CLASS, ELFCLASS32), HEDDLE_UNSUPPORTED,
              {"32-bit", "64-bit"});
  expectError(openPatched(EI_DATA, ELFDATA2MSB), HEDDLE_UNSUPPORTED,
              {"byte order"});
  expectError(openPatched(offsetof(ElfW(Ehdr), e_machine), EM_SPARC),
              HEDDLE_UNSUPPORTED, {"machine 2", "this machine is"});
  expectError(openPatched(offsetof(ElfW(Ehdr), e_type), ET_REL),
              HEDDLE_INVALID_BUNDLE, {"shared library"});
}

TEST(Bundle, RefusesDescriptorsOfOtherKinds) {
  expectError(tryOpen(bundlePath("magic")), HEDDLE_INVALID_BUNDLE,
              {"0x0000000000001234", "0x4e42454c44444548"});
  expectError(tryOpen(bundlePath("version")), HEDDLE_VERSION_MISMATCH,
              {"version 99", "version 9"});
  expectError(tryOpen(bundlePath("arch")), HEDDLE_UNSUPPORTED, {"pdp11"});
  expectError(tryOpen(bundlePath("size")), HEDDLE_INVALID_BUNDLE,
              {"8 bytes", "compile it again"});
}

TEST(Kernel, ChoosesTheFirstUsableLevel) {
  Owned<heddle_bundle> Bundle = openBundle("good");
  const heddle_code *Code = nullptr;
  expectOk(heddle_kernel_code(findKernel(Bundle, "window"), &Code));
  EXPECT_STREQ(Code->level, "test-best");
}

TEST(Kernel, ObeysTheEnvironment) {
  Owned<heddle_bundle> Bundle = openBundle("good");
  const heddle_kernel *Kernel = findKernel(Bundle, "window");
  const heddle_code *Code = nullptr;
  {
    ScopedVariable Level("HEDDLE_LEVEL", "test-baseline");
    expectOk(heddle_kernel_code(Kernel, &Code));
    EXPECT_STREQ(Code->level, "test-baseline");
  }
  {
    ScopedVariable Level("HEDDLE_LEVEL", "test-nothing");
    expectError(heddle_kernel_code(Kernel, &Code), HEDDLE_NOT_FOUND,
                {"'test-nothing'", "HEDDLE_LEVEL", "'test-baseline'"});
    EXPECT_EQ(Code, nullptr);
  }
  ScopedVariable Level("HEDDLE_LEVEL", "test-future");
  expectError(heddle_kernel_code(Kernel, &Code), HEDDLE_UNSUPPORTED,
              {"'test-future'", "no-such-extension"});
}

TEST(Kernel, FindsLevelsByName) {
  Owned<heddle_bundle> Bundle = openBundle("good");
  const heddle_kernel *Kernel = findKernel(Bundle, "window");
  ScopedVariable Ignored("HEDDLE_LEVEL", "test-best");
  const heddle_code *Code = nullptr;
  expectOk(heddle_kernel_code_at(Kernel, "test-baseline", &Code));
  EXPECT_STREQ(Code->level, "test-baseline");
  expectError(heddle_kernel_code_at(Kernel, "test-future", &Code),
              HEDDLE_UNSUPPORTED, {"no-such-extension"});
  expectError(heddle_kernel_code_at(Kernel, "x", &Code), HEDDLE_NOT_FOUND,
              {"'x'"});
}

TEST(Kernel, SaysWhatTheMachineLacks) {
  Owned<heddle_bundle> Bundle = openBundle("features");
  const heddle_code *Code = nullptr;
  expectError(heddle_kernel_code(findKernel(Bundle, "window"), &Code),
              HEDDLE_UNSUPPORTED,
              {"'window'", "'test-baseline' needs no-such-extension"});
  heddle_plan *Plan = nullptr;
  heddle_problem Problem = plainProblem(1, 1, 1, 4, 4);
  expectError(heddle_plan_create(findKernel(Bundle, "window"), &Problem, &Plan),
              HEDDLE_UNSUPPORTED, {"no-such-extension"});
  EXPECT_EQ(Plan, nullptr);
}
