// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Ptxas.h"

#include "gtest/gtest.h"

using namespace heddle::nv;

// What ptxas 13.0 prints with -v.
TEST(Ptxas, ReadsItsReportKernelByKernel) {
  Assembled Out;
  readReport(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async "
      "instructions are serialized due to x in function 'a_task'\n"
      "ptxas info    : Compiling entry function 'a_task' for 'sm_90a'\n"
      "ptxas info    : Function properties for a_task\n"
      "    40 bytes stack frame, 64 bytes spill stores, 80 bytes spill loads\n"
      "ptxas info    : Used 255 registers, used 1 barriers, 40 bytes "
      "cumulative stack size, 1464 bytes cmem[0]\n"
      "ptxas info    : Compile time = 125.742 ms\n"
      "ptxas info    : Compiling entry function 'a_columns' for 'sm_90a'\n"
      "ptxas info    : Function properties for a_columns\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 130 registers, used 1 barriers, 512 bytes smem, "
      "392 bytes cmem[0]\n",
      Out);
  ASSERT_EQ(Out.Kernels.size(), 2u);
  const KernelReport &Task = Out.Kernels["a_task"];
  EXPECT_EQ(Task.Registers, 255);
  EXPECT_EQ(Task.Stack, 40);
  EXPECT_EQ(Task.SpillStores, 64);
  EXPECT_EQ(Task.SpillLoads, 80);
  EXPECT_EQ(Task.Shared, 0);
  const KernelReport &Columns = Out.Kernels["a_columns"];
  EXPECT_EQ(Columns.Registers, 130);
  EXPECT_EQ(Columns.SpillStores, 0);
  EXPECT_EQ(Columns.Shared, 512);
  ASSERT_EQ(Out.Warnings.size(), 1u);
  EXPECT_NE(Out.Warnings.front().find("C7510"), std::string::npos);
}

TEST(Ptxas, TakesNothingFromOutputOfOthers) {
  Assembled Out;
  readReport("", Out);
  readReport("no registers were harmed\n12 bytes spill stores\n", Out);
  EXPECT_TRUE(Out.Kernels.empty());
  EXPECT_TRUE(Out.Warnings.empty());
}
