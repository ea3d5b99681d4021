// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Devices: what drivers refuse, what is copied to a device, and launches whose
// groups run on the host.

#include "DeviceScene.h"
#include "Plan.h"
#include "codegen/nv/host/Libcuda.h"

#include <set>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;
using namespace heddle::test::fake;

//===----------------------------------------------------------------------===//
// Drivers and devices
//===----------------------------------------------------------------------===//

TEST(Driver, SaysWhatIsMissing) {
  std::string Why;
  EXPECT_EQ(nv::loadDriver("/nowhere/libcuda.so.1", Why), nullptr);
  EXPECT_NE(Why.find("cannot load the CUDA driver: /nowhere/libcuda.so.1"),
            std::string::npos)
      << Why;
  const std::string Other = bundlePath("good");
  EXPECT_EQ(nv::loadDriver(Other.c_str(), Why), nullptr);
  EXPECT_EQ(Why,
            "'" + Other + "' is no CUDA driver, it has no function 'cuInit'");
  const heddle_driver *Driver = nullptr;
  if (heddle_error *Error = heddle_driver_find(&Driver)) {
    EXPECT_EQ(Driver, nullptr);
    expectError(Error, HEDDLE_UNSUPPORTED,
                {"this machine has no device driver: cannot load the CUDA "
                 "driver: libcuda.so.1"});
    heddle_device *Device = nullptr;
    expectError(heddle_device_open(nullptr, 0, &Device), HEDDLE_UNSUPPORTED,
                {"this machine has no device driver"});
    EXPECT_EQ(Device, nullptr);
  } else {
    EXPECT_STREQ(Driver->name, "libcuda.so.1");
  }
  expectError(heddle_driver_find(nullptr), HEDDLE_INVALID_ARGUMENT, {"'out'"});
}

TEST(Device, IsDescribed) {
  FakeDriver Driver;
  {
    OnDevice<heddle_device> Device = openFake();
    heddle_device_info Info = heddle_device_describe(Device.get());
    EXPECT_STREQ(Info.name, "Fake 100");
    EXPECT_STREQ(Info.driver, "fake.so");
    EXPECT_EQ(Info.driver_version, 12040);
    EXPECT_EQ(Info.ordinal, 0);
    EXPECT_EQ(Info.arch, 86);
    EXPECT_EQ(Info.multiprocessors, 12);
    EXPECT_EQ(Info.shared_bytes, 100 * 1024);
  }
  EXPECT_TRUE(Driver.isIdle());
  EXPECT_EQ(heddle_device_describe(nullptr).name, nullptr);
}

TEST(Device, RefusesToOpen) {
  FakeDriver Driver;
  heddle_device *Device = nullptr;
  auto Refused = [&](int32_t Ordinal, heddle_code_kind Kind,
                     std::initializer_list<const char *> Parts) {
    Device = reinterpret_cast<heddle_device *>(&Driver);
    expectError(heddle_device_open(FakeDriver::table(), Ordinal, &Device), Kind,
                Parts);
    EXPECT_EQ(Device, nullptr);
    EXPECT_TRUE(Driver.isIdle());
  };
  Refused(2, HEDDLE_NOT_FOUND,
          {"there is no device 2; the driver 'fake.so' finds 2, numbered from "
           "0"});
  Refused(-1, HEDDLE_NOT_FOUND, {"there is no device -1"});
  Driver.Count = 0;
  Refused(0, HEDDLE_UNSUPPORTED,
          {"this machine has no device: its driver 'fake.so' finds none"});
  Driver.Count = 2;
  Driver.FailIn = "Init";
  Driver.Failure = HEDDLE_DRIVER_NO_DEVICE;
  Refused(0, HEDDLE_UNSUPPORTED, {"this machine has no device"});
  Driver.Failure = 7;
  Refused(0, HEDDLE_DEVICE_FAILED,
          {"cannot start the driver 'fake.so': FAKE_BAD, this is a test"});
  // A number that even the driver does not know.
  Driver.Failure = 998;
  Refused(0, HEDDLE_DEVICE_FAILED,
          {"cannot start the driver 'fake.so': error 998"});
  Driver.FailIn = "DevicePrimaryCtxRetain";
  Driver.Failure = HEDDLE_DRIVER_OUT_OF_MEMORY;
  Refused(0, HEDDLE_OUT_OF_MEMORY,
          {"cannot open device 'Fake 100': FAKE_MEMORY"});
  expectError(heddle_device_open(FakeDriver::table(), 0, nullptr),
              HEDDLE_INVALID_ARGUMENT, {"'out'"});
}

