// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/lanes/RegionLifter.h"

#include "codegen/lanes/LaneMath.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace heddle;
using namespace heddle;
using namespace mlir;

static bool isConstant(Value V) { return matchPattern(V, m_Constant()); }

SmallVector<Value> heddle::capturedValues(Block &Body) {
  llvm::SmallSetVector<Value, 4> Result;
  for (Operation &Op : Body)
    for (Value V : Op.getOperands())
      if (V.getParentBlock() != &Body && !isConstant(V))
        Result.insert(V);
  return Result.takeVector();
}

static int64_t number(const void *Unique) {
  return static_cast<int64_t>(reinterpret_cast<uintptr_t>(Unique));
}

void RegionCode::appendSizes(SmallVectorImpl<int64_t> &Sizes) const {
  // Types, attributes and names are unique in their context; values are
  // numbered in the order in which they come up.
  llvm::DenseMap<Value, int64_t> Numbers;
  auto Define = [&](Value V) {
    Numbers.try_emplace(V, static_cast<int64_t>(Numbers.size()));
    Sizes.push_back(number(V.getType().getAsOpaquePointer()));
  };
  for (Value Argument : Body->getArguments())
    Define(Argument);
  for (Value V : Captured)
    Define(V);
  for (Operation &Inner : *Body) {
    Sizes.push_back(number(Inner.getName().getAsOpaquePointer()));
    Sizes.push_back(number(Inner.getAttrDictionary().getAsOpaquePointer()));
    for (Value V : Inner.getOperands()) {
      Attribute Constant;
      if (Numbers.contains(V)) {
        Sizes.push_back(Numbers.lookup(V));
      } else if (matchPattern(V, m_Constant(&Constant))) {
        Sizes.push_back(-1);
        Sizes.push_back(number(Constant.getAsOpaquePointer()));
      }
    }
    for (Value V : Inner.getResults())
      Define(V);
  }
}

Value RegionLifter::mapped(Value Old) {
  if (Value Known = Map.lookup(Old))
    return Known;
  TypedAttr Constant;
  if (!matchPattern(Old, m_Constant(&Constant)))
    return {};
  if (auto Integer = dyn_cast<IntegerAttr>(Constant);
      Integer && Old.getType().isIndex())
    return B.i64(Integer.getInt());
  return B.constant(Constant);
}

Value RegionLifter::elementwise(Operation &Op) {
  SmallVector<Value> Operands =
      llvm::map_to_vector(Op.getOperands(), [&](Value V) { return mapped(V); });
  bool Vector = llvm::any_of(
      Operands, [](Value V) { return isa<VectorType>(V.getType()); });
  IRMapping Mapping;
  for (auto [Old, New] : llvm::zip_equal(Op.getOperands(), Operands))
    Mapping.map(Old, Vector ? asVector(New) : New);
  Operation *Clone = B.clone(Op, Mapping);
  Value Result = Clone->getResult(0);
  Result.setType(liftedType(Op.getResult(0).getType(), Vector));
  return Result;
}

Value RegionLifter::element(attn::AtOp Op) {
  SmallVector<Value> Indices =
      llvm::map_to_vector(Op.getIndices(), [&](Value V) { return mapped(V); });
  Value Table = mapped(Op.getTable());
  return Op.getType().isIndex() ? Memory.integer(Table, Indices)
                                : Memory.real(Table, Indices);
}

Value RegionLifter::castInteger(Operation &Op) {
  Value From = mapped(Op.getOperand(0));
  auto Vector = dyn_cast<VectorType>(From.getType());
  Type To = liftedType(Op.getResult(0).getType(), bool(Vector));
  unsigned Before =
      getElementTypeOrSelf(From.getType()).getIntOrFloatBitWidth();
  unsigned After = getElementTypeOrSelf(To).getIntOrFloatBitWidth();
  if (Before == After)
    return From;
  if (Before > After)
    return arith::TruncIOp::create(B, To, From);
  return arith::ExtSIOp::create(B, To, From);
}

template <typename F> Value RegionLifter::function(Operation &Op, F Function) {
  if (!Op.getResult(0).getType().isF32())
    return {};
  SmallVector<Value> Operands = llvm::map_to_vector(
      Op.getOperands(), [&](Value V) { return asVector(mapped(V)); });
  if constexpr (std::is_invocable_v<F, LaneBuilder &, Value>)
    return Function(B, Operands[0]);
  else if constexpr (std::is_invocable_v<F, LaneBuilder &, Value, Value>)
    return Function(B, Operands[0], Operands[1]);
  else
    return Function(B, Operands[0], Operands[1], Operands[2]);
}

static Value emitRsqrt(LaneBuilder &B, Value X) {
  return arith::DivFOp::create(B, B.splat(1.0F), math::SqrtOp::create(B, X));
}

static Value emitFma(LaneBuilder &B, Value X, Value Y, Value Z) {
  return B.fma(X, Y, Z);
}

