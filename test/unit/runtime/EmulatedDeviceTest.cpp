// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Devices as they are emulated: a kernel compiled to PTX from C++ runs with the
// arguments that the runtime gives it, and what is wrong is told.

#include "DeviceScene.h"
#include "codegen/nv/emulation/Driver.h"

using namespace heddle;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

/// A kernel with code for the emulation.
template <int NumSources>
struct EmulatedKernel : DeviceKernel<HEDDLE_F32, HEDDLE_F32, NumSources> {
  std::string Text = readFile(TEST_DEVICE_TEXT);

  EmulatedKernel() {
    EXPECT_FALSE(Text.empty());
    heddle_device_code &Code = this->Code;
    Code.ptx = Text.c_str();
    Code.ptx_bytes = static_cast<int64_t>(Text.size());
    Code.task = NumSources == 1 ? "task1" : "task2";
    Code.columns = NumSources == 1 ? "columns1" : "columns2";
  }
};

OnDevice<heddle_device> openEmulation(int32_t Arch, unsigned Threads = 2) {
  ptx::Options How;
  How.Threads = Threads;
  const heddle_driver *Driver = ptx::emulatedDriver(Arch, How);
  EXPECT_TRUE(Driver);
  heddle_device *Device = nullptr;
  expectOk(heddle_device_open(Driver, 0, &Device));
  return OnDevice<heddle_device>(Device);
}

} // namespace

/// Plans and launches twice, and compares everything.
template <int NumSources> static void runEmulated(Scene &S) {
  {
    EmulatedKernel<NumSources> Both;
    Stage T(S, HEDDLE_F32, HEDDLE_F32);
    OnDevice<heddle_device> Device = openEmulation(90);
    const heddle_code *Code = nullptr;
    expectOk(
        heddle_device_code_of(Device.get(), Both.Fake.get(), nullptr, &Code));
    Owned<heddle_plan> Plan = T.plan(Both.Fake, Code);
    ASSERT_TRUE(Plan);
    heddle_device_plan *Made = nullptr;
    expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
    ASSERT_TRUE(Made);
    OnDevice<heddle_device_plan> There(Made);
    void *Stream = nullptr;
    expectOk(heddle_stream_create(Device.get(), &Stream));
    {
      DeviceTensors Twins(*Device);
      const heddle_tensor *More[4];
      heddle_tensors Tensors = allTensors(Twins, T, More);
      expectOk(Twins.takeError());
      heddle_timer *Timer = nullptr;
      expectOk(heddle_timer_create(Device.get(), &Timer));
      OnDevice<heddle_timer> Owner(Timer);
      expectOk(heddle_timer_start(Timer, Stream));
      for (int I = 0; I < 2; ++I)
        expectOk(heddle_device_plan_launch(Made, &Tensors, Stream));
      expectOk(heddle_timer_stop(Timer, Stream));
      double Time = 0;
      expectOk(heddle_timer_read(Timer, &Time));
      EXPECT_GT(Time, 0);
      expectOk(heddle_device_synchronize(Device.get(), Stream));
      expectOk(Twins.fetch());
    }
    T.expectResults(true, NumSources > 1);
    heddle_stream_destroy(Device.get(), Stream);
  }
  EXPECT_GT(ptx::emulatedWork().Instructions, 1000);
  EXPECT_EQ(ptx::emulatedBytes(), 0);
}

TEST(EmulatedDevice, PlainBatches) {
  Scene S({11, 11, 11}, {13, 13, 13}, false, 0, 1);
  runEmulated<1>(S);
}

TEST(EmulatedDevice, RaggedBatches) {
  Scene S({5, 0, 1, 17, 4, 3}, {9, 6, 1, 23, 0, 8}, true, 0, 2);
  runEmulated<1>(S);
}

TEST(EmulatedDevice, SeveralSources) {
  Scene Plain({9, 9}, {8, 8}, false, 7, 3);
  runEmulated<2>(Plain);
  Scene Ragged({9, 3, 4}, {8, 0, 2}, true, 6, 4);
  runEmulated<2>(Ragged);
}

TEST(EmulatedDevice, IsWhatWasAskedFor) {
  for (int32_t Arch : {80, 86, 89, 90, 120}) {
    OnDevice<heddle_device> Device = openEmulation(Arch, 3);
    heddle_device_info Info = heddle_device_describe(Device.get());
    EXPECT_STREQ(Info.name, "PTX emulation");
    EXPECT_EQ(Info.arch, Arch);
    EXPECT_EQ(Info.multiprocessors, 3);
    EXPECT_EQ(Info.shared_bytes, (Arch == 80   ? 163
                                  : Arch == 90 ? 227
                                               : 99) *
                                     1024);
  }
  EXPECT_EQ(ptx::emulatedDriver(10), nullptr);
  heddle_device *Device = nullptr;
  expectError(heddle_device_open(ptx::emulatedDriver(80), 1, &Device),
              HEDDLE_NOT_FOUND,
              {"there is no device 1; the driver 'PTX emulation' finds 1"});
}

