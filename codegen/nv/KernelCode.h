// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What all kernels have in common on the way from the tile level to the code of
// a CTA: the block of a launch, views of tensors, scalars, questions to tables
// and sets. What tiles are is the business of those who derive from it.

#ifndef HEDDLE_CODEGEN_NV_KERNELCODE_H
#define HEDDLE_CODEGEN_NV_KERNELCODE_H

#include "codegen/lanes/IndexAccess.h"
#include "codegen/lanes/LaneBuilder.h"
#include "codegen/nv/DeviceFunctions.h"
#include "codegen/nv/NvBuilder.h"
#include "codegen/nv/Rows.h"
#include "dialect/tile/Signature.h"
#include "mlir/IR/IRMapping.h"

#include <optional>

namespace heddle::nv {

using tile::isTile;

/// Integers of packed code that the task brings, behind the other parameters.
enum HiddenOperand : unsigned {
  RowHead,
  RowPosition,
  KeyBegin,
  KeyEnd,
  NumHiddenOperands,
};

class KernelCode {
public:
  /// Bytes of the launch's block.
  int64_t blockBytes() const;

protected:
  using Values = NvBuilder::Values;

  /// `Kernel` is a checked kernel function; `Entry` the empty first block of
  /// the new function, whose argument is the block of a launch
  /// (heddle_device_launch).
  KernelCode(mlir::func::FuncOp Kernel, mlir::Block *Entry,
             tile::KernelKind Kind, const Config &C);

  // The function's frame (Frame.cpp).
  int64_t sourcesOffset() const;
  int64_t operandsOffset() const;
  void mapArguments();
  void mapTask();
  void mapViews();
  void mapLinearViews();
  void mapParameters();
  void mapOrigin();
  /// What lies in the launch's block at an offset.
  mlir::Value argument(size_t Offset, mlir::Type T);

  // Views (Views.cpp). Operands are of the tile level; rows count within the
  // sequence.
  mlir::Value viewField(mlir::Value View, size_t Field, mlir::Type T);
  mlir::Value viewShape(mlir::Value View, unsigned Axis);
  mlir::Value viewStride(mlir::Value View, unsigned Axis);
  /// Pointer to global memory.
  mlir::Value viewData(mlir::Value View);
  /// i1: somebody wants what goes there.
  mlir::Value hasData(mlir::Value View);
  /// What `Make` makes of a view, once, ahead of the loop or branch that needs
  /// it first: what only the end of the kernel asks for is made there.
  mlir::Value ofView(mlir::Value View, unsigned Key,
                     llvm::function_ref<mlir::Value()> Make);
  mlir::Value sequenceStart(mlir::Value View, mlir::Value Batch);
  mlir::Value sequenceLength(mlir::Value View);
  mlir::Value headAddress(mlir::Value View, mlir::Value Batch,
                          mlir::Value Head);
  /// Row 0 of head `Head` of sequence `Batch` and what follows it; which
  /// position a row has is left open.
  RowSource viewRows(mlir::Value View, mlir::Value Batch, mlir::Value Head);

  // Packed code, whose rows are the query heads that share a key head, at one
  // query (PackedRows.cpp).
  bool isPacked() const;
  void mapHeads();
  /// Whether the rows of a view are heads: of q and of outputs.
  bool hasHeadRows(mlir::Value View) const;
  /// The first of those heads at the task's query.
  mlir::Value headRowsAddress(mlir::Value View, mlir::Value Batch);

  // Scalars. Tables and sets are pointers to their descriptions.
  mlir::Value scalar(mlir::Value V) { return Scalars.lookup(V); }
  mlir::Value scalarI64(mlir::Value V) { return B.toI64(scalar(V)); }
  Values scalarsI64(mlir::ValueRange Operands);
  /// Integers as i64, anything else as it is.
  mlir::Value operand(mlir::Value V) {
    return V.getType().isIndex() ? scalarI64(V) : scalar(V);
  }
  mlir::LogicalResult lowerScalarOp(mlir::Operation *Op);
  /// Fails, with a diagnostic, at a sum whose values would be upper triangular.
  static mlir::LogicalResult checkSum(tile::AccumulateOp Op);
  /// The builder of elementwise code, where the kernel's stands.
  LaneBuilder &lanes();
  void lower(tile::DimOp Op);

  // Questions to tables and sets (IndexVerbs.cpp).
  OperandMemory operands();
  void lower(attn::AtOp Op);
  void lower(attn::SpanOp Op);
  void lower(attn::SeekOp Op);
  void lower(attn::ProbeOp Op);
  void lower(attn::RankOp Op);
  void lower(attn::MemberOp Op);
  void lower(attn::ExtentOp Op);

  mlir::func::FuncOp Kernel;
  mlir::Block *Entry;
  tile::KernelKind Kind;
  tile::Signature Sig;
  NvBuilder B;
  LaneBuilder Lanes;
  DeviceFunctions Functions;
  mlir::IRMapping Scalars;

  /// What ends the code of the operations of the kernel's block before this
  /// one.
  mlir::Operation *Top = nullptr;
  /// What takes the place of the batch in views of outputs; in packed code the
  /// number of the task's room, negative where its rows are whole.
  mlir::Value Part;
  /// Hidden operands of packed code (i64), its query within the sequence, and
  /// the query heads of a key head.
  Values Hidden;
  mlir::Value Query, Group;
  /// Byte offsets of views in the launch's block.
  llvm::DenseMap<mlir::Value, size_t> Views;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, mlir::Value> ViewValues;
};

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_KERNELCODE_H
