// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel of FakeKernel.h as device code: what runs is its host functions,
// given the block of arguments that a device would get.

#ifndef HEDDLE_TEST_UNIT_RUNTIME_DEVICESCENE_H
#define HEDDLE_TEST_UNIT_RUNTIME_DEVICESCENE_H

#include "FakeDriver.h"
#include "FakeScene.h"
#include "heddle/index.h"

#include <algorithm>
#include <array>

namespace heddle::test::fake {

struct DestroyOnDevice {
  void operator()(heddle_device *P) const { heddle_device_close(P); }
  void operator()(heddle_device_plan *P) const {
    heddle_device_plan_destroy(P);
  }
  void operator()(heddle_timer *P) const { heddle_timer_destroy(P); }
};
template <typename T> using OnDevice = std::unique_ptr<T, DestroyOnDevice>;

inline OnDevice<heddle_device> openFake() {
  heddle_device *Device = nullptr;
  expectOk(heddle_device_open(FakeDriver::table(), 0, &Device));
  return OnDevice<heddle_device>(Device);
}

/// The parts of a block of arguments.
struct Block {
  heddle_device_launch Launch;
  heddle_args Args;
  std::vector<heddle_source> Sources;
  std::vector<heddle_operand> Operands;

  Block(const std::vector<unsigned char> &Bytes, int64_t NumSources,
        int64_t NumParams)
      : Sources(NumSources), Operands(NumParams) {
    const unsigned char *At = Bytes.data();
    auto Take = [&](void *Into, size_t Size) {
      std::copy_n(At, Size, static_cast<unsigned char *>(Into));
      At += Size;
    };
    Take(&Launch, sizeof(Launch));
    Take(&Args, sizeof(Args));
    Take(Sources.data(), NumSources * sizeof(heddle_source));
    Take(Operands.data(), NumParams * sizeof(heddle_operand));
    EXPECT_EQ(At, Bytes.data() + Bytes.size());
    EXPECT_EQ(Args.sources, nullptr);
    EXPECT_EQ(Args.operands, nullptr);
    EXPECT_EQ(Args.index, nullptr);
    Args.sources = Sources.data();
    Args.operands = Operands.data();
    Args.index = heddle_index_functions();
  }
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;

  /// b, h, tile and part of a group.
  std::array<int64_t, 4> task(int64_t Group) const {
    if (const int64_t *Row = Launch.tasks) {
      Row += 8 * Group;
      EXPECT_EQ(Row[4] | Row[5] | Row[6] | Row[7], 0);
      return {Row[0], Row[1], Row[2], Row[3]};
    }
    return {Group / (Launch.tiles * Launch.heads),
            Group / Launch.tiles % Launch.heads, Group % Launch.tiles,
            Group / (Launch.tiles * Launch.heads)};
  }
};

/// A kernel with code for the host, and the same for a device.
template <int32_t In, int32_t Out, int NumSources> struct DeviceKernel {
  Kernel Fake = Kernel::make<In, Out, NumSources>();
  heddle_device_code Code = {
      "nv",  "the_task", "the_columns", "ptx text", 8,       nullptr, 0, 80, 96,
      60000, 64,         512,           0,          nullptr, 0,       0};
  heddle_code Codes[2];

  DeviceKernel() {
    Codes[0] = Codes[1] = Fake.code();
    Codes[1].level = "device";
    Codes[1].task = nullptr;
    Codes[1].columns = nullptr;
    Codes[1].device = &Code;
    Codes[1].workspace_bytes = 0;
    Fake.entry().codes = Codes;
    Fake.entry().num_codes = 2;
  }

  const heddle_code *deviceCode() const { return &Codes[1]; }

  /// What a group of a launch does.
  static void run(const LaunchRecord &Record, int64_t Group) {
    Block Of(Record.Block, NumSources, 2);
    auto [B, H, Tile, Part] = Of.task(Group);
    std::vector<char> Workspace(256);
    if (Record.Function == "the_task") {
      EXPECT_EQ(Part, B);
      task<In, Out, NumSources>(&Of.Args, B, H, Tile, Workspace.data());
    } else {
      columns<In>(&Of.Args, B, H, Tile, Part, Workspace.data());
    }
  }
};

/// The tensors of a stage in the memory of a device.
class DeviceTensors {
public:
  explicit DeviceTensors(heddle_device &Device) : Device(Device) {}
  DeviceTensors(const DeviceTensors &) = delete;
  DeviceTensors &operator=(const DeviceTensors &) = delete;
  ~DeviceTensors() {
    for (const auto &Item : Items)
      heddle_device_free(&Device, Item->There.data);
  }

  /// A tensor's twin; what went wrong is kept.
  const heddle_tensor *copy(TestTensor &Of) {
    Items.push_back(std::make_unique<Twin>());
    Twin &T = *Items.back();
    T.Here = T.There = Of.view();
    T.Bytes = Of.size() * (T.Here.dtype == HEDDLE_F32 ? 4 : 2);
    T.There.data = nullptr;
    if (!Error)
      Error = heddle_device_allocate(&Device, T.Bytes, &T.There.data);
    if (!Error)
      Error = heddle_device_upload(&Device, T.There.data, T.Here.data, T.Bytes,
                                   nullptr);
    return &T.There;
  }
  heddle_error *takeError() {
    heddle_error *Result = Error;
    Error = nullptr;
    return Result;
  }
  /// Copies everything back.
  heddle_error *fetch() {
    for (const auto &Item : Items)
      if (heddle_error *E = heddle_device_download(
              &Device, Item->Here.data, Item->There.data, Item->Bytes, nullptr))
        return E;
    return nullptr;
  }

private:
  struct Twin {
    heddle_tensor Here, There;
    int64_t Bytes;
  };
  heddle_device &Device;
  std::vector<std::unique_ptr<Twin>> Items;
  heddle_error *Error = nullptr;
};

/// Points a list of tensors at the twins of a stage's.
inline heddle_tensors allTensors(DeviceTensors &There, Stage &T,
                                 const heddle_tensor **More) {
  heddle_tensors Tensors = {};
  Tensors.q = There.copy(T.Q);
  Tensors.k = There.copy(T.K);
  Tensors.v = There.copy(T.V);
  Tensors.o = There.copy(T.O);
  Tensors.lse = There.copy(T.Lse);
  Tensors.row_max = There.copy(T.RowMax);
  Tensors.column_sums = There.copy(T.ColumnSums);
  Tensors.block_max = There.copy(T.BlockMax);
  More[0] = There.copy(T.MoreK);
  More[1] = There.copy(T.MoreV);
  More[2] = There.copy(T.MoreSums);
  More[3] = There.copy(T.MoreBlocks);
  Tensors.more_k = &More[0];
  Tensors.more_v = &More[1];
  Tensors.more_column_sums = &More[2];
  Tensors.more_block_max = &More[3];
  return Tensors;
}

} // namespace heddle::test::fake

#endif // HEDDLE_TEST_UNIT_RUNTIME_DEVICESCENE_H
