// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A scalar function, lifted to the lanes of a builder: what differs from lane
// to lane is a vector, the rest (a key, parameters, what is made of them) stays
// a scalar until it meets one. Without lanes everything is a scalar.

#ifndef HEDDLE_CODEGEN_LANES_REGIONLIFTER_H
#define HEDDLE_CODEGEN_LANES_REGIONLIFTER_H

#include "codegen/lanes/IndexAccess.h"
#include "dialect/attn/Attn.h"

#include <optional>

namespace heddle {

/// The region of a verb.
struct RegionCode {
  mlir::Block *Body = nullptr;
  /// Values of the kernel that the region uses, and what they were lowered to
  /// (i64, f32, i1, pointers); constants are not among them.
  mlir::SmallVector<mlir::Value> Captured, CapturedValues;

  /// Numbers that are equal only for regions that say the same.
  void appendSizes(mlir::SmallVectorImpl<int64_t> &Sizes) const;
};

/// The values that a region without regions inside uses but does not define,
/// other than constants.
mlir::SmallVector<mlir::Value> capturedValues(mlir::Block &Body);

/// Builds the body of a region for the lanes of one vector.
class RegionLifter {
public:
  /// `Target` is named where an operation has no code.
  RegionLifter(LaneBuilder &B, const RegionCode &Code, llvm::StringRef Target,
               OperandMemory::Fields Where = OperandMemory::Fields::AtPointer)
      : B(B), Code(Code), Target(Target), Memory(B, nullptr, Where) {}

  /// What a value of the region is known to be in the next `lift`.
  void give(mlir::Value Old, mlir::Value New) { Map[Old] = New; }
  /// The values yielded, vectors; nothing, and a diagnostic, where an operation
  /// cannot be lifted. Arguments are scalars or vectors.
  std::optional<mlir::SmallVector<mlir::Value>>
  lift(llvm::ArrayRef<mlir::Value> Arguments);

private:
  mlir::Value mapped(mlir::Value Old);
  mlir::Value lifted(mlir::Operation &Op);
  mlir::Value elementwise(mlir::Operation &Op);
  mlir::Value element(attn::AtOp Op);
  mlir::Value castInteger(mlir::Operation &Op);
  /// Calls `Function` with the operands as vectors.
  template <typename F> mlir::Value function(mlir::Operation &Op, F Function);

  mlir::Value asVector(mlir::Value V) {
    return mlir::isa<mlir::VectorType>(V.getType()) ? V : B.splat(V);
  }
  mlir::Type liftedType(mlir::Type T, bool Vector) {
    if (T.isIndex())
      T = B.getI64Type();
    return Vector ? B.ofLanes(T) : T;
  }

  LaneBuilder &B;
  const RegionCode &Code;
  llvm::StringRef Target;
  OperandMemory Memory;
  llvm::DenseMap<mlir::Value, mlir::Value> Map;
};

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_REGIONLIFTER_H
