// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the tensors of every kind of attention have in common.

#ifndef HEDDLE_DIALECT_ATTN_TENSORS_H
#define HEDDLE_DIALECT_ATTN_TENSORS_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// An operand or result, by its name in errors.
struct NamedTensor {
  llvm::StringRef name;
  mlir::RankedTensorType type;

  NamedTensor(llvm::StringRef name, mlir::Value value)
      : name(name), type(mlir::cast<mlir::RankedTensorType>(value.getType())) {}
};

struct AttendedTensors {
  NamedTensor q, k, v, o;
  /// Further ones, in f32, with axes (batch, query head, …).
  struct Further {
    NamedTensor tensor;
    int64_t rank;
  };
  llvm::SmallVector<Further, 4> further;
  mlir::Value origin;
};

/// `[rule-n]`, 1: ranks; 2: element types; 3: head dims; 5: head counts; 6:
/// what static sizes have in common, but for the positions of q and k, which
/// the operations see to, and of further tensors; 7: the rank of origin. `rule`
/// is the first word of the rules in the operation's documentation.
mlir::LogicalResult verifyTensors(mlir::Operation *op, llvm::StringRef rule,
                                  const AttendedTensors &tensors);

/// `[rule]`: static sizes of two tensors along an axis of each; `what` is its
/// name.
mlir::LogicalResult verifyAgree(mlir::Operation *op, const llvm::Twine &rule,
                                const NamedTensor &a, const NamedTensor &b,
                                int64_t axis, llvm::StringRef what);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_TENSORS_H
