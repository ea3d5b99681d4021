// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running a few lines of PTX on one CTA.

#ifndef HEDDLE_TEST_UNIT_EMULATION_RUN_H
#define HEDDLE_TEST_UNIT_EMULATION_RUN_H

#include "codegen/nv/emulation/Launch.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace heddle::ptx::test {

/// A kernel `k` with one parameter, a pointer that is in %out; %t is the thread
/// number and %mine the address of word %t of the output. Further registers are
/// declared: %p<8>, %h<32> (16 bits), %r<64>, %rd<32>, %f<32>, %d<16>.
inline std::string kernel(const std::string &Body,
                          const std::string &Globals = "") {
  return R"(.version 8.0
.target sm_80
.address_size 64
)" + Globals +
         R"(
.visible .entry k(.param .u64 k_param_0)
{
  .reg .pred %p<8>; .reg .b16 %h<32>; .reg .b32 %r<64>, %f<32>, %t;
  .reg .b64 %rd<32>, %d<16>, %out, %mine;
  ld.param.b64 %out, [k_param_0];
  mov.u32 %t, %tid.x;
  mul.wide.u32 %mine, %t, 4;
  add.s64 %mine, %out, %mine;
)" + Body +
         "\n  ret;\n}\n";
}

/// What a run gave: the output, or a fault.
struct Outcome {
  std::vector<uint32_t> Out;
  std::optional<Fault> Found;
  Stats Counted;

  float asFloat(size_t I) const {
    float X;
    std::memcpy(&X, &Out[I], sizeof(X));
    return X;
  }
};

struct Scene {
  uint32_t Threads = 32;
  uint32_t Ctas = 1;
  uint64_t Shared = 0;
  size_t Words = 1024;
  /// First words of the output before the kernel runs.
  std::vector<uint32_t> Initial = {};
  Options How = {};
};

inline std::unique_ptr<Program> parsed(const std::string &Text) {
  auto Read = Program::parse(Text, "test.ptx");
  if (Read)
    return std::move(*Read);
  ADD_FAILURE() << llvm::toString(Read.takeError());
  return nullptr;
}

inline Outcome runText(const std::string &Text, const Scene &With = {}) {
  Outcome Result;
  std::unique_ptr<Program> Code = parsed(Text);
  if (!Code)
    return Result;
  Device On;
  uint64_t Out = On.allocate(With.Words * 4);
  auto *Words = reinterpret_cast<uint32_t *>(Out);
  std::memset(Words, 0, With.Words * 4);
  std::copy(With.Initial.begin(), With.Initial.end(), Words);
  LaunchConfig Config;
  Config.Grid[0] = With.Ctas;
  Config.Block[0] = With.Threads;
  Config.DynamicShared = With.Shared;
  Config.Parameters = {reinterpret_cast<const char *>(&Out), sizeof(Out)};
  Result.Found =
      run(*Code, *Code->find("k"), Config, On, With.How, &Result.Counted);
  Result.Out.assign(Words, Words + With.Words);
  return Result;
}

inline Outcome runBody(const std::string &Body, const Scene &With = {},
                       const std::string &Globals = "") {
  return runText(kernel(Body, Globals), With);
}

/// The output of a run that must not fault.
inline Outcome outcome(const std::string &Body, const Scene &With = {},
                       const std::string &Globals = "") {
  Outcome Result = runBody(Body, With, Globals);
  EXPECT_FALSE(Result.Found) << Result.Found->describe();
  return Result;
}

/// Expects a fault of that kind whose description has all of the words.
inline void expectFault(const Outcome &Result, FaultKind Kind,
                        std::initializer_list<const char *> Words) {
  ASSERT_TRUE(Result.Found);
  std::string Said = Result.Found->describe();
  EXPECT_EQ(faultName(Result.Found->Kind).str(), faultName(Kind).str()) << Said;
  for (const char *Word : Words)
    EXPECT_NE(Said.find(Word), std::string::npos)
        << "'" << Word << "' is not in: " << Said;
}

} // namespace heddle::ptx::test

#endif
