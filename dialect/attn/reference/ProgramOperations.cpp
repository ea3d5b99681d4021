// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One operation of a region after the other.

#include "dialect/attn/reference/ProgramCompiler.h"
#include "dialect/attn/reference/RealFunctions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/ADT/bit.h"

using namespace heddle::attn;
namespace arith = mlir::arith;

mlir::LogicalResult ProgramCompiler::reportUnknown(mlir::Operation *Op) const {
  if (Kind == RegionKind::Recurrence)
    return Op->emitError() << "the reference does not know operation '"
                           << Op->getName()
                           << "'; a region of a recurrence holds 'arith' and "
                              "'math' operations on 'index' and 'f32', "
                              "'attn.at' and 'attn.mod', one that maps rows "
                              "also 'attn.row_sum', 'attn.row_max' and "
                              "'attn.project'";
  if (Kind == RegionKind::Score)
    return Op->emitError() << "the reference does not know operation '"
                           << Op->getName()
                           << "'; a score region holds 'arith' and 'math' "
                              "operations on 'index' and 'f32', 'attn.at', "
                              "'attn.mod' and 'attn.num_keys'";
  return Op->emitError() << "the reference does not know operation '"
                         << Op->getName()
                         << "'; a keep region holds integer 'arith' "
                            "operations, 'attn.in', 'attn.at', 'attn.apply', "
                            "'attn.mod' and 'attn.num_keys'";
}

/// Registers hold 64-bit integers, truth values and, in a score region, reals.
/// Narrower integers exist on the way between them only.
mlir::LogicalResult ProgramCompiler::checkTypes(mlir::Operation *Op) const {
  auto IsHeld = [&](mlir::Type Type) {
    return Type.isIndex() || Type.isInteger(1) || (hasReals() && Type.isF32());
  };
  for (mlir::Value Operand : Op->getOperands())
    if (!IsHeld(Operand.getType()) && !Places.contains(Operand))
      return Op->emitError()
             << "expected operands of type "
             << (hasReals() ? "'index', 'i1' or 'f32'" : "'index' or 'i1'")
             << ", found " << Operand.getType();
  for (mlir::Type Type : Op->getResultTypes())
    if (!IsHeld(Type))
      return Op->emitError()
             << "expected a result of type "
             << (hasReals() ? "'index', 'i1' or 'f32'" : "'index' or 'i1'")
             << ", found " << Type;
  return mlir::success();
}

mlir::LogicalResult ProgramCompiler::compileConstant(mlir::Operation *Op) {
  auto Constant = mlir::cast<arith::ConstantOp>(Op);
  Instruction Inst = make(Opcode::Constant);
  Inst.Dst = define(Constant.getResult());
  if (auto Value = mlir::dyn_cast<mlir::FloatAttr>(Constant.getValue());
      Value && hasReals()) {
    Inst.Immediate = llvm::bit_cast<int64_t>(Value.getValueAsDouble());
  } else if (auto Value =
                 mlir::dyn_cast<mlir::IntegerAttr>(Constant.getValue())) {
    Inst.Immediate = Constant.getType().isInteger(1)
                         ? static_cast<int64_t>(!Value.getValue().isZero())
                         : Value.getValue().getSExtValue();
  } else {
    return Op->emitError() << "expected an integer constant, found "
                           << Constant.getValue();
  }
  append(Inst);
  return checkTypes(Op);
}

