// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DeviceOperands.h"
#include "Strided.h"

#include <algorithm>
#include <cstddef>

using namespace heddle;
using namespace heddle::runtime;

using Place = DeviceImage::Place;

/// The elements of a table of reals, one after the other, and where they are.
/// What repeats along an axis is stored once.
static std::vector<float> packReals(heddle_table &Table) {
  int64_t Stored[Strided::MaxRank] = {};
  int64_t Elements = 1, Stride[Strided::MaxRank] = {};
  for (int32_t Axis = Table.rank; Axis-- > 0;) {
    Stored[Axis] = Table.stride[Axis] == 0 ? 1 : Table.shape[Axis];
    Stride[Axis] = Stored[Axis] == 1 ? 0 : Elements;
    if (__builtin_mul_overflow(Elements, Stored[Axis], &Elements))
      throw std::bad_alloc();
  }
  std::vector<float> Packed(static_cast<size_t>(Elements));
  const auto *From = static_cast<const float *>(Table.data);
  const int32_t Last = Table.rank - 1;
  Odometer At(Stored, Last);
  for (int64_t Row = 0; Row < Elements; Row += Stored[Last], At.step()) {
    const float *Begin = From + At.dot(Table.stride);
    for (int64_t I = 0; I < Stored[Last]; ++I)
      Packed[Row + I] = Begin[I * Table.stride[Last]];
  }
  std::copy(Stride, Stride + Table.rank, Table.stride);
  return Packed;
}

static Place addTable(const PreparedTable &From, DeviceImage &Into) {
  heddle_table Table = From.Table;
  // Integers are the plan's own, reals the caller's.
  if (From.Low.empty()) {
    const std::vector<float> Reals = packReals(Table);
    Place Data = Into.add(Reals);
    Place At = Into.add(&Table, 1);
    Into.point(At + offsetof(heddle_table, data), Data);
    return At;
  }
  Place Low = Into.add(From.Low);
  Place High = Table.high ? Into.add(From.High) : DeviceImage::Nowhere;
  Place At = Into.add(&Table, 1);
  Into.point(At + offsetof(heddle_table, data), Low);
  Into.point(At + offsetof(heddle_table, low),
             Table.low ? Low : DeviceImage::Nowhere);
  Into.point(At + offsetof(heddle_table, high), High);
  return At;
}

static Place addSet(const PreparedSet &From, DeviceImage &Into) {
  Place Words = Into.add(From.Words), Before = Into.add(From.Before);
  Place Members = Into.add(From.Members), Starts = Into.add(From.Starts);
  Place At = Into.add(&From.Set, 1);
  Into.point(At + offsetof(heddle_set, words), Words);
  Into.point(At + offsetof(heddle_set, before), Before);
  Into.point(At + offsetof(heddle_set, members), Members);
  Into.point(At + offsetof(heddle_set, starts), Starts);
  return At;
}

DeviceOperands::DeviceOperands(const heddle_entry &Entry,
                               const OperandStore &From, DeviceImage &Into)
    : Values(From.operands(), From.operands() + Entry.num_params),
      Places(Entry.num_params, DeviceImage::Nowhere) {
  auto Table = From.tables().begin();
  auto Set = From.sets().begin();
  for (int64_t I = 0; I < Entry.num_params; ++I) {
    switch (Entry.params[I].kind) {
    case HEDDLE_INTEGER_TABLE:
    case HEDDLE_REAL_TABLE:
      Places[I] = addTable(**Table++, Into);
      break;
    case HEDDLE_SET:
      Places[I] = addSet(**Set++, Into);
      break;
    default:
      break;
    }
  }
}

std::vector<heddle_operand>
DeviceOperands::resolve(const DeviceMemory &Memory) const {
  std::vector<heddle_operand> Result = Values;
  for (size_t I = 0; I < Result.size(); ++I) {
    if (Places[I] == DeviceImage::Nowhere)
      continue;
    Result[I] = {};
    Result[I].table = static_cast<const heddle_table *>(
        asPointer(DeviceImage::address(Memory, Places[I])));
  }
  return Result;
}
