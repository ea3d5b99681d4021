// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/ProgramCompiler.h"

#include "dialect/attn/reference/RealFunctions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/ADT/bit.h"

using namespace heddle::attn;
namespace arith = mlir::arith;

std::vector<ParamInfo> heddle::attn::listParams(PatternOp Pattern) {
  std::vector<ParamInfo> Out;
  for (unsigned I = 0; I < Pattern.getNumParams(); ++I) {
    ParamInfo Param;
    Param.Name = Pattern.getParamName(I).str();
    Param.Rank = Pattern.getParamRank(I);
    mlir::Type Type = Pattern.getParamType(I);
    if (auto Table = mlir::dyn_cast<mlir::RankedTensorType>(Type))
      Param.Kind = Table.getElementType().isF32() ? HEDDLE_REAL_TABLE
                                                  : HEDDLE_INTEGER_TABLE;
    else if (mlir::isa<SetType>(Type))
      Param.Kind = HEDDLE_SET;
    else
      Param.Kind = Type.isF32() ? HEDDLE_REAL : HEDDLE_INTEGER;
    Out.push_back(std::move(Param));
  }
  return Out;
}

ProgramCompiler::ProgramCompiler(PatternOp Pattern,
                                 llvm::ArrayRef<ParamInfo> Params,
                                 llvm::ArrayRef<unsigned> Slots)
    : Pattern(Pattern), Slots(Slots) {
  Out.Name = Pattern.getSymName().str();
  Out.Params = Params;
  for (int64_t Param : Pattern.getQueryGrid())
    Out.QueryGrid.push_back(Slots[static_cast<size_t>(Param)]);
  for (int64_t Param : Pattern.getKeyGrid())
    Out.KeyGrid.push_back(Slots[static_cast<size_t>(Param)]);
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

unsigned ProgramCompiler::temporary(uint8_t Dependence) {
  Depends.push_back(Dependence);
  return Out.RegisterCount++;
}

unsigned ProgramCompiler::define(mlir::Value Result) {
  return Registers[Result] = temporary();
}

unsigned ProgramCompiler::read(mlir::Value Operand) {
  return Registers.lookup(Operand);
}

/// Operands that an instruction does not have name the register after those of
/// the arguments, which depends on nothing.
ProgramCompiler::Instruction ProgramCompiler::make(Opcode Code) const {
  Instruction Inst;
  Inst.Code = Code;
  Inst.A = Inst.B = Inst.C = Out.scoreRegister() + 1;
  return Inst;
}

void ProgramCompiler::append(Instruction Inst) {
  uint8_t On = Depends[Inst.A] | Depends[Inst.B] | Depends[Inst.C];
  for (unsigned I = 0; I < Inst.NumIndices; ++I)
    On |= Depends[Inst.Indices[I]];
  Depends[Inst.Dst] = On;
  Instructions.push_back(Inst);
}

void ProgramCompiler::appendResult(mlir::Operation *Op, Instruction Inst) {
  unsigned *const Inputs[] = {&Inst.A, &Inst.B, &Inst.C};
  for (auto [I, Operand] : llvm::enumerate(Op->getOperands()))
    *Inputs[I] = read(Operand);
  Inst.Dst = define(Op->getResult(0));
  append(Inst);
}

/// Sets up registers for the region's arguments.
void ProgramCompiler::start(bool IsScoreRegion) {
  IsScore = IsScoreRegion;
  Instructions.clear();
  Depends.clear();
  Registers.clear();
  Places.clear();
  Requirements.clear();
  Stack.assign(1, Pattern);
  Out.RegisterCount = 0;
  Out.Outputs.clear();
  Out.PerQuery.clear();
  Out.PerKey.clear();

  mlir::Region &Region = IsScore ? Pattern.getScore() : Pattern.getBody();
  llvm::ArrayRef<mlir::BlockArgument> Arguments = Region.getArguments();
  const unsigned NumParams = Pattern.getNumParams();
  temporary(Program::OnBatch);
  temporary(Program::OnHead);
  for (unsigned I = 0; I < Out.numAxes(); ++I)
    temporary(Program::OnQuery);
  for (unsigned I = 0; I < Out.numAxes(); ++I)
    temporary(Program::OnKey);
  temporary(Program::OnKey);
  temporary(); // see `make`
  if (IsScore)
    Registers[Arguments[NumParams]] = Out.scoreRegister();
  for (unsigned I = 0, E = Pattern.getNumCoordinates(); I < E; ++I)
    Registers[Arguments[NumParams + (IsScore ? 1 : 0) + I]] = I;
  for (unsigned I = 0; I < NumParams; ++I) {
    mlir::BlockArgument Param = Arguments[I];
    if (mlir::isa<SetType, mlir::RankedTensorType>(Param.getType())) {
      Places[Param] = Slots[I];
      continue;
    }
    Instruction Inst =
        make(Param.getType().isF32() ? Opcode::Real : Opcode::Integer);
    Inst.Param = Slots[I];
    Inst.Dst = define(Param);
    append(Inst);
  }
}

/// Keeps what the outputs need, in order, what depends on keys apart.
mlir::FailureOr<Program>
ProgramCompiler::finish(llvm::ArrayRef<unsigned> Outputs) {
  std::vector<bool> Needed(Out.RegisterCount);
  for (unsigned Register : Outputs) {
    Needed[Register] = true;
    Out.Outputs.push_back({Register, Depends[Register]});
  }
  std::vector<Instruction> Kept;
  for (const Instruction &Inst : llvm::reverse(Instructions)) {
    if (!Needed[Inst.Dst])
      continue;
    Kept.push_back(Inst);
    for (unsigned Operand : {Inst.A, Inst.B, Inst.C})
      Needed[Operand] = true;
    for (unsigned I = 0; I < Inst.NumIndices; ++I)
      Needed[Inst.Indices[I]] = true;
  }
  for (const Instruction &Inst : llvm::reverse(Kept))
    (Depends[Inst.Dst] & Program::OnKey ? Out.PerKey : Out.PerQuery)
        .push_back(Inst);
  return Out;
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

mlir::LogicalResult ProgramCompiler::walkKeep(PatternOp From,
                                              unsigned &Verdict) {
  for (mlir::Operation &Op : From.getBody().front()) {
    if (auto Keep = mlir::dyn_cast<KeepOp>(Op))
      Verdict = read(Keep.getKept());
    else if (mlir::failed(compileOperation(&Op)))
      return mlir::failure();
  }
  return mlir::success();
}

mlir::FailureOr<Program> ProgramCompiler::compileKeep() {
  start(/*IsScoreRegion=*/false);
  unsigned Verdict = 0;
  if (mlir::failed(walkKeep(Pattern, Verdict)))
    return mlir::failure();
  return finish(Verdict);
}

mlir::FailureOr<Program>
ProgramCompiler::compileRequirements(std::vector<std::string> &Messages) {
  start(/*IsScoreRegion=*/false);
  unsigned Verdict = 0;
  if (mlir::failed(walkKeep(Pattern, Verdict)))
    return mlir::failure();
  llvm::SmallVector<unsigned> Conditions;
  for (const Requirement &R : Requirements) {
    if (Depends[R.Condition] & Program::OnCoordinates)
      return R.Op->emitError()
             << "expected a condition on parameters and the number of keys, "
                "found one that depends on a coordinate";
    Conditions.push_back(R.Condition);
    Messages.push_back(R.Message);
  }
  return finish(Conditions);
}

mlir::FailureOr<Program> ProgramCompiler::compileScore() {
  start(/*IsScoreRegion=*/true);
  llvm::SmallVector<unsigned> Results;
  for (mlir::Operation &Op : Pattern.getScore().front()) {
    if (auto Score = mlir::dyn_cast<ScoreOp>(Op)) {
      Results.push_back(read(Score.getScore()));
      if (mlir::Value Factor = Score.getFactor())
        Results.push_back(read(Factor));
    } else if (mlir::failed(compileOperation(&Op))) {
      return mlir::failure();
    }
  }
  return finish(Results);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

mlir::LogicalResult ProgramCompiler::reportUnknown(mlir::Operation *Op) const {
  if (IsScore)
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
    return Type.isIndex() || Type.isInteger(1) || (IsScore && Type.isF32());
  };
  for (mlir::Value Operand : Op->getOperands())
    if (!IsHeld(Operand.getType()) && !Places.contains(Operand))
      return Op->emitError()
             << "expected operands of type "
             << (IsScore ? "'index', 'i1' or 'f32'" : "'index' or 'i1'")
             << ", found " << Operand.getType();
  for (mlir::Type Type : Op->getResultTypes())
    if (!IsHeld(Type))
      return Op->emitError()
             << "expected a result of type "
             << (IsScore ? "'index', 'i1' or 'f32'" : "'index' or 'i1'")
             << ", found " << Type;
  return mlir::success();
}

mlir::LogicalResult ProgramCompiler::compileConstant(mlir::Operation *Op) {
  auto Constant = mlir::cast<arith::ConstantOp>(Op);
  Instruction Inst = make(Opcode::Constant);
  Inst.Dst = define(Constant.getResult());
  if (auto Value = mlir::dyn_cast<mlir::FloatAttr>(Constant.getValue());
      Value && IsScore) {
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

/// Between 'index', narrower integers and reals. A register holds an integer
/// of n bits sign-extended, but one of a single bit as 0 or 1.
mlir::LogicalResult ProgramCompiler::compileCast(mlir::Operation *Op) {
  mlir::Value From = Op->getOperand(0);
  mlir::Type To = Op->getResult(0).getType();
  auto Width = [](mlir::Type Type) -> int64_t {
    return Type.isIndex()     ? 64
           : Type.isInteger() ? Type.getIntOrFloatBitWidth()
                              : 0;
  };
  const bool IsSigned = mlir::isa<arith::SIToFPOp, arith::IndexCastOp>(Op);
  const int64_t Bits = Width(From.getType());
  if (Bits < 1 || Bits > 64 || Width(To) > 64 ||
      (!To.isF32() && Width(To) == 0))
    return Op->emitError() << "expected a conversion between 'index', "
                              "integers of up to 64 bits and 'f32', found "
                           << From.getType() << " to " << To;
  auto Append = [&](Opcode Code, unsigned A, int64_t Immediate) {
    Instruction Inst = make(Code);
    Inst.A = A;
    Inst.Dst = temporary();
    Inst.Immediate = Immediate;
    append(Inst);
    return Inst.Dst;
  };
  unsigned Value = Append(IsSigned ? Opcode::SignExtend : Opcode::ZeroExtend,
                          read(From), Bits);
  if (To.isF32())
    Value =
        Append(IsSigned ? Opcode::ToReal : Opcode::UnsignedToReal, Value, 0);
  else
    Value = Append(Width(To) == 1 ? Opcode::ZeroExtend : Opcode::SignExtend,
                   Value, Width(To));
  Registers[Op->getResult(0)] = Value;
  return mlir::success();
}

bool ProgramCompiler::compileReal(mlir::Operation *Op) {
  const llvm::StringRef Name = Op->getName().getStringRef();
  Instruction Inst = make(Opcode::Unary);
  if (auto Compare = mlir::dyn_cast<arith::CmpFOp>(Op)) {
    // The number of a predicate is the set of relations that satisfy it.
    Inst.Code = Opcode::RealCompare;
    Inst.Immediate = static_cast<int64_t>(Compare.getPredicate());
  } else if (mlir::isa<mlir::math::FmaOp>(Op)) {
    Inst.Code = Opcode::MultiplyAdd;
  } else if ((Inst.Function1 = findUnary(Name))) {
    Inst.Code = Opcode::Unary;
  } else if ((Inst.Function2 = findBinary(Name))) {
    Inst.Code = Opcode::Binary;
  } else if ((Inst.Test = findTest(Name))) {
    Inst.Code = Opcode::RealTest;
  } else {
    return false;
  }
  appendResult(Op, Inst);
  return true;
}

mlir::LogicalResult ProgramCompiler::compileOperation(mlir::Operation *Op) {
  if (IsScore && mlir::isa<InOp, ApplyOp, RequireOp>(Op))
    return reportUnknown(Op);
  if (mlir::isa<arith::ConstantOp>(Op))
    return compileConstant(Op);
  if (IsScore && mlir::isa<arith::SIToFPOp, arith::UIToFPOp, arith::IndexCastOp,
                           arith::IndexCastUIOp>(Op))
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
      !(IsScore && compileReal(Op)))
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
