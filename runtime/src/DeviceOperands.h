// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DEVICEOPERANDS_H
#define HEDDLE_RUNTIME_SRC_DEVICEOPERANDS_H

#include "DeviceImage.h"
#include "Operand.h"

namespace heddle::runtime {

/// The operands of a plan in an image.
class DeviceOperands {
public:
  /// Appends tables and sets, and all that they point to. Tables of reals
  /// become gapless. Throws std::bad_alloc.
  DeviceOperands(const heddle_entry &Entry, const OperandStore &From,
                 DeviceImage &Into);

  /// As kernels get them, after the image was uploaded to `Memory`.
  std::vector<heddle_operand> resolve(const DeviceMemory &Memory) const;

private:
  std::vector<heddle_operand> Values;
  /// Of tables and sets; Nowhere for numbers.
  std::vector<DeviceImage::Place> Places;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DEVICEOPERANDS_H