mlir::LogicalResult ProgramCompiler::compileCompare(mlir::Operation *Op) {
  using arith::CmpIPredicate;
  auto Compare = mlir::cast<arith::CmpIOp>(Op);
  // As a truth value is 0 or 1 here and not 0 or -1, order is not defined.
  if (!Compare.getLhs().getType().isIndex())
    return Op->emitError() << "expected operands of type 'index', found "
                           << Compare.getLhs().getType();
  struct Meaning {
    Opcode Code;
    bool Swapped;
  };
  const Meaning Said = [&]() -> Meaning {
    switch (Compare.getPredicate()) {
    case CmpIPredicate::eq:
      return {Opcode::Equal, false};
    case CmpIPredicate::ne:
      return {Opcode::NotEqual, false};
    case CmpIPredicate::slt:
      return {Opcode::Less, false};
    case CmpIPredicate::sle:
      return {Opcode::LessEqual, false};
    case CmpIPredicate::sgt:
      return {Opcode::Less, true};
    case CmpIPredicate::sge:
      return {Opcode::LessEqual, true};
    case CmpIPredicate::ult:
      return {Opcode::LessUnsigned, false};
    case CmpIPredicate::ule:
      return {Opcode::LessEqualUnsigned, false};
    case CmpIPredicate::ugt:
      return {Opcode::LessUnsigned, true};
    case CmpIPredicate::uge:
      return {Opcode::LessEqualUnsigned, true};
    }
    llvm_unreachable("all comparisons are listed");
  }();
  Instruction Inst = make(Said.Code);
  Inst.A = read(Said.Swapped ? Compare.getRhs() : Compare.getLhs());
  Inst.B = read(Said.Swapped ? Compare.getLhs() : Compare.getRhs());
  Inst.Dst = define(Compare.getResult());
  append(Inst);
  return mlir::success();
}

void ProgramCompiler::readIndices(mlir::ValueRange Indices, Instruction &Inst) {
  for (mlir::Value Index : Indices)
    Inst.Indices[Inst.NumIndices++] = read(Index);
}

mlir::LogicalResult ProgramCompiler::compileMember(mlir::Operation *Op) {
  auto In = mlir::cast<InOp>(Op);
  const unsigned A = read(In.getValue());
  auto With = [&](Opcode Code, int64_t Immediate) {
    Instruction Inst = make(Code);
    Inst.A = A;
    Inst.Immediate = Immediate;
    return Inst;
  };
  if (In.getList()) {
    Instruction Inst = With(Opcode::Member, 0);
    Inst.Param = Places.lookup(In.getList());
    if (In.getIndices().size() != Out.Params[Inst.Param].Rank ||
        In.getIndices().size() > std::size(Inst.Indices))
      return Op->emitError() << "expected " << Out.Params[Inst.Param].Rank
                             << " indices as elsewhere for this set, found "
                             << In.getIndices().size();
    readIndices(In.getIndices(), Inst);
    Inst.Dst = define(In.getResult());
    append(Inst);
    return mlir::success();
  }
  if (auto Interval = mlir::dyn_cast<IntervalAttr>(In.getSetAttr())) {
    // The whole line where both ends are open.
    Instruction Low = With(Opcode::AtLeast, 0);
    Low.Immediate = Interval.getLo().value_or(INT64_MIN);
    Low.Dst = temporary();
    append(Low);
    if (!Interval.getHi()) {
      Registers[In.getResult()] = Low.Dst;
      return mlir::success();
    }
    Instruction High = With(Opcode::Below, *Interval.getHi());
    High.Dst = temporary();
    append(High);
    Instruction Both = make(Opcode::And);
    Both.A = Low.Dst;
    Both.B = High.Dst;
    Both.Dst = define(In.getResult());
    append(Both);
    return mlir::success();
  }
  if (auto Residue = mlir::dyn_cast<ResidueAttr>(In.getSetAttr())) {
    Instruction Inst = With(Opcode::Residue, Residue.getModulus());
    Inst.Remainder = Residue.getRemainder();
    Inst.Dst = define(In.getResult());
    append(Inst);
    return mlir::success();
  }
  if (mlir::isa_and_nonnull<Pow2Attr>(In.getSetAttr())) {
    Instruction Inst = With(Opcode::PowerOfTwo, 0);
    Inst.Dst = define(In.getResult());
    append(Inst);
    return mlir::success();
  }
  return Op->emitError() << "expected an interval, residue, power-of-two or "
                            "run-time set, found "
                         << In.getSetAttr();
}

mlir::LogicalResult ProgramCompiler::compileLoad(mlir::Operation *Op) {
  auto At = mlir::cast<AtOp>(Op);
  if (mlir::failed(checkTypes(Op)))
    return mlir::failure();
  Instruction Inst = make(Opcode::Load);
  Inst.Param = Places.lookup(At.getTable());
  if (At.getIndices().size() != Out.Params[Inst.Param].Rank ||
      At.getIndices().size() > std::size(Inst.Indices))
    return Op->emitError() << "expected one index per axis of the table, "
                           << "found " << At.getIndices().size();
  readIndices(At.getIndices(), Inst);
  Inst.Dst = define(At.getResult());
  append(Inst);
  return mlir::success();
}

