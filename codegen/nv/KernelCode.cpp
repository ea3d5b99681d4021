// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/KernelCode.h"

#include "dialect/tile/Views.h"
#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

KernelCode::KernelCode(func::FuncOp Kernel, Block *Entry, tile::KernelKind Kind,
                       const Config &C)
    : Kernel(Kernel), Entry(Entry), Kind(Kind),
      Sig(Kernel.getFunctionType(), Kind), B(Kernel.getLoc(), Entry, C),
      Lanes(Kernel.getLoc(), Entry, LaneBuilder::Scalars), Functions(Lanes) {}

KernelCode::Values KernelCode::scalarsI64(ValueRange Operands) {
  Values Result;
  for (Value V : Operands)
    Result.push_back(scalarI64(V));
  return Result;
}

LaneBuilder &KernelCode::lanes() {
  Lanes.restoreInsertionPoint(B.saveInsertionPoint());
  Lanes.setLoc(B.getLoc());
  return Lanes;
}

LogicalResult KernelCode::lowerScalarOp(Operation *Op) {
  if (!tile::isScalarArithmetic(Op))
    return Op->emitOpError()
           << "cannot be lowered to the nv target: expected tile verbs of "
              "attention, 'scf.for', 'scf.while', 'scf.if' and scalar "
              "arithmetic; run 'attn-tile' first";
  B.clone(*Op, Scalars);
  return success();
}

LogicalResult KernelCode::checkSum(tile::AccumulateOp Op) {
  if (Op.getUpper())
    return Op.emitOpError()
           << "cannot be lowered to the nv target with 'upper': expected "
              "queries along the rows of the sum, and bits";
  return success();
}

void KernelCode::lower(tile::DimOp Op) {
  // Where the heads of a group are rows, those of the keys are left.
  Value View = Op.getAxis() == tile::Axis::Head && hasHeadRows(Op.getView())
                   ? Kernel.getArgument(Sig.firstKeys())
                   : Value(Op.getView());
  Value Size = Op.getAxis() == tile::Axis::Position
                   ? sequenceLength(View)
                   : viewShape(View, static_cast<unsigned>(Op.getAxis()));
  Scalars.map(Op.getResult(), B.toIndex(Size));
}
