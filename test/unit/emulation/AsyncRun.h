// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Running kernels whose parameters are tensor maps, addresses and numbers.

#ifndef HEDDLE_TEST_UNIT_EMULATION_ASYNCRUN_H
#define HEDDLE_TEST_UNIT_EMULATION_ASYNCRUN_H

#include "AsyncKernels.h"

#include "codegen/nv/emulation/Launch.h"
#include "codegen/nv/emulation/semantics/TensorMap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace heddle::ptx::test {

/// Parameters laid out as .param declares them.
class Block {
public:
  void map(const TensorMap &Map) {
    EncodedTensorMap Encoded = encodeTensorMap(Map);
    Bytes.insert(Bytes.end(), Encoded.begin(), Encoded.end());
  }
  void address(uint64_t At) {
    const char *From = reinterpret_cast<const char *>(&At);
    Bytes.insert(Bytes.end(), From, From + 8);
  }
  std::vector<char> Bytes;
};

inline std::optional<Fault> launch(const std::string &Text,
                                   const Block &Parameters, unsigned Threads,
                                   uint64_t SharedBytes, Device &On,
                                   uint64_t Seed = 0) {
  llvm::Expected<std::unique_ptr<Program>> Code = Program::parse(Text, "test");
  if (!Code) {
    ADD_FAILURE() << llvm::toString(Code.takeError());
    return std::nullopt;
  }
  LaunchConfig Config;
  Config.Block[0] = Threads;
  Config.DynamicShared = SharedBytes;
  Config.Parameters = Parameters.Bytes;
  Options How;
  How.Seed = Seed;
  How.MaxInstructions = 10000000;
  return run(**Code, *(*Code)->find("f"), Config, On, How);
}

inline std::string said(const std::optional<Fault> &Found) {
  return Found ? Found->describe() : "no fault";
}

} // namespace heddle::ptx::test

#endif
