// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/ProgramCompiler.h"

#include "llvm/ADT/STLExtras.h"

#include <numeric>

using namespace heddle::attn;

std::vector<ParamInfo> heddle::attn::listParams(ParamsOpInterface Op) {
  std::vector<ParamInfo> Out;
  for (unsigned I = 0; I < Op.getNumParams(); ++I) {
    ParamInfo Param;
    Param.Name = Op.getParamName(I).str();
    Param.Rank = Op.getParamRank(I);
    mlir::Type Type = Op.getParamType(I);
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

ProgramCompiler::ProgramCompiler(RecurrenceOp Op,
                                 llvm::ArrayRef<ParamInfo> Params)
    : Slots(Params.size()) {
  std::iota(Slots.begin(), Slots.end(), 0U);
  Out.Name = Op.getSymName().str();
  Out.IsRecurrence = true;
  Out.Params = Params;
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

void ProgramCompiler::start(mlir::Region &Region, RegionKind NewKind) {
  Kind = NewKind;
  Instructions.clear();
  Depends.clear();
  Registers.clear();
  Places.clear();
  Requirements.clear();
  Out.RegisterCount = 0;
  Out.Inputs.clear();

  temporary(Program::OnBatch);
  temporary(Program::OnHead);
  for (unsigned I = 0; I < Out.numAxes(); ++I)
    temporary(Program::OnQuery);
  for (unsigned I = 0; I < Out.numAxes(); ++I)
    temporary(Program::OnKey);
  temporary(Program::OnKey);
  temporary(); // see `make`
  for (auto [I, Slot] : llvm::enumerate(Slots)) {
    mlir::BlockArgument Param = Region.getArgument(I);
    if (mlir::isa<SetType, mlir::RankedTensorType>(Param.getType())) {
      Places[Param] = Slot;
      continue;
    }
    Instruction Inst =
        make(Param.getType().isF32() ? Opcode::Real : Opcode::Integer);
    Inst.Param = Slot;
    Inst.Dst = define(Param);
    append(Inst);
  }
}

void ProgramCompiler::bind(mlir::Region &Region, unsigned I,
                           unsigned Register) {
  Registers[Region.getArgument(static_cast<unsigned>(Slots.size()) + I)] =
      Register;
}

/// Keeps what the outputs need, in order, what depends on keys apart.
mlir::FailureOr<Program>
ProgramCompiler::finish(llvm::ArrayRef<unsigned> Outputs) {
  std::vector<bool> Needed(Out.RegisterCount);
  Program Made = Out;
  for (unsigned Register : Outputs) {
    Needed[Register] = true;
    Made.Outputs.push_back({Register, Depends[Register]});
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
    (Depends[Inst.Dst] & Program::OnKey ? Made.PerKey : Made.PerQuery)
        .push_back(Inst);
  return Made;
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

/// Sets up the keep region.
void ProgramCompiler::startKeep() {
  start(Pattern.getBody(), RegionKind::Keep);
  Stack.assign(1, Pattern);
  for (unsigned I = 0, E = Pattern.getNumCoordinates(); I < E; ++I)
    bind(Pattern.getBody(), I, I);
}

mlir::FailureOr<Program> ProgramCompiler::compileKeep() {
  startKeep();
  unsigned Verdict = 0;
  if (mlir::failed(walkKeep(Pattern, Verdict)))
    return mlir::failure();
  return finish(Verdict);
}

mlir::FailureOr<Program>
ProgramCompiler::compileRequirements(std::vector<std::string> &Messages) {
  startKeep();
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
  start(Pattern.getScore(), RegionKind::Score);
  bind(Pattern.getScore(), 0, Out.scoreRegister());
  for (unsigned I = 0, E = Pattern.getNumCoordinates(); I < E; ++I)
    bind(Pattern.getScore(), 1 + I, I);
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