TEST(Device, ChecksArguments) {
  FakeDriver Driver;
  OnDevice<heddle_device> Device = openFake();
  void *Memory = &Driver;
  auto Refused = [&](heddle_error *Error, const char *Part) {
    expectError(Error, HEDDLE_INVALID_ARGUMENT, {Part});
  };
  Refused(heddle_device_allocate(Device.get(), -1, &Memory),
          "'bytes' is -1, expected 0 or more");
  EXPECT_EQ(Memory, nullptr);
  Refused(heddle_device_allocate(Device.get(), 8, nullptr), "'out' is null");
  Refused(heddle_device_allocate(nullptr, 8, &Memory), "the device is null");
  expectOk(heddle_device_allocate(Device.get(), 0, &Memory));
  EXPECT_EQ(Memory, nullptr);
  expectOk(heddle_device_upload(Device.get(), nullptr, nullptr, 0, nullptr));
  Refused(heddle_device_upload(Device.get(), nullptr, &Driver, 8, nullptr),
          "'to' is null, for 8 bytes");
  Refused(heddle_device_download(Device.get(), &Driver, nullptr, 8, nullptr),
          "'from' is null, for 8 bytes");
  Refused(heddle_device_fill(Device.get(), nullptr, 0, 8, nullptr),
          "'to' is null");
  heddle_timer *Timer = nullptr;
  Refused(heddle_timer_start(nullptr, nullptr), "the timer is null");
  expectOk(heddle_timer_create(Device.get(), &Timer));
  OnDevice<heddle_timer> Owner(Timer);
  double Time = 0;
  Refused(heddle_timer_read(Timer, &Time), "the timer was not started");
  expectOk(heddle_timer_start(Timer, nullptr));
  Refused(heddle_timer_read(Timer, &Time), "the timer was not stopped");
  expectOk(heddle_timer_stop(Timer, nullptr));
  expectOk(heddle_timer_read(Timer, &Time));
  EXPECT_EQ(Time, 1.5);
  heddle_device_plan *Plan = nullptr;
  Refused(heddle_device_plan_create(Device.get(), nullptr, &Plan),
          "the plan is null");
  Refused(heddle_device_plan_launch(nullptr, nullptr, nullptr),
          "the plan is null");
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// Launches on the fake device and compares everything.
template <int32_t In, int32_t Out, int NumSources>
static void runOnDevice(Scene &S) {
  FakeDriver Driver;
  using Kernel = DeviceKernel<In, Out, NumSources>;
  Driver.Run = Kernel::run;
  {
    Kernel Both;
    Stage T(S, heddle_dtype(In), heddle_dtype(Out));
    OnDevice<heddle_device> Device = openFake();
    const heddle_code *Code = nullptr;
    expectOk(
        heddle_device_code_of(Device.get(), Both.Fake.get(), nullptr, &Code));
    ASSERT_EQ(Code, Both.deviceCode());
    Owned<heddle_plan> Plan = T.plan(Both.Fake, Code);
    ASSERT_TRUE(Plan);
    heddle_device_plan *Made = nullptr;
    expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
    ASSERT_TRUE(Made);
    OnDevice<heddle_device_plan> There(Made);
    EXPECT_GT(heddle_device_plan_bytes(Made), 0);
    DeviceTensors Twins(*Device);
    const heddle_tensor *More[4];
    heddle_tensors Tensors = allTensors(Twins, T, More);
    expectOk(Twins.takeError());
    int Stream = 0;
    expectOk(heddle_device_plan_launch(Made, &Tensors, &Stream));
    expectOk(heddle_device_synchronize(Device.get(), &Stream));
    expectOk(Twins.fetch());
    T.expectResults(true, NumSources > 1);
    for (const LaunchRecord &Record : Driver.Launches) {
      const bool IsTask = Record.Function == "the_task";
      EXPECT_EQ(Record.Threads, IsTask ? 96 : 64);
      EXPECT_EQ(Record.Shared, IsTask ? 60000 : 512);
      EXPECT_EQ(Record.Stream, &Stream);
    }

    // Sums alone, without an lse of the caller's, in one launch per source.
    TestTensor Before = T.ColumnSums;
    T.ColumnSums.fill(5);
    DeviceTensors Others(*Device);
    Tensors.column_sums = Others.copy(T.ColumnSums);
    expectOk(Others.takeError());
    Tensors.lse = Tensors.block_max = nullptr;
    Tensors.more_block_max = Tensors.more_column_sums = nullptr;
    Driver.Launches.clear();
    expectOk(heddle_device_plan_launch(Made, &Tensors, nullptr));
    expectOk(Others.fetch());
    for (int64_t I = 0; I < Before.size(); ++I)
      EXPECT_EQ(T.ColumnSums.data()[I], Before.data()[I]);
    EXPECT_EQ(Driver.Launches.size(), 2);

    // A second plan shares the code.
    expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
    OnDevice<heddle_device_plan> Second(Made);
    EXPECT_EQ(Driver.Modules, 1);
    EXPECT_EQ(Driver.calls("ModuleLoadDataEx"), 1);
  }
  EXPECT_TRUE(Driver.isIdle());
}

TEST(DeviceLaunch, PlainBatches) {
  Scene S({11, 11, 11}, {13, 13, 13}, false, 0, 1);
  runOnDevice<HEDDLE_F32, HEDDLE_F32, 1>(S);
  runOnDevice<HEDDLE_BF16, HEDDLE_F32, 1>(S);
}

TEST(DeviceLaunch, RaggedBatches) {
  Scene S({5, 0, 1, 17, 4, 3}, {9, 6, 1, 23, 0, 8}, true, 0, 2);
  runOnDevice<HEDDLE_F32, HEDDLE_F16, 1>(S);
}

TEST(DeviceLaunch, SeveralSources) {
  Scene Plain({9, 9}, {8, 8}, false, 7, 3);
  runOnDevice<HEDDLE_F32, HEDDLE_F32, 2>(Plain);
  Scene Ragged({9, 3, 4}, {8, 0, 2}, true, 6, 4);
  runOnDevice<HEDDLE_F16, HEDDLE_F16, 2>(Ragged);
}

/// Does everything once; the first error.
static heddle_error *doEverything(Scene &S, void *&Stream,
                                  heddle_device *&Opened) {
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  if (heddle_error *E = heddle_device_open(FakeDriver::table(), 0, &Opened))
    return E;
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  heddle_device_plan *Made = nullptr;
  if (heddle_error *E = heddle_device_plan_create(Opened, Plan.get(), &Made)) {
    EXPECT_EQ(Made, nullptr);
    return E;
  }
  OnDevice<heddle_device_plan> There(Made);
  if (heddle_error *E = heddle_stream_create(Opened, &Stream))
    return E;
  heddle_timer *Timer = nullptr;
  if (heddle_error *E = heddle_timer_create(Opened, &Timer))
    return E;
  OnDevice<heddle_timer> Owner(Timer);
  DeviceTensors Twins(*Opened);
  const heddle_tensor *More[4];
  heddle_tensors Tensors = allTensors(Twins, T, More);
  if (heddle_error *E = Twins.takeError())
    return E;
  Tensors.lse = nullptr;
  if (heddle_error *E = heddle_timer_start(Timer, Stream))
    return E;
  if (heddle_error *E = heddle_device_plan_launch(Made, &Tensors, Stream))
    return E;
  if (heddle_error *E = heddle_timer_stop(Timer, Stream))
    return E;
  double Time = 0;
  if (heddle_error *E = heddle_timer_read(Timer, &Time))
    return E;
  if (heddle_error *E = heddle_device_fill(
          Opened, const_cast<void *>(Tensors.row_max->data), 1, 4, Stream))
    return E;
  if (heddle_error *E = heddle_device_synchronize(Opened, Stream))
    return E;
  return Twins.fetch();
}

TEST(DeviceLaunch, EveryCallMayFail) {
  // What is only given back has no way to say that it failed.
  const std::set<std::string> Silent = {
      "CtxPopCurrent", "MemFree",      "StreamDestroy",
      "EventDestroy",  "ModuleUnload", "DevicePrimaryCtxRelease"};
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  int64_t NumCalls = 0, Failures = 0;
  for (int64_t At = -1; At < NumCalls; ++At) {
    FakeDriver Driver;
    Driver.FailAt = At;
    void *Stream = nullptr;
    heddle_device *Opened = nullptr;
    heddle_error *Error = doEverything(S, Stream, Opened);
    heddle_stream_destroy(Opened, Stream);
    heddle_device_close(Opened);
    if (At < 0) {
      expectOk(Error);
      EXPECT_TRUE(Driver.isIdle());
      NumCalls = static_cast<int64_t>(Driver.Calls.size());
      EXPECT_GT(NumCalls, 100);
      continue;
    }
    const std::string &Name = Driver.Calls[At];
    SCOPED_TRACE(Name + " in call " + std::to_string(At));
    EXPECT_FALSE(Driver.BreaksRules);
    // Clean-up may have to do without the context.
    if (Name == "CtxPushCurrent" && !Error)
      continue;
    EXPECT_EQ(Driver.Pushed, 0);
    EXPECT_EQ(Driver.Modules + Driver.Streams + Driver.Events + Driver.Contexts,
              0);
    EXPECT_TRUE(Driver.Memory.empty());
    if (!Error) {
      // Waiting for the end of a plan that is given up is no more than that.
      EXPECT_TRUE(Silent.count(Name) || Name == "EventSynchronize");
      continue;
    }
    expectError(Error, HEDDLE_DEVICE_FAILED, {": FAKE_BAD, this is a test"});
    ++Failures;
  }
  EXPECT_GT(Failures, 60);
}

TEST(DeviceLaunch, CountsAlikeTasksOff) {
  // Every key is kept: all tasks have the same work, and need no table.
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  std::fill(S.Doc.begin(), S.Doc.end(), 1);
  FakeDriver Driver;
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Both.Fake.entry().has_column_sums = Both.Fake.entry().has_block_max = 0;
  Both.Code.columns = nullptr;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  auto Launch = [&]() -> Block {
    OnDevice<heddle_device> Device = openFake();
    Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
    heddle_device_plan *Made = nullptr;
    expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
    OnDevice<heddle_device_plan> There(Made);
    DeviceTensors Twins(*Device);
    heddle_tensors Tensors = {};
    Tensors.q = Twins.copy(T.Q);
    Tensors.k = Twins.copy(T.K);
    Tensors.v = Twins.copy(T.V);
    Tensors.o = Twins.copy(T.O);
    Tensors.scale = 0.25F;
    expectOk(Twins.takeError());
    expectOk(heddle_device_plan_launch(Made, &Tensors, nullptr));
    EXPECT_EQ(Driver.Launches.size(), 1);
    EXPECT_EQ(Driver.Launches[0].Groups, 2 * Heads * 3);
    // The block's pointers are the device's.
    Block Of(Driver.Launches[0].Block, 1, 2);
    const heddle_table &Doc = *Of.Operands[0].table;
    const heddle_set &Keys = *Of.Operands[1].set;
    auto Owns = [&](const void *At, size_t Bytes) {
      return Driver.owns(reinterpret_cast<uint64_t>(At), Bytes);
    };
    EXPECT_TRUE(Owns(&Doc, sizeof(Doc)) && Owns(&Keys, sizeof(Keys)));
    EXPECT_TRUE(Owns(Doc.data, 2 * 9 * 4) && Owns(Doc.low, 2 * 9 * 4) &&
                Owns(Doc.high, 2 * 9 * 4));
    EXPECT_TRUE(Owns(Keys.words, (2 * Heads + 1) * 8) &&
                Owns(Keys.before, 2 * Heads * 4) && Owns(Keys.members, 4) &&
                Owns(Keys.starts, (2 * Heads + 1) * 8));
    EXPECT_TRUE(Owns(Of.Args.origin, 16));
    EXPECT_EQ(Of.Args.origin[1], 0);
    EXPECT_EQ(Of.Args.q.data, Tensors.q->data);
    EXPECT_EQ(Of.Args.lse.data, nullptr);
    EXPECT_EQ(Of.Args.q.offsets, nullptr);
    EXPECT_EQ(Of.Args.scale, 0.25F);
    EXPECT_EQ(Of.Launch.workspace, nullptr);
    return Block(Driver.Launches[0].Block, 1, 2);
  };
  Block Alike = Launch();
  EXPECT_EQ(Alike.Launch.tasks, nullptr);
  EXPECT_EQ(Alike.Launch.tiles, 3);
  EXPECT_EQ(Alike.Launch.heads, Heads);
  // Work that differs makes an order.
  std::fill_n(S.Doc.begin(), QueryTile, 2);
  for (std::vector<int64_t> &Keys : S.Keys)
    Keys.clear();
  Driver.Launches.clear();
  Block Ordered = Launch();
  EXPECT_NE(Ordered.Launch.tasks, nullptr);
}

TEST(DeviceLaunch, WorkspacePerGroup) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  FakeDriver Driver;
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Both.Codes[1].workspace_bytes = 100;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  OnDevice<heddle_device> Device = openFake();
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  heddle_device_plan *Made = nullptr;
  expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
  OnDevice<heddle_device_plan> There(Made);
  DeviceTensors Twins(*Device);
  const heddle_tensor *More[4];
  heddle_tensors Tensors = allTensors(Twins, T, More);
  expectOk(heddle_device_plan_launch(Made, &Tensors, nullptr));
  for (const LaunchRecord &Record : Driver.Launches) {
    Block Of(Record.Block, 1, 2);
    EXPECT_TRUE(Driver.owns(reinterpret_cast<uint64_t>(Of.Launch.workspace),
                            100 * Record.Groups));
  }
}