mlir::LogicalResult ProgramCompiler::compileApply(mlir::Operation *Op) {
  auto Apply = mlir::cast<ApplyOp>(Op);
  auto Callee = mlir::SymbolTable::lookupNearestSymbolFrom<PatternOp>(
      Op, Apply.getPatternAttr());
  if (!Callee)
    return Op->emitError() << "expected the name of an 'attn.pattern', found "
                           << Apply.getPatternAttr();
  if (llvm::is_contained(Stack, Callee.getOperation()))
    return Op->emitError() << "pattern " << Apply.getPatternAttr()
                           << " applies itself";
  const unsigned NumParams = Callee.getNumParams();
  if (Apply.getParams().size() != NumParams ||
      Apply.getCoordinates().size() != Callee.getNumCoordinates())
    return Op->emitError() << "expected " << NumParams << " arguments and "
                           << Callee.getNumCoordinates()
                           << " coordinates for pattern "
                           << Apply.getPatternAttr();
  for (auto [I, Value] : llvm::enumerate(Apply.getParams())) {
    if (Value.getType() != Callee.getParamType(I))
      return Op->emitError()
             << "expected an argument of type " << Callee.getParamType(I)
             << ", found " << Value.getType();
    if (auto Place = Places.find(Value); Place != Places.end()) {
      const unsigned Number = Place->second;
      Places[Callee.getParam(I)] = Number;
    } else {
      Registers[Callee.getParam(I)] = read(Value);
    }
  }
  for (auto [I, Value] : llvm::enumerate(Apply.getCoordinates()))
    Registers[Callee.getCoordinate(I)] = read(Value);
  unsigned Verdict = 0;
  Stack.push_back(Callee);
  if (mlir::failed(walkKeep(Callee, Verdict)))
    return mlir::failure();
  Stack.pop_back();
  Registers[Apply.getResult()] = Verdict;
  return mlir::success();
}

/// Between 'index', integers and reals. A register holds an integer of n bits
/// sign-extended.
mlir::LogicalResult ProgramCompiler::compileCast(mlir::Operation *Op) {
  mlir::Type From = Op->getOperand(0).getType();
  mlir::Type To = Op->getResult(0).getType();
  // Of one bit is a truth value, which is 0 or 1.
  auto Width = [](mlir::Type Type) -> int64_t {
    if (Type.isIndex())
      return 64;
    return Type.isSignlessInteger() ? Type.getIntOrFloatBitWidth() : 0;
  };
  auto IsInteger = [&](mlir::Type Type) {
    return Width(Type) > 1 && Width(Type) <= 64;
  };
  if (!IsInteger(From) || !(To.isF32() || IsInteger(To)))
    return Op->emitError() << "expected a conversion between 'index', "
                              "integers of up to 64 bits and 'f32', found "
                           << From << " to " << To;
  Instruction Inst = make(To.isF32() ? Opcode::ToReal : Opcode::SignExtend);
  Inst.Immediate = Width(To);
  appendResult(Op, Inst);
  return mlir::success();
}

/// The relations that satisfy a predicate: equal 1, greater 2, less 4,
/// unordered 8.
static int64_t relationsOf(arith::CmpFPredicate Predicate) {
  using arith::CmpFPredicate;
  switch (Predicate) {
  case CmpFPredicate::AlwaysFalse:
    return 0;
  case CmpFPredicate::OEQ:
    return 1;
  case CmpFPredicate::OGT:
    return 2;
  case CmpFPredicate::OGE:
    return 3;
  case CmpFPredicate::OLT:
    return 4;
  case CmpFPredicate::OLE:
    return 5;
  case CmpFPredicate::ONE:
    return 6;
  case CmpFPredicate::ORD:
    return 7;
  case CmpFPredicate::UNO:
    return 8;
  case CmpFPredicate::UEQ:
    return 9;
  case CmpFPredicate::UGT:
    return 10;
  case CmpFPredicate::UGE:
    return 11;
  case CmpFPredicate::ULT:
    return 12;
  case CmpFPredicate::ULE:
    return 13;
  case CmpFPredicate::UNE:
    return 14;
  case CmpFPredicate::AlwaysTrue:
    return 15;
  }
  llvm_unreachable("all comparisons are listed");
}

