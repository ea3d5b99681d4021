// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Tensors.h"

using namespace mlir;
using namespace heddle::attn;

/// Largest head dimension; see design and docs: workspaces grow with it.
static constexpr int64_t kMaxHeadDim = 512;

LogicalResult heddle::attn::verifyAgree(Operation *op, const Twine &rule,
                                        const NamedTensor &a,
                                        const NamedTensor &b, int64_t axis,
                                        StringRef what) {
  int64_t x = a.type.getDimSize(axis), y = b.type.getDimSize(axis);
  if (ShapedType::isDynamic(x) || ShapedType::isDynamic(y) || x == y)
    return success();
  return op->emitOpError() << "[" << rule << "] expected '" << a.name
                           << "' and '" << b.name << "' to agree in " << what
                           << ", found " << x << " and " << y;
}

/// Rank and element type of one tensor.
static LogicalResult verifyTensor(Operation *op, StringRef rule,
                                  const NamedTensor &tensor, int64_t rank,
                                  bool isFurther) {
  if (tensor.type.getRank() != rank)
    return op->emitOpError()
           << "[" << rule << "-1] expected '" << tensor.name << "' of rank "
           << rank << ", found " << tensor.type.getRank();
  Type element = tensor.type.getElementType();
  if (!element.isF32() &&
      (isFurther || (!element.isF16() && !element.isBF16())))
    return op->emitOpError() << "[" << rule << "-2] expected '" << tensor.name
                             << "' of element type "
                             << (isFurther ? "'f32'" : "'f32', 'f16' or 'bf16'")
                             << ", found " << element;
  return success();
}

/// A static size of `a` that `b` has too.
static LogicalResult verifyHeadDims(Operation *op, StringRef rule,
                                    const NamedTensor &a,
                                    const NamedTensor &b) {
  int64_t dim = a.type.getDimSize(3);
  if (ShapedType::isDynamic(dim) || dim < 1 || dim > kMaxHeadDim)
    return op->emitOpError()
           << "[" << rule << "-3] expected a static head dim in [1, "
           << kMaxHeadDim << "] for '" << a.name << "', found "
           << (ShapedType::isDynamic(dim) ? "?" : Twine(dim).str());
  if (b.type.getDimSize(3) != dim)
    return op->emitOpError()
           << "[" << rule << "-3] expected the head dim of '" << b.name
           << "' to be that of '" << a.name << "', " << dim;
  return success();
}

LogicalResult heddle::attn::verifyTensors(Operation *op, StringRef rule,
                                          const AttendedTensors &tensors) {
  const auto &[q, k, v, o, further, origin] = tensors;
  for (const NamedTensor &tensor : {q, k, v, o})
    if (failed(verifyTensor(op, rule, tensor, 4, /*isFurther=*/false)))
      return failure();
  for (const auto &[tensor, rank] : further)
    if (failed(verifyTensor(op, rule, tensor, rank, /*isFurther=*/true)))
      return failure();
  for (const NamedTensor &tensor : {k, v})
    if (tensor.type.getElementType() != q.type.getElementType())
      return op->emitOpError()
             << "[" << rule << "-2] expected '" << tensor.name
             << "' of the element type of 'q', " << q.type.getElementType()
             << ", found " << tensor.type.getElementType();
  if (failed(verifyHeadDims(op, rule, q, k)) ||
      failed(verifyHeadDims(op, rule, v, o)))
    return failure();
  for (const auto &[tensor, rank] : further)
    if (rank == 4 && failed(verifyHeadDims(op, rule, v, tensor)))
      return failure();

  int64_t heads = q.type.getDimSize(1), kvHeads = k.type.getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(kvHeads) &&
      (kvHeads == 0 ? heads != 0 : heads % kvHeads != 0))
    return op->emitOpError()
           << "[" << rule
           << "-5] expected the heads of 'q' to be a multiple of the heads of "
              "'k', found "
           << heads << " and " << kvHeads;
  if (failed(verifyAgree(op, rule + "-5", k, v, 1, "heads")))
    return failure();
  for (const NamedTensor &tensor : {k, v, o})
    if (failed(verifyAgree(op, rule + "-6", q, tensor, 0, "batch")))
      return failure();
  for (auto [axis, what] : {std::pair(1, "heads"), {2, "positions"}})
    if (failed(verifyAgree(op, rule + "-6", q, o, axis, what)))
      return failure();
  for (const auto &[tensor, rank] : further)
    for (auto [axis, what] : {std::pair(0, "batch"), {1, "heads"}})
      if (failed(verifyAgree(op, rule + "-6", q, tensor, axis, what)))
        return failure();
  if (failed(verifyAgree(op, rule + "-6", k, v, 2, "positions")))
    return failure();
  if (origin)
    if (int64_t rank = cast<RankedTensorType>(origin.getType()).getRank();
        rank != 1)
      return op->emitOpError()
             << "[" << rule << "-7] expected 'origin' of rank 1, found "
             << rank;
  return success();
}