TEST(DevicePlan, LoadsWhatTheDeviceTakes) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  FakeDriver Driver;
  auto Create = [&](heddle_device *Device) {
    heddle_device_plan *Made = nullptr;
    heddle_error *Error = heddle_device_plan_create(Device, Plan.get(), &Made);
    heddle_device_plan_destroy(Made);
    return Error;
  };
  Both.Code.cubin = "\x7f"
                    "ELF";
  Both.Code.cubin_bytes = 4;
  {
    OnDevice<heddle_device> Device = openFake();
    expectOk(Create(Device.get()));
    EXPECT_EQ(Driver.Loaded, std::vector<std::string>{"\x7f"
                                                      "ELF"});
    EXPECT_EQ(Driver.SharedOf["the_task"], 60000);
    EXPECT_EQ(Driver.SharedOf["the_columns"], 512);
    // Text takes the place of machine code that the driver has no use for.
    Driver.Images["\x7f"
                  "ELF"] = HEDDLE_DRIVER_NO_BINARY_FOR_GPU;
    Driver.Loaded.clear();
    expectOk(Create(Device.get()));
    EXPECT_EQ(Driver.Loaded.size(), 2);
    EXPECT_EQ(Driver.Loaded.back(), "ptx ");
    Driver.Images["ptx "] = HEDDLE_DRIVER_INVALID_PTX;
    Driver.Log = "line 3: what is this?\n";
    expectError(Create(Device.get()), HEDDLE_DEVICE_FAILED,
                {"cannot load level 'device' of kernel 'fake' on device 'Fake "
                 "100' (line 3: what is this?): FAKE_BAD, this is a test"});
    // Text that is too new.
    Driver.Images["ptx "] = HEDDLE_DRIVER_UNSUPPORTED_PTX_VERSION;
    expectError(Create(Device.get()), HEDDLE_UNSUPPORTED,
                {"is too old for the text of level 'device' of kernel 'fake', "
                 "and does not take its machine code; install a newer driver"});
    // Machine code that the driver refuses for any other reason.
    Driver.Images["ptx "] = HEDDLE_DRIVER_SUCCESS;
    Driver.Images["\x7f"
                  "ELF"] = HEDDLE_DRIVER_INVALID_VALUE;
    expectOk(Create(Device.get()));
    EXPECT_EQ(Driver.Loaded.back(), "ptx ");
  }
  Driver.Images.clear();
  {
    // Of another major version: the text alone.
    Driver.Arch = 90;
    OnDevice<heddle_device> Device = openFake();
    Driver.Loaded.clear();
    expectOk(Create(Device.get()));
    EXPECT_EQ(Driver.Loaded, std::vector<std::string>{"ptx "});
  }
  {
    Driver.Arch = 75;
    OnDevice<heddle_device> Device = openFake();
    expectError(Create(Device.get()), HEDDLE_UNSUPPORTED,
                {"level 'device' of kernel 'fake' does not run on device 'Fake "
                 "100'"});
  }
  Driver.Arch = 80;
  Driver.Shared = 59999;
  {
    OnDevice<heddle_device> Device = openFake();
    expectError(Create(Device.get()), HEDDLE_UNSUPPORTED,
                {"level 'device' of kernel 'fake' needs 60000 bytes of shared "
                 "memory, device 'Fake 100' has 59999"});
  }
  EXPECT_TRUE(Driver.isIdle());
}