bool ProgramCompiler::compileReal(mlir::Operation *Op) {
  const llvm::StringRef Name = Op->getName().getStringRef();
  Instruction Inst = make(Opcode::Unary);
  if (auto Compare = mlir::dyn_cast<arith::CmpFOp>(Op)) {
    Inst.Code = Opcode::RealCompare;
    Inst.Immediate = relationsOf(Compare.getPredicate());
  } else if (mlir::isa<mlir::math::FmaOp>(Op)) {
    Inst.Code = Opcode::MultiplyAdd;
  } else if ((Inst.Function1 = findUnary(Name))) {
    Inst.Code = Opcode::Unary;
  } else if ((Inst.Function2 = findBinary(Name))) {
    Inst.Code = Opcode::Binary;
  } else {
    return false;
  }
  appendResult(Op, Inst);
  return true;
}

mlir::LogicalResult ProgramCompiler::compileOperation(mlir::Operation *Op) {
  if (hasReals() && mlir::isa<InOp, ApplyOp, RequireOp>(Op))
    return reportUnknown(Op);
  if (mlir::isa<arith::ConstantOp>(Op))
    return compileConstant(Op);
  if (hasReals() && mlir::isa<arith::SIToFPOp, arith::IndexCastOp>(Op))
    return compileCast(Op);
  if (mlir::isa<AtOp>(Op))
    return compileLoad(Op);
  if (mlir::isa<ApplyOp>(Op))
    return compileApply(Op);
  std::optional<Opcode> Code =
      llvm::TypeSwitch<mlir::Operation *, std::optional<Opcode>>(Op)
          .Case([](arith::AddIOp) { return Opcode::Add; })
          .Case([](arith::SubIOp) { return Opcode::Sub; })
          .Case([](arith::MulIOp) { return Opcode::Mul; })
          .Case([](arith::FloorDivSIOp) { return Opcode::FloorDiv; })
          .Case([](arith::CeilDivSIOp) { return Opcode::CeilDiv; })
          .Case([](arith::DivSIOp) { return Opcode::Div; })
          .Case([](arith::DivUIOp) { return Opcode::DivUnsigned; })
          .Case([](arith::RemSIOp) { return Opcode::Rem; })
          .Case([](arith::RemUIOp) { return Opcode::RemUnsigned; })
          .Case([](arith::MinSIOp) { return Opcode::Min; })
          .Case([](arith::MaxSIOp) { return Opcode::Max; })
          .Case([](arith::AndIOp) { return Opcode::And; })
          .Case([](arith::OrIOp) { return Opcode::Or; })
          .Case([](arith::XOrIOp) { return Opcode::Xor; })
          .Case([](arith::SelectOp) { return Opcode::Select; })
          .Case([](ModOp) { return Opcode::Mod; })
          .Case([](NumKeysOp) { return Opcode::NumKeys; })
          .Default([](mlir::Operation *) { return std::nullopt; });
  if (!Code && !mlir::isa<arith::CmpIOp, InOp, RequireOp>(Op) &&
      !(hasReals() && compileReal(Op)))
    return reportUnknown(Op);
  if (mlir::failed(checkTypes(Op)))
    return mlir::failure();
  if (mlir::isa<arith::CmpIOp>(Op))
    return compileCompare(Op);
  if (mlir::isa<InOp>(Op))
    return compileMember(Op);
  if (auto Require = mlir::dyn_cast<RequireOp>(Op)) {
    Requirements.push_back(
        {Op, read(Require.getCondition()), Require.getMessage().str()});
    return mlir::success();
  }
  if (!Code)
    return mlir::success();
  Instruction Inst = make(*Code);
  if (auto Mod = mlir::dyn_cast<ModOp>(Op)) {
    Inst.Immediate = static_cast<int64_t>(Mod.getModulus());
    if (Inst.Immediate < 1)
      return Op->emitError()
             << "expected a positive modulus, found " << Inst.Immediate;
  }
  appendResult(Op, Inst);
  return mlir::success();
}
