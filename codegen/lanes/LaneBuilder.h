// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vocabulary that targets write elementwise code in: values of a number of
// lanes, which are vectors, or plain scalars where a lane is a thread of its
// own; pointers in steps of f32 elements, 64-bit integers.

#ifndef HEDDLE_CODEGEN_LANES_LANEBUILDER_H
#define HEDDLE_CODEGEN_LANES_LANEBUILDER_H

#include "codegen/lanes/CodeBuilder.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace heddle {

class LaneBuilder : public CodeBuilder {
public:
  /// Values without lanes are scalars.
  static constexpr int64_t Scalars = 0;

  /// Builds at the end of `Entry`, the first block of the new function.
  LaneBuilder(mlir::Location Loc, mlir::Block *Entry, int64_t Lanes);

  int64_t lanes() const { return Lanes; }
  mlir::Type ptrType() const { return Ptr; }
  /// One `Element` per lane.
  mlir::Type ofLanes(mlir::Type Element) const;

  /// The same in every lane.
  mlir::Value splat(float Value);
  mlir::Value splat(mlir::Value Scalar);
  mlir::Value splatConstant(mlir::TypedAttr Scalar);

  /// Between `index`, the type of the kernel's own arithmetic, and i64.
  mlir::Value toI64(mlir::Value Index);
  mlir::Value toIndex(mlir::Value I64);

  /// x * y + z, fused where the machine fuses.
  mlir::Value fma(mlir::Value X, mlir::Value Y, mlir::Value Z);

  mlir::Value loadScalar(mlir::Value Pointer, mlir::Type Type = {});
  void storeScalar(mlir::Value Value, mlir::Value Pointer);

private:
  int64_t Lanes;
  mlir::Type Ptr;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_LANEBUILDER_H
