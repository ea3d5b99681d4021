// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Flash.h"

#include <gtest/gtest.h>

using namespace heddle;

namespace {

struct SpillCase {
  const char *Type;
  int64_t HeadDim, KeyTile;
};

class Spills : public testing::TestWithParam<SpillCase> {};

} // namespace

TEST_P(Spills, WithoutSpills) {
  const SpillCase &C = GetParam();
  NvKernel Kernel =
      makeFlash(flashConfig(C.HeadDim, C.HeadDim, C.KeyTile), C.Type);
  std::optional<std::string> Said = assemble(Kernel.ptx());
  if (!Said)
    GTEST_SKIP() << "no ptxas on this machine";
  RecordProperty("ptxas", *Said);
  EXPECT_NE(Said->find("0 bytes spill stores, 0 bytes spill loads"),
            std::string::npos)
      << *Said;
}

INSTANTIATE_TEST_SUITE_P(
    HeadDims, Spills,
    testing::Values(SpillCase{"f16", 40, 64}, SpillCase{"f16", 64, 64},
                    SpillCase{"bf16", 64, 64}, SpillCase{"bf16", 80, 64},
                    SpillCase{"f16", 128, 64}, SpillCase{"bf16", 128, 64},
                    SpillCase{"bf16", 256, 32}, SpillCase{"f32", 64, 64},
                    SpillCase{"f32", 128, 32}),
    [](const testing::TestParamInfo<SpillCase> &Info) {
      return std::string(Info.param.Type) + "_" +
             std::to_string(Info.param.HeadDim);
    });
