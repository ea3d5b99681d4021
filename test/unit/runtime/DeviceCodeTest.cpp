// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which code of a kernel runs on a device, and on the processor.

#include "DeviceScene.h"

using namespace heddle;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

/// A kernel with code of several architectures.
struct CodeTest : testing::Test {
  struct Given {
    const char *Level;
    int32_t Arch;
    bool Ptx, Binary;
  };

  void give(std::initializer_list<Given> All) {
    Parts.clear();
    Codes.clear();
    for (const Given &One : All) {
      heddle_device_code Code = {};
      Code.target = "nv";
      Code.task = "t";
      Code.ptx = One.Ptx ? "ptx" : nullptr;
      Code.cubin = One.Binary ? "bin" : nullptr;
      Code.arch = One.Arch;
      Parts.push_back(Code);
    }
    size_t Next = 0;
    for (const Given &One : All) {
      heddle_code Code = Fake.code();
      Code.level = One.Level;
      if (One.Arch > 0)
        Code.device = &Parts[Next];
      ++Next;
      Codes.push_back(Code);
    }
    Fake.entry().codes = Codes.data();
    Fake.entry().num_codes = static_cast<int64_t>(Codes.size());
  }

  /// The level chosen for a device of this architecture, or why there is none.
  std::string choose(int Arch, const char *Level = nullptr,
                     heddle_code_kind Kind = HEDDLE_UNSUPPORTED) {
    Driver.Arch = Arch;
    OnDevice<heddle_device> Device = openFake();
    const heddle_code *Code = nullptr;
    heddle_error *Error =
        heddle_device_code_of(Device.get(), Fake.get(), Level, &Code);
    if (!Error)
      return Code->level;
    EXPECT_EQ(Code, nullptr);
    Outcome Result = outcome(Error);
    EXPECT_EQ(Result.Kind, Kind);
    return Result.Message;
  }

  FakeDriver Driver;
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>();
  std::vector<heddle_device_code> Parts;
  std::vector<heddle_code> Codes;
};

} // namespace

TEST_F(CodeTest, TheNewestThatRuns) {
  give({{"cpu", 0, false, false},
        {"old", 80, true, true},
        {"new", 90, true, false},
        {"mid", 86, true, true}});
  EXPECT_EQ(choose(80), "old");
  EXPECT_EQ(choose(86), "mid");
  EXPECT_EQ(choose(89), "mid");
  EXPECT_EQ(choose(90), "new");
  EXPECT_EQ(choose(120), "new");
  EXPECT_EQ(choose(90, "old"), "old");
  EXPECT_EQ(choose(75),
            "kernel 'fake' has no code for device 'Fake 100' (sm_75); it has "
            "'cpu' (for the CPU), 'old' (machine code and PTX for sm_80), "
            "'new' (PTX for sm_90), 'mid' (machine code and PTX for sm_86); "
            "compile it with a level for the device too");
  EXPECT_EQ(choose(86, "new"),
            "level 'new' (PTX for sm_90) of kernel 'fake' does not run on "
            "device 'Fake 100' (sm_86)");
  EXPECT_EQ(choose(86, "cpu"),
            "level 'cpu' (for the CPU) of kernel 'fake' does not run on device "
            "'Fake 100' (sm_86)");
  EXPECT_EQ(choose(86, "none", HEDDLE_NOT_FOUND),
            "kernel 'fake' has no level 'none'; it has 'cpu' (for the CPU), "
            "'old' (machine code and PTX for sm_80), 'new' (PTX for sm_90), "
            "'mid' (machine code and PTX for sm_86)");
  ScopedVariable Level("HEDDLE_LEVEL", "old");
  EXPECT_EQ(choose(120), "old");
}

TEST_F(CodeTest, MachineCodeRunsOnItsMajorVersionOnly) {
  give({{"old", 80, false, true}});
  EXPECT_EQ(choose(80), "old");
  EXPECT_EQ(choose(89), "old");
  EXPECT_EQ(choose(90),
            "kernel 'fake' has no code for device 'Fake 100' (sm_90); it has "
            "'old' (machine code for sm_80); compile it with a level for the "
            "device too");
  give({{"old", 86, true, true}});
  EXPECT_NE(choose(80), "old");
}

TEST_F(CodeTest, TheCpuPassesItOver) {
  give({{"device", 80, true, true}, {"cpu", 0, false, false}});
  const heddle_code *Code = nullptr;
  expectOk(heddle_kernel_code(Fake.get(), &Code));
  EXPECT_STREQ(Code->level, "cpu");
  expectError(heddle_kernel_code_at(Fake.get(), "device", &Code),
              HEDDLE_UNSUPPORTED,
              {"level 'device' of kernel 'fake' is code for a device, which "
               "the CPU cannot run"});
  {
    ScopedVariable Level("HEDDLE_LEVEL", "device");
    expectError(heddle_kernel_code(Fake.get(), &Code), HEDDLE_UNSUPPORTED,
                {"level 'device' (from HEDDLE_LEVEL) of kernel 'fake' is code "
                 "for a device"});
  }
  give({{"device", 80, true, true}, {"other", 90, true, true}});
  expectError(heddle_kernel_code(Fake.get(), &Code), HEDDLE_UNSUPPORTED,
              {"kernel 'fake' has no code for the CPU, only 'device', 'other' "
               "for a device; run it on one, or compile it with a level of "
               "the CPU too"});
}