TEST(DevicePlan, IsForDeviceCode) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  FakeDriver Driver;
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  OnDevice<heddle_device> Device = openFake();
  Owned<heddle_plan> Host = T.plan(Both.Fake);
  heddle_device_plan *Made = nullptr;
  expectError(heddle_device_plan_create(Device.get(), Host.get(), &Made),
              HEDDLE_INVALID_ARGUMENT,
              {"the plan of kernel 'fake' is for level 'fake' of the CPU, "
               "expected code for a device"});
  EXPECT_EQ(Made, nullptr);
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  Owned<heddle_pool> Pool = makePool(1);
  heddle_tensors Tensors = {};
  expectError(heddle_launch(Plan.get(), &Tensors, Pool.get()),
              HEDDLE_INVALID_ARGUMENT,
              {"the plan of kernel 'fake' is for level 'device', code for a "
               "device, which threads cannot run"});
  // Counting is the host's.
  heddle_stats Stats, HostStats;
  expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Stats));
  expectOk(heddle_plan_stats(Host.get(), Pool.get(), &HostStats));
  EXPECT_EQ(Stats.kept_pairs, HostStats.kept_pairs);
}

TEST(DevicePlan, RefusesTensors) {
  Scene S({9, 9}, {8, 8}, false, 0, 3);
  FakeDriver Driver;
  DeviceKernel<HEDDLE_F32, HEDDLE_F32, 1> Both;
  Stage T(S, HEDDLE_F32, HEDDLE_F32);
  OnDevice<heddle_device> Device = openFake();
  Owned<heddle_plan> Plan = T.plan(Both.Fake, Both.deviceCode());
  heddle_device_plan *Made = nullptr;
  expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
  OnDevice<heddle_device_plan> There(Made);
  DeviceTensors Twins(*Device);
  const heddle_tensor *More[4];
  heddle_tensors Tensors = allTensors(Twins, T, More);
  Tensors.q = nullptr;
  expectError(heddle_device_plan_launch(Made, &Tensors, nullptr),
              HEDDLE_INVALID_ARGUMENT, {"tensor 'q' is null"});
  EXPECT_TRUE(Driver.Launches.empty());
  expectError(heddle_device_plan_launch(Made, nullptr, nullptr),
              HEDDLE_INVALID_ARGUMENT, {"the list of tensors is null"});
}
