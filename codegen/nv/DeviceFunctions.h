// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Questions to tables and sets, asked on the device.

#ifndef HEDDLE_CODEGEN_NV_DEVICEFUNCTIONS_H
#define HEDDLE_CODEGEN_NV_DEVICEFUNCTIONS_H

#include "codegen/lanes/IndexAccess.h"

namespace heddle::nv {

/// The questions as calls of functions that linkDeviceLibrary() brings.
class DeviceFunctions final : public IndexFunctions {
public:
  explicit DeviceFunctions(LaneBuilder &B) : B(B) {}
  mlir::Value call(IndexQuestion Question,
                   llvm::ArrayRef<mlir::Value> Arguments) override;

private:
  LaneBuilder &B;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_DEVICEFUNCTIONS_H
