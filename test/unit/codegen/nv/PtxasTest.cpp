// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Ptxas.h"
#include "codegen/nv/Levels.h"

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
  EXPECT_EQ(Out.Warnings.front(),
            "(C7510) Potential Performance Loss: wgmma.mma_async instructions "
            "are serialized due to x in function 'a_task'");
}

TEST(Ptxas, KeepsWarningsAndAdvice) {
  Assembled Out;
  readReport("ptxas warning : Too big maxrregcount value specified 300\n"
             "ptxas /tmp/x.ptx, line 7; warning : a label is not used\n"
             "ptxas info    : Advisory: Modified '.weight' to 1\n"
             "ptxas info    : (C7515) Potential Performance Loss: wgmma\n"
             "ptxas info    : (C7515) Potential Performance Loss: wgmma\n"
             "ptxas info    : Compiling entry function 'warning' for 'sm_90'\n"
             "ptxas info    : (Cold) is a word in brackets\n",
             Out);
  EXPECT_EQ(Out.Warnings,
            (std::vector<std::string>{
                "Too big maxrregcount value specified 300",
                "a label is not used", "Advisory: Modified '.weight' to 1",
                "(C7515) Potential Performance Loss: wgmma"}));
}

// Beside what the occupancy calculator of the CUDA toolkit says.
TEST(Levels, CountResidentGroups) {
  const NvLevel &A100 = *findNvLevel("sm_80"), &A40 = *findNvLevel("sm_86");
  // By registers: 168 for a thread are 5376 for a warp, and 12 warps fit.
  EXPECT_EQ(A100.countResident(128, 168, 0), 3);
  EXPECT_EQ(A100.countResident(128, 255, 0), 2);
  EXPECT_EQ(A100.countResident(256, 255, 0), 1);
  // By shared memory, of which each takes 1 KB more.
  EXPECT_EQ(A100.countResident(128, 32, 40 * 1024), 4);
  EXPECT_EQ(A100.countResident(128, 32, 163 * 1024), 1);
  EXPECT_EQ(A100.countResident(128, 32, 164 * 1024), 0);
  // By threads and by their number.
  EXPECT_EQ(A100.countResident(1024, 32, 0), 2);
  EXPECT_EQ(A40.countResident(1024, 32, 0), 1);
  EXPECT_EQ(A100.countResident(32, 16, 0), 32);
  EXPECT_EQ(A40.countResident(32, 16, 0), 16);
}

TEST(Ptxas, TakesNothingFromOutputOfOthers) {
  Assembled Out;
  readReport("", Out);
  readReport("no registers were harmed\n12 bytes spill stores\n", Out);
  EXPECT_TRUE(Out.Kernels.empty());
  EXPECT_TRUE(Out.Warnings.empty());
}
