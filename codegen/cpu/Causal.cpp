// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Causal.h"

#include "dialect/attn/Formula.h"
#include "dialect/tile/Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace mlir;

static bool isSquare(Value V) {
  auto Type = cast<RankedTensorType>(V.getType());
  return Type.getRank() == 2 && Type.getDimSize(0) == Type.getDimSize(1);
}

static bool areEqual(Value X, Value Y) {
  APInt Left, Right;
  return X == Y || (matchPattern(X, m_ConstantInt(&Left)) &&
                    matchPattern(Y, m_ConstantInt(&Right)) && Left == Right);
}

bool cpu::isCausal(Value Bits) {
  auto Op = Bits ? Bits.getDefiningOp<tile::BitsOp>() : tile::BitsOp();
  if (!Op || Op.getListed() || !Op.getQueryBox().empty() || !isSquare(Bits) ||
      !areEqual(Op.getQ0().front(), Op.getK0().front()))
    return false;
  MLIRContext *Context = Bits.getContext();
  AffineExpr Distance = getAffineDimExpr(attn::DimQ, Context) -
                        getAffineDimExpr(attn::DimK, Context);
  attn::FormulaAttr Past =
      attn::getBetween(Distance, {getAffineConstantExpr(0, Context)}, {});
  APInt First, End;
  IntegerAttr Status;
  return Op.getFormula() == Past &&
         matchPattern(Op.getStatus(), m_Constant(&Status)) &&
         Status.getInt() == tile::Partial &&
         matchPattern(Op.getK0().front(), m_ConstantInt(&First)) &&
         matchPattern(Op.getNumKeys(), m_ConstantInt(&End)) &&
         End.getSExtValue() - First.getSExtValue() >=
             cast<RankedTensorType>(Bits.getType()).getDimSize(1);
}

/// True if the map makes 0 of elements (i, j) with j > i.
static bool hidesLaterColumns(tile::MapOp Op) {
  Block &Body = Op.getBody().front();
  size_t Inputs = Op.getInputs().size();
  Value Row = Body.getArgument(Inputs + 2);
  Value Column = Body.getArgument(Inputs + 3);
  auto IsHidden = [&](Value V) {
    auto Select = V.getDefiningOp<arith::SelectOp>();
    auto Less = Select ? Select.getCondition().getDefiningOp<arith::CmpIOp>()
                       : arith::CmpIOp();
    return Less && Less.getPredicate() == arith::CmpIPredicate::slt &&
           Less.getLhs() == Row && Less.getRhs() == Column &&
           matchPattern(Select.getTrueValue(), m_PosZeroFloat());
  };
  return areEqual(Op.getRow0(), Op.getColumn0()) &&
         llvm::all_of(Body.getTerminator()->getOperands(), IsHidden);
}

static bool seesLowerOnly(OpOperand &Use) {
  unsigned Number = Use.getOperandNumber();
  auto Passes = [](Operation *Op) {
    return llvm::all_of(Op->getResults(), cpu::needsLowerOnly);
  };
  return llvm::TypeSwitch<Operation *, bool>(Use.getOwner())
      .Case([&](tile::AccumulateOp Op) {
        return Number == Op.getPMutable().getOperandNumber() &&
               cpu::isCausal(Op.getBits());
      })
      // Turned, what is lower is upper.
      .Case([&](tile::TransposeOp Op) {
        return llvm::all_of(Op.getResult().getUses(), [](OpOperand &Turned) {
          auto Sum = dyn_cast<tile::AccumulateOp>(Turned.getOwner());
          return Sum && Sum.getUpper() &&
                 Turned.getOperandNumber() ==
                     Sum.getVMutable().getOperandNumber();
        });
      })
      .Case([&](tile::SolveOp Op) {
        return Number == Op.getAMutable().getOperandNumber();
      })
      .Case([&](tile::MapOp Op) {
        return isSquare(Op.getResult(0)) &&
               (hidesLaterColumns(Op) || Passes(Op));
      })
      .Case([&](arith::MulFOp Op) {
        Value Other = Op->getOperand(1 - Number);
        auto Decays = Other.getDefiningOp<tile::DecaysOp>();
        return Decays || Passes(Op);
      })
      .Case<arith::AddFOp, tile::ScaleOp>([&](auto Op) { return Passes(Op); })
      .Case([&](tile::RescaleOp Op) { return Number == 0 && Passes(Op); })
      .Default([](Operation *) { return false; });
}

bool cpu::needsLowerOnly(Value Tile) {
  return isSquare(Tile) && llvm::all_of(Tile.getUses(), [](OpOperand &Use) {
           return seesLowerOnly(Use);
         });
}
