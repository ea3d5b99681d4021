// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICEPLAN_H
#define HEDDLE_RUNTIME_SRC_DEVICEPLAN_H

#include "DeviceImage.h"
#include "DeviceModule.h"
#include "Plan.h"

namespace heddle::runtime {

/// A row of the table of tasks (heddle_device_launch.tasks).
struct DeviceTask {
  int64_t Batch, Head, Tile, Part;
  int64_t Hidden[4];
};

/// A row of the table of merges (the same).
struct DeviceMerge {
  int64_t Batch, Head, Query, FirstRoom, Row, NumRooms;
  int64_t Unused[2];
};

/// Column tasks that may run side by side: rows of the table of column tasks.
/// Phases of a source follow one another.
struct ColumnPhase {
  int64_t Source, First, Count;
};

} // namespace heddle::runtime

struct heddle_device_plan {
  heddle_device &Device;
  const heddle_plan &Plan;
  std::shared_ptr<heddle::runtime::DeviceModule> Code;
  /// What tasks need beside tensors.
  heddle::runtime::DeviceMemory Image;
  /// Null where all tasks are alike and need no order.
  const int64_t *Tasks = nullptr;
  const int64_t *ColumnTasks = nullptr;
  /// Rows that are merged after the tasks of packed code.
  const int64_t *Merges = nullptr;
  int64_t NumMerges = 0;
  std::vector<heddle::runtime::ColumnPhase> ColumnPhases;
  const int64_t *Origin = nullptr;
  const int64_t *OffsetsQ = nullptr, *OffsetsK = nullptr,
                *OffsetsBlock = nullptr;
  /// A row of zeros as wide as those of a state, of a linear kernel.
  float *Zeros = nullptr;
  std::vector<heddle_operand> Operands;
  heddle::runtime::DeviceMemory Workspace;
  /// The lse of launches whose caller wants columns but no lse; made when first
  /// needed.
  heddle::runtime::DeviceMemory Lse;
  /// The end of the last launch.
  heddle_driver_event Done = nullptr;

  heddle_device_plan(heddle_device &Device, const heddle_plan &Plan)
      : Device(Device), Plan(Plan), Image(Device), Workspace(Device),
        Lse(Device) {}
  heddle_device_plan(const heddle_device_plan &) = delete;
  heddle_device_plan &operator=(const heddle_device_plan &) = delete;
  ~heddle_device_plan();
};

#endif // HEDDLE_RUNTIME_SRC_DEVICEPLAN_H
