// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace heddle::attn;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {
/// What `attn.merge` writes of an operand or result in its messages.
struct Named {
  std::string name;
  RankedTensorType type;
};
} // namespace

static LogicalResult verifyType(MergeOp op, const Named &value, bool isLse) {
  int64_t rank = isLse ? 3 : 4;
  if (value.type.getRank() != rank)
    return op.emitOpError("[merge-2] expected '")
           << value.name << "' of rank " << rank << ", found "
           << value.type.getRank();
  Type element = value.type.getElementType();
  if (!element.isF32() && (isLse || (!element.isF16() && !element.isBF16())))
    return op.emitOpError("[merge-2] expected '")
           << value.name << "' of element type "
           << (isLse ? "'f32'" : "'f32', 'f16' or 'bf16'") << ", found "
           << element;
  return success();
}

/// Whether `value` has the leading sizes of `result`, as far as both are known.
static LogicalResult verifySizes(MergeOp op, const Named &value,
                                 const Named &result) {
  for (auto [axis, sizes] : llvm::enumerate(
           llvm::zip(value.type.getShape(), result.type.getShape()))) {
    auto [found, expected] = sizes;
    if (ShapedType::isStatic(found) && ShapedType::isStatic(expected) &&
        found != expected)
      return op.emitOpError("[merge-3] expected '")
             << value.name << "' to have size " << expected << " along axis "
             << axis << ", as '" << result.name << "', found " << found;
  }
  return success();
}

LogicalResult MergeOp::verify() {
  if (getPartO().empty() || getPartO().size() != getPartLse().size())
    return emitOpError("[merge-1] expected at least one part, each with an o "
                       "and an lse, found ")
           << getPartO().size() << " and " << getPartLse().size();
  const Named o{"o", tensorType(getO())}, lse{"lse", tensorType(getLse())};
  if (failed(verifyType(*this, o, false)) ||
      failed(verifyType(*this, lse, true)) ||
      failed(verifySizes(*this, lse, o)))
    return failure();
  for (auto [number, part] :
       llvm::enumerate(llvm::zip(getPartO(), getPartLse()))) {
    std::string suffix = " of part " + std::to_string(number);
    const Named partO{"o" + suffix, tensorType(std::get<0>(part))},
        partLse{"lse" + suffix, tensorType(std::get<1>(part))};
    if (failed(verifyType(*this, partO, false)) ||
        failed(verifyType(*this, partLse, true)))
      return failure();
    for (auto [value, result] :
         {std::pair(&partO, &o), {&partLse, &lse}, {&partLse, &partO}})
      if (failed(verifySizes(*this, *value, *result)))
        return failure();
  }
  return success();
}

LogicalResult MergeOp::fold(FoldAdaptor,
                            SmallVectorImpl<OpFoldResult> &results) {
  if (getPartO().size() != 1 ||
      getPartO().front().getType() != getO().getType() ||
      getPartLse().front().getType() != getLse().getType())
    return failure();
  results.assign({getPartO().front(), getPartLse().front()});
  return success();
}

/// Replaces parts that are merges by their parts.
static LogicalResult flatten(MergeOp op, PatternRewriter &rewriter) {
  SmallVector<Value> o, lse;
  for (auto [partO, partLse] : llvm::zip(op.getPartO(), op.getPartLse())) {
    auto inner = partO.getDefiningOp<MergeOp>();
    if (inner && partO == inner.getO() && partLse == inner.getLse()) {
      llvm::append_range(o, inner.getPartO());
      llvm::append_range(lse, inner.getPartLse());
    } else {
      o.push_back(partO);
      lse.push_back(partLse);
    }
  }
  if (o == SmallVector<Value>(op.getPartO()))
    return failure();
  rewriter.replaceOpWithNewOp<MergeOp>(op, op.getO().getType(),
                                       op.getLse().getType(), o, lse);
  return success();
}

void MergeOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                          MLIRContext *) {
  patterns.add(flatten);
}