TEST(EmulatedDevice, TellsWhatAKernelDoes) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  EmulatedKernel<1> Both;
  Both.Code.task = "astray";
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  OnDevice<heddle_device> Device = openEmulation(80);
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  heddle_device_plan *Made = nullptr;
  expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
  OnDevice<heddle_device_plan> There(Made);
  DeviceTensors Twins(*Device);
  const heddle_tensor *More[4];
  heddle_tensors Tensors = allTensors(Twins, T, More);
  expectError(heddle_device_plan_launch(Made, &Tensors, nullptr),
              HEDDLE_DEVICE_FAILED,
              {"cannot run 'astray' on device 'PTX emulation': "
               "CUDA_ERROR_LAUNCH_FAILED, unspecified launch failure: astray: "
               "CTA (",
               "at line", "st."});
}

TEST(EmulatedDevice, RefusesCode) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  EmulatedKernel<1> Both;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  OnDevice<heddle_device> Device = openEmulation(80);
  auto Create = [&]() {
    heddle_device_plan *Made = nullptr;
    heddle_error *Error =
        heddle_device_plan_create(Device.get(), Plan.get(), &Made);
    heddle_device_plan_destroy(Made);
    return Error;
  };
  // Machine code is for others; the text serves.
  Both.Code.cubin = "\x7f"
                    "ELF";
  Both.Code.cubin_bytes = 4;
  expectOk(Create());
  Both.Code.cubin = nullptr;
  Both.Code.task = "none";
  expectError(Create(), HEDDLE_DEVICE_FAILED,
              {"level 'device' of kernel 'fake' has no function 'none': "
               "CUDA_ERROR_NOT_FOUND"});
  Both.Code.task = "task1";
  Both.Code.ptx = ".version 7.8\n.target sm_80\n.address_size 64\nnonsense;\n";
  expectError(Create(), HEDDLE_DEVICE_FAILED,
              {"cannot load level 'device' of kernel 'fake' on device 'PTX "
               "emulation' (",
               "nonsense", "CUDA_ERROR_INVALID_PTX"});
  Both.Code.ptx = ".version 7.8\n.target sm_90\n.address_size 64\n";
  expectError(Create(), HEDDLE_DEVICE_FAILED,
              {"(.target is sm_90, the device is sm_80): "
               "CUDA_ERROR_INVALID_PTX"});
}

TEST(EmulatedDevice, KnowsItsMemoryAndHandles) {
  OnDevice<heddle_device> Device = openEmulation(80);
  void *Memory = nullptr;
  expectOk(heddle_device_allocate(Device.get(), 100, &Memory));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(Memory) % 256, 0);
  std::vector<unsigned char> Bytes(101, 3);
  expectError(
      heddle_device_upload(Device.get(), Memory, Bytes.data(), 101, nullptr),
      HEDDLE_DEVICE_FAILED,
      {"cannot copy 101 bytes to device 'PTX emulation': "
       "CUDA_ERROR_INVALID_VALUE, invalid argument: not all of 101 "
       "bytes are in one allocation"});
  expectOk(heddle_device_fill(Device.get(), Memory, 7, 100, nullptr));
  expectOk(
      heddle_device_download(Device.get(), Bytes.data(), Memory, 100, nullptr));
  EXPECT_EQ(Bytes[0] + Bytes[99] + Bytes[100], 7 + 7 + 3);
  int Stranger = 0;
  expectError(heddle_device_synchronize(Device.get(), &Stranger),
              HEDDLE_DEVICE_FAILED, {"CUDA_ERROR_INVALID_HANDLE"});
  expectError(heddle_device_fill(Device.get(), Memory, 7, 100, &Stranger),
              HEDDLE_DEVICE_FAILED, {"CUDA_ERROR_INVALID_HANDLE"});
  heddle_device_free(Device.get(), Memory);
  expectError(heddle_device_fill(Device.get(), Memory, 7, 100, nullptr),
              HEDDLE_DEVICE_FAILED, {"CUDA_ERROR_INVALID_VALUE"});
  expectError(heddle_device_allocate(Device.get(), int64_t(1) << 50, &Memory),
              HEDDLE_OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY"});
  // Nothing works without a context.
  const heddle_driver *Driver = ptx::emulatedDriver(80);
  heddle_device_ptr At = 0;
  EXPECT_EQ(Driver->MemAlloc(&At, 8), HEDDLE_DRIVER_INVALID_CONTEXT);
  EXPECT_STREQ(Driver->explain(), "no context is current");
}