/// True for a value that is NaN or at most 0, as far as a look at what makes it
/// tells. Maps are short.
static bool isNotPositive(Value V) {
  if (APFloat Constant(0.0F); matchPattern(V, m_ConstantFloat(&Constant)))
    return Constant.isNegative() || Constant.isZero();
  Operation *Op = V.getDefiningOp();
  if (isa_and_present<arith::MinimumFOp, arith::MinNumFOp>(Op))
    return llvm::any_of(Op->getOperands(), isNotPositive);
  if (auto Negated = dyn_cast_if_present<arith::NegFOp>(Op))
    return bool(Negated.getOperand().getDefiningOp<math::AbsFOp>());
  return false;
}

/// Division by what may be zero would stop the program.
static bool dividesSafely(Operation &Op) {
  APInt Divisor;
  return !isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
             Op) ||
         (matchPattern(Op.getOperand(1), m_ConstantInt(&Divisor)) &&
          Divisor.isStrictlyPositive());
}

/// Types whose arithmetic stays in registers: no call, no soft float.
static bool isNative(Type T) {
  return T.isIndex() || T.isF32() || (T.isInteger() && !T.isInteger(128));
}

// Nothing here may become a call: a bundle links against nothing.
Value RegionLifter::lifted(Operation &Op) {
  auto As = [&](auto Function) {
    return [this, &Op, Function](auto) { return function(Op, Function); };
  };
  if (isa<math::ExpOp, math::Exp2Op>(Op) && isNotPositive(Op.getOperand(0)))
    return isa<math::ExpOp>(Op) ? function(Op, emitExp)
                                : function(Op, emitExp2);
  bool Native =
      llvm::all_of(Op.getResultTypes(), isNative) && dividesSafely(Op);
  return llvm::TypeSwitch<Operation *, Value>(&Op)
      .Case([&](attn::AtOp At) { return element(At); })
      .Case<arith::IndexCastOp, arith::TruncIOp, arith::ExtSIOp>(
          [&](auto) { return castInteger(Op); })
      .Case<math::ExpOp>(As(emitAnyExp))
      .Case<math::Exp2Op>(As(emitAnyExp2))
      .Case<math::LogOp>(As(emitAnyLog))
      .Case<math::Log2Op>(As(emitAnyLog2))
      .Case<math::TanhOp>(As(emitTanh))
      .Case<math::ErfOp>(As(emitErf))
      .Case<math::SinOp>(As(emitSin))
      .Case<math::CosOp>(As(emitCos))
      .Case<math::PowFOp>(As(emitPow))
      .Case<math::FloorOp>(As(emitFloor))
      .Case<math::CeilOp>(As(emitCeil))
      .Case<math::RsqrtOp>(As(emitRsqrt))
      .Case<math::FmaOp>(As(emitFma))
      .Case<math::AbsFOp, math::SqrtOp, arith::AddFOp, arith::SubFOp,
            arith::MulFOp, arith::DivFOp, arith::NegFOp, arith::MaximumFOp,
            arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp,
            arith::CmpFOp, arith::SelectOp, arith::SIToFPOp, arith::UIToFPOp,
            arith::CmpIOp, arith::AddIOp, arith::SubIOp, arith::MulIOp,
            arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
            arith::MinSIOp, arith::MaxSIOp, arith::MinUIOp, arith::MaxUIOp,
            arith::AndIOp, arith::OrIOp, arith::XOrIOp, arith::ShLIOp,
            arith::ShRSIOp, arith::ShRUIOp, arith::ExtUIOp>(
          [&](auto) { return Native ? elementwise(Op) : Value(); })
      .Default([](Operation *) { return Value(); });
}

std::optional<SmallVector<Value>>
RegionLifter::lift(ArrayRef<Value> Arguments) {
  Block &Body = *Code.Body;
  for (auto [Old, New] : llvm::zip_equal(Body.getArguments(), Arguments))
    Map[Old] = New;
  for (auto [Old, New] : llvm::zip_equal(Code.Captured, Code.CapturedValues))
    Map[Old] = New;
  for (Operation &Op : Body.without_terminator()) {
    if (Op.getNumResults() == 1 &&
        (isConstant(Op.getResult(0)) || Map.contains(Op.getResult(0))))
      continue;
    B.setLoc(Op.getLoc());
    Value Result = Op.getNumRegions() == 0 && Op.getNumResults() == 1
                       ? lifted(Op)
                       : Value();
    if (!Result) {
      Op.emitOpError() << "has no code on the " << Target
                       << " target; expected elementwise "
                          "operations of 'arith' and 'math' on f32 and index, "
                          "divisions by positive constants and 'attn.at'";
      return std::nullopt;
    }
    Map[Op.getResult(0)] = Result;
  }
  auto Yielded =
      llvm::map_to_vector(Body.getTerminator()->getOperands(),
                          [&](Value V) { return asVector(mapped(V)); });
  Map.clear();
  return Yielded;
}
