// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/Ramp.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace heddle;
using namespace mlir;

Value heddle::iota(LaneBuilder &B) {
  auto Type = VectorType::get({B.lanes()}, B.getI64Type());
  SmallVector<int64_t> Steps(B.lanes());
  for (auto [I, Step] : llvm::enumerate(Steps))
    Step = static_cast<int64_t>(I);
  return B.constant(DenseElementsAttr::get(Type, ArrayRef(Steps)));
}

Value heddle::lanesThat(LaneBuilder &B, arith::CmpIPredicate P, Value Number) {
  auto Type = VectorType::get({B.lanes()}, B.getI32Type());
  SmallVector<int32_t> Lanes(B.lanes());
  std::iota(Lanes.begin(), Lanes.end(), 0);
  Value Short = arith::TruncIOp::create(B, B.getI32Type(), Number);
  return arith::CmpIOp::create(
      B, P, B.constant(DenseElementsAttr::get(Type, ArrayRef(Lanes))),
      B.splat(Short));
}

/// The elements of a constant vector.
static std::optional<SmallVector<int64_t>> knownElements(Value V) {
  DenseIntElementsAttr Known;
  if (!matchPattern(V, m_Constant(&Known)))
    return std::nullopt;
  return llvm::map_to_vector(
      Known.getValues<APInt>(),
      [](const APInt &Element) { return Element.getSExtValue(); });
}

std::optional<int64_t> heddle::rampStep(Value V) {
  if (!isa<VectorType>(V.getType()))
    return 0;
  if (auto Elements = knownElements(V)) {
    int64_t Step = Elements->size() > 1 ? (*Elements)[1] - (*Elements)[0] : 0;
    for (size_t I = 1; I < Elements->size(); ++I)
      if ((*Elements)[I] - (*Elements)[I - 1] != Step)
        return std::nullopt;
    return Step;
  }
  if (auto Splat = V.getDefiningOp<vector::BroadcastOp>())
    return isa<VectorType>(Splat.getSource().getType())
               ? std::nullopt
               : std::optional<int64_t>(0);
  Operation *Op = V.getDefiningOp();
  if (!isa_and_present<arith::AddIOp, arith::SubIOp, arith::MulIOp>(Op))
    return std::nullopt;
  std::optional<int64_t> X = rampStep(Op->getOperand(0));
  std::optional<int64_t> Y = rampStep(Op->getOperand(1));
  if (!X || !Y)
    return std::nullopt;
  if (isa<arith::AddIOp>(Op))
    return *X + *Y;
  if (isa<arith::SubIOp>(Op))
    return *X - *Y;
  // Times a constant.
  for (auto [Factor, FactorStep, Step] :
       {std::tuple(Op->getOperand(0), *X, *Y),
        std::tuple(Op->getOperand(1), *Y, *X)})
    if (auto Elements = knownElements(Factor); Elements && FactorStep == 0)
      return Step * Elements->front();
  return std::nullopt;
}

Value heddle::rampStart(LaneBuilder &B, Value V) {
  if (!isa<VectorType>(V.getType()))
    return V;
  if (auto Elements = knownElements(V))
    return B.i64(Elements->front());
  if (auto Splat = V.getDefiningOp<vector::BroadcastOp>())
    return Splat.getSource();
  Operation *Op = V.getDefiningOp();
  Value X = rampStart(B, Op->getOperand(0));
  Value Y = rampStart(B, Op->getOperand(1));
  if (isa<arith::AddIOp>(Op))
    return B.add(X, Y);
  if (isa<arith::SubIOp>(Op))
    return arith::SubIOp::create(B, X, Y);
  return B.mul(X, Y);
}
