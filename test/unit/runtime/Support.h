// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TEST_UNIT_RUNTIME_SUPPORT_H
#define HEDDLE_TEST_UNIT_RUNTIME_SUPPORT_H

#include "heddle/heddle.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace heddle::test {

struct Destroy {
  void operator()(heddle_bundle *P) const { heddle_bundle_close(P); }
  void operator()(heddle_plan *P) const { heddle_plan_destroy(P); }
  void operator()(heddle_pool *P) const { heddle_pool_destroy(P); }
};
template <typename T> using Owned = std::unique_ptr<T, Destroy>;

inline std::string bundlePath(const std::string &Name) {
  return std::string(TEST_BUNDLES) + "/libtest_" + Name + ".so";
}

/// What a call gave: no kind (0) for success.
struct Outcome {
  int Kind = 0;
  std::string Message;
};

inline Outcome outcome(heddle_error *Error) {
  if (!Error)
    return {};
  Outcome Result = {heddle_error_kind(Error), heddle_error_message(Error)};
  heddle_error_free(Error);
  return Result;
}

/// Expects success, with the message where there is none.
inline void expectOk(heddle_error *Error) {
  Outcome Result = outcome(Error);
  EXPECT_EQ(Result.Kind, 0) << Result.Message;
}

/// Expects an error of a kind whose message has all the parts.
inline void expectError(heddle_error *Error, heddle_code_kind Kind,
                        std::initializer_list<const char *> Parts) {
  Outcome Result = outcome(Error);
  EXPECT_EQ(Result.Kind, Kind) << Result.Message;
  for (const char *Part : Parts)
    EXPECT_NE(Result.Message.find(Part), std::string::npos)
        << "'" << Part << "' is not in: " << Result.Message;
}

inline Owned<heddle_bundle> openBundle(const std::string &Name) {
  heddle_bundle *Bundle = nullptr;
  expectOk(heddle_bundle_open(bundlePath(Name).c_str(), &Bundle));
  return Owned<heddle_bundle>(Bundle);
}

inline const heddle_kernel *findKernel(const Owned<heddle_bundle> &Bundle,
                                       const char *Name) {
  const heddle_kernel *Kernel = nullptr;
  expectOk(heddle_bundle_find(Bundle.get(), Name, &Kernel));
  return Kernel;
}

inline Owned<heddle_pool> makePool(int32_t Threads) {
  heddle_pool *Pool = nullptr;
  expectOk(heddle_pool_create(Threads, &Pool));
  return Owned<heddle_pool>(Pool);
}

inline Owned<heddle_plan> makePlan(const heddle_kernel *Kernel,
                                   const heddle_problem &Problem) {
  heddle_plan *Plan = nullptr;
  expectOk(heddle_plan_create(Kernel, &Problem, &Plan));
  return Owned<heddle_plan>(Plan);
}

/// Sets an environment variable while it lives.
class ScopedVariable {
public:
  ScopedVariable(const char *Name, const char *Value) : Name(Name) {
    if (const char *Old = std::getenv(Name))
      Before = Old;
    ::setenv(Name, Value, 1);
  }
  ~ScopedVariable() {
    if (Before.empty())
      ::unsetenv(Name);
    else
      ::setenv(Name, Before.c_str(), 1);
  }
  ScopedVariable(const ScopedVariable &) = delete;
  ScopedVariable &operator=(const ScopedVariable &) = delete;

private:
  const char *Name;
  std::string Before;
};

/// An empty folder that goes away with its contents.
class ScratchFolder {
public:
  ScratchFolder() {
    std::string Pattern =
        (std::filesystem::temp_directory_path() / "heddle-XXXXXX").string();
    Path = ::mkdtemp(Pattern.data()) ? Pattern : "";
    EXPECT_FALSE(Path.empty());
  }
  ~ScratchFolder() {
    std::error_code Ignored;
    std::filesystem::remove_all(Path, Ignored);
  }
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;

  std::string operator/(const std::string &Name) const {
    return Path + "/" + Name;
  }
  /// Number of files in it.
  size_t count() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(Path),
                      std::filesystem::directory_iterator()));
  }
  const std::string &path() const { return Path; }

private:
  std::string Path;
};

inline std::string readFile(const std::string &Path) {
  std::ifstream In(Path, std::ios::binary);
  return {std::istreambuf_iterator<char>(In), {}};
}

inline void writeFile(const std::string &Path, const std::string &Bytes) {
  std::ofstream Out(Path, std::ios::binary);
  Out.write(Bytes.data(), static_cast<std::streamsize>(Bytes.size()));
}

} // namespace heddle::test

#endif // HEDDLE_TEST_UNIT_RUNTIME_SUPPORT_H
