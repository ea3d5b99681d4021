// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/SetProgram.h"

#include "dialect/attn/Sets.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <map>
#include <numeric>

using namespace heddle;
using heddle::attn::TileStatus;

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

/// The arithmetic that writes down what it is asked to compute.
class SetProgram::Recorder {
public:
  /// A register number; truth values live in registers too.
  using Int = unsigned;
  using Bool = unsigned;

  explicit Recorder(SetProgram &Program, unsigned NumParams)
      : Program(Program) {
    Program.RegisterCount = FirstParam + NumParams;
    Rates.assign(Program.RegisterCount, Rate::Once);
    Rates[Q0] = Rates[Q1] = Rate::Query;
    Rates[K0] = Rates[K1] = Rate::Key;
  }

  Int constant(int64_t X) {
    auto [It, IsNew] = Known.try_emplace(X, Program.RegisterCount);
    if (IsNew) {
      Program.Constants.push_back({Program.RegisterCount++, X});
      Rates.push_back(Rate::Once);
    }
    return It->second;
  }
  Bool truth(bool X) { return constant(static_cast<int64_t>(X)); }
  Int add(Int X, Int Y) { return append(Opcode::Add, X, Y); }
  Int sub(Int X, Int Y) { return append(Opcode::Sub, X, Y); }
  Int min(Int X, Int Y) { return append(Opcode::Min, X, Y); }
  Int max(Int X, Int Y) { return append(Opcode::Max, X, Y); }
  Int bitAnd(Int X, Int Y) { return append(Opcode::And, X, Y); }
  Int mul(Int X, int64_t Y) { return append(Opcode::Mul, X, X, X, Y); }
  Int floorDiv(Int X, int64_t Y) {
    return append(Opcode::FloorDiv, X, X, X, Y);
  }
  Int mod(Int X, int64_t Y) { return append(Opcode::Mod, X, X, X, Y); }
  Bool less(Int X, Int Y) { return append(Opcode::Less, X, Y); }
  Bool equal(Int X, Int Y) { return append(Opcode::Equal, X, Y); }
  Bool both(Bool X, Bool Y) { return append(Opcode::And, X, Y); }
  Bool either(Bool X, Bool Y) { return append(Opcode::Or, X, Y); }
  Bool negate(Bool X) { return append(Opcode::Not, X, X); }
  Int select(Bool C, Int X, Int Y) { return append(Opcode::Select, C, X, Y); }
  Int floorPow2(Int X) { return append(Opcode::FloorPow2, X, X); }

  /// Groups the code by rate; inputs of an instruction change no more often
  /// than it does, so groups may run one after the other.
  void finish() {
    auto RateOf = [&](const Instruction &Inst) { return Rates[Inst.Dst]; };
    std::vector<Instruction> Sorted;
    for (Rate R : {Rate::Once, Rate::Query, Rate::Key}) {
      if (R == Rate::Query)
        Program.QueryCode = Sorted.size();
      if (R == Rate::Key)
        Program.KeyCode = Sorted.size();
      for (const Instruction &Inst : Program.Code)
        if (RateOf(Inst) == R)
          Sorted.push_back(Inst);
    }
    Program.Code = std::move(Sorted);
  }

private:
  Int append(Opcode Code, Int X, Int Y) { return append(Code, X, Y, Y); }
  Int append(Opcode Code, Int X, Int Y, Int Z, int64_t Immediate = 0) {
    Int Dst = Program.RegisterCount++;
    Program.Code.push_back({Code, Dst, X, Y, Z, Immediate});
    Rates.push_back(std::max({Rates[X], Rates[Y], Rates[Z]}));
    return Dst;
  }

  SetProgram &Program;
  std::vector<Rate> Rates; ///< by register
  std::map<int64_t, unsigned> Known;
};

SetProgram SetProgram::recordStatus(attn::FormulaAttr Formula, int64_t TileKeys,
                                    unsigned NumParams) {
  SetProgram Out;
  Recorder Record(Out, NumParams);
  std::vector<unsigned> Params(NumParams);
  std::iota(Params.begin(), Params.end(), unsigned(FirstParam));
  attn::SetAlgebra<Recorder>::Box Box{B,  H,       Q0,     Q1,      K0,
                                      K1, NumKeys, Params, TileKeys};
  auto At =
      attn::SetAlgebra<Recorder>(Record).at(attn::boundByKeys(Formula), Box);
  Out.Results = {At.empty, At.full, At.until};
  Out.TileKeys = static_cast<unsigned>(TileKeys);
  Record.finish();
  return Out;
}

SetProgram SetProgram::recordContains(attn::FormulaAttr Formula,
                                      unsigned NumParams) {
  SetProgram Out;
  Recorder Record(Out, NumParams);
  std::vector<unsigned> Params(NumParams);
  std::iota(Params.begin(), Params.end(), unsigned(FirstParam));
  attn::SetAlgebra<Recorder>::Box Box{B, H, Q0, Q0, K0, K0, NumKeys, Params, 1};
  Out.Results = {attn::SetAlgebra<Recorder>(Record).contains(
      attn::boundByKeys(Formula), Box)};
  Record.finish();
  return Out;
}

//===----------------------------------------------------------------------===//
// Breaks and periods
//===----------------------------------------------------------------------===//

namespace {

/// Longer periods than this are not worth having: looking into partial tiles
/// alone is cheaper then.
constexpr int64_t MaxPeriod = 8192;

/// f(k + Period) = f(k) + Step for every k. Period 0: nothing is promised.
struct Advance {
  int64_t Period = 1;
  int64_t Step = 0;

  /// The same over `Times` periods.
  Advance repeated(int64_t Times) const {
    int64_t Longer = 0;
    int64_t Further = 0;
    if (llvm::MulOverflow(Period, Times, Longer) || Longer > MaxPeriod ||
        llvm::MulOverflow(Step, Times, Further))
      return {0, 0};
    return {Longer, Further};
  }

  /// Over as many periods as make the step a multiple of `Divisor`.
  Advance untilMultiple(int64_t Divisor) const {
    return repeated(Divisor / std::gcd(Divisor, Step));
  }
};

Advance advance(mlir::AffineExpr Expr) {
  if (!attn::uses(Expr, attn::DimK))
    return {1, 0};
  auto Binary = llvm::dyn_cast<mlir::AffineBinaryOpExpr>(Expr);
  if (!Binary)
    return {1, 1};
  Advance Left = advance(Binary.getLHS());
  if (Expr.getKind() == mlir::AffineExprKind::Add) {
    Advance Right = advance(Binary.getRHS());
    if (Left.Period == 0 || Right.Period == 0)
      return {0, 0};
    const int64_t Common = std::gcd(Left.Period, Right.Period);
    Left = Left.repeated(Right.Period / Common);
    if (Left.Period == 0)
      return Left;
    Right = Right.repeated(Left.Period / Right.Period);
    return {Left.Period, Left.Step + Right.Step};
  }
  const int64_t Factor =
      llvm::cast<mlir::AffineConstantExpr>(Binary.getRHS()).getValue();
  switch (Expr.getKind()) {
  case mlir::AffineExprKind::Mul: {
    int64_t Step = 0;
    if (llvm::MulOverflow(Left.Step, Factor, Step))
      return {0, 0};
    return {Left.Period, Step};
  }
  case mlir::AffineExprKind::FloorDiv:
  case mlir::AffineExprKind::CeilDiv:
    Left = Left.untilMultiple(Factor);
    return {Left.Period, Left.Step / Factor};
  default:
    return {Left.untilMultiple(Factor).Period, 0};
  }
}

} // namespace

/// Walks the atoms of a formula. What an interval atom says of a monotone form
/// changes once per bound, so it adds breaks and no period; a residue class
/// adds a period and no break; a power of two is a stretch between two breaks.
class SetProgram::BreakFinder {
public:
  using Algebra = attn::SetAlgebra<Recorder>;

  BreakFinder(Recorder &Record, const Algebra::Box &Row, SetProgram &Out)
      : Record(Record), Sets(Record), Row(Row), Out(Out) {}

  void walk(attn::FormulaAttr Formula) {
    for (attn::FormulaAttr Child : Formula.getChildren())
      walk(Child);
    if (Formula.getKind() == attn::FormulaKind::Between)
      between(Formula);
    else if (Formula.getKind() == attn::FormulaKind::Member)
      member(Formula);
  }

private:
  void between(attn::FormulaAttr Atom) {
    std::optional<int> Slide = Algebra::direction(Atom.getForm());
    if (!Slide || *Slide == 0) {
      repeats(Atom.getForm());
      return;
    }
    // A falling form crosses a bound where it gets below it.
    for (llvm::ArrayRef<mlir::AffineExpr> Bounds :
         {Atom.getLows(), Atom.getHighs()})
      for (mlir::AffineExpr Bound : Bounds)
        addBreak(Atom.getForm(),
                 Record.add(Sets.value(Bound, Row),
                            Record.constant(*Slide < 0 ? -1 : 0)));
  }

  void member(attn::FormulaAttr Atom) {
    mlir::AffineExpr Form = Atom.getForm();
    if (auto Set = llvm::dyn_cast<attn::ResidueAttr>(Atom.getSet())) {
      addPeriod(advance(Form).untilMultiple(Set.getModulus()).Period);
      return;
    }
    std::optional<int> Slide = Algebra::direction(Form);
    if (!Slide || *Slide == 0) {
      repeats(Form);
      return;
    }
    const double Largest = attn::magnitude(Form);
    for (int64_t Power = 1; static_cast<double>(Power) <= Largest; Power *= 2) {
      addBreak(Form, Record.constant(Power));
      addBreak(Form, Record.constant(Power + *Slide));
    }
  }

  /// An atom that is the same where its form is.
  void repeats(mlir::AffineExpr Form) {
    Advance A = advance(Form);
    addPeriod(A.Step == 0 ? A.Period : 0);
  }

  void addPeriod(int64_t Period) {
    if (Out.Period == 0 || Period == 0) {
      Out.Period = 0;
      return;
    }
    Out.Period = std::lcm(Out.Period, Period);
    if (Out.Period > MaxPeriod)
      Out.Period = 0;
  }

  void addBreak(mlir::AffineExpr Form, unsigned Bound) {
    Out.Results.push_back(Sets.reach(Form, /*lower=*/true, Bound, Row));
  }

  Recorder &Record;
  Algebra Sets;
  const Algebra::Box &Row;
  SetProgram &Out;
};

SetProgram SetProgram::recordBreaks(attn::FormulaAttr Formula,
                                    unsigned NumParams) {
  SetProgram Out;
  Recorder Record(Out, NumParams);
  std::vector<unsigned> Params(NumParams);
  std::iota(Params.begin(), Params.end(), unsigned(FirstParam));
  attn::SetAlgebra<Recorder>::Box Row{B, H, Q0, Q0, K0, K0, NumKeys, Params, 1};
  BreakFinder(Record, Row, Out).walk(attn::boundByKeys(Formula));
  Record.finish();
  return Out;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

SetProgram::Machine::Machine(const SetProgram &Program, const SetInputs &Inputs)
    : Program(Program), Registers(size_t(Program.RegisterCount) * Lanes) {
  auto Fill = [&](unsigned Register, int64_t Value) {
    std::fill_n(lanes(Register), Lanes, Value);
  };
  Fill(B, Inputs.B);
  Fill(H, Inputs.H);
  Fill(NumKeys, Inputs.NumKeys);
  for (size_t I = 0; I < Inputs.Params.size(); ++I)
    Fill(static_cast<unsigned>(FirstParam + I), Inputs.Params[I]);
  for (auto [Register, Value] : Program.Constants)
    Fill(Register, Value);
  run(0, Program.QueryCode, Lanes);
}

void SetProgram::Machine::run(size_t Begin, size_t End, unsigned Count) {
  for (size_t At = Begin; At < End; ++At) {
    const Instruction &Inst = Program.Code[At];
    int64_t *Dst = lanes(Inst.Dst);
    const int64_t *X = lanes(Inst.A);
    const int64_t *Y = lanes(Inst.B);
    const int64_t *Z = lanes(Inst.C);
    const int64_t Imm = Inst.Immediate;
    auto Each = [&](auto Function) {
      for (unsigned I = 0; I < Count; ++I)
        Dst[I] = Function(I);
    };
    switch (Inst.Code) {
    case Opcode::Add:
      Each([&](unsigned I) { return X[I] + Y[I]; });
      break;
    case Opcode::Sub:
      Each([&](unsigned I) { return X[I] - Y[I]; });
      break;
    case Opcode::Min:
      Each([&](unsigned I) { return std::min(X[I], Y[I]); });
      break;
    case Opcode::Max:
      Each([&](unsigned I) { return std::max(X[I], Y[I]); });
      break;
    case Opcode::And:
      Each([&](unsigned I) { return X[I] & Y[I]; });
      break;
    case Opcode::Or:
      Each([&](unsigned I) { return X[I] | Y[I]; });
      break;
    case Opcode::Mul:
      Each([&](unsigned I) { return X[I] * Imm; });
      break;
    case Opcode::FloorDiv:
      // An arithmetic shift rounds down, as wanted.
      if (llvm::isPowerOf2_64(static_cast<uint64_t>(Imm)))
        Each([&, Shift = llvm::Log2_64(static_cast<uint64_t>(Imm))](
                 unsigned I) { return X[I] >> Shift; });
      else
        Each([&](unsigned I) { return llvm::divideFloorSigned(X[I], Imm); });
      break;
    case Opcode::Mod:
      if (llvm::isPowerOf2_64(static_cast<uint64_t>(Imm)))
        Each([&](unsigned I) { return X[I] & (Imm - 1); });
      else
        Each([&](unsigned I) { return llvm::mod(X[I], Imm); });
      break;
    case Opcode::Less:
      Each([&](unsigned I) { return static_cast<int64_t>(X[I] < Y[I]); });
      break;
    case Opcode::Equal:
      Each([&](unsigned I) { return static_cast<int64_t>(X[I] == Y[I]); });
      break;
    case Opcode::Not:
      Each([&](unsigned I) { return X[I] ^ 1; });
      break;
    case Opcode::Select:
      Each([&](unsigned I) { return X[I] != 0 ? Y[I] : Z[I]; });
      break;
    case Opcode::FloorPow2:
      Each([&](unsigned I) {
        return static_cast<int64_t>(
            llvm::bit_floor(static_cast<uint64_t>(X[I])));
      });
      break;
    }
  }
}

SetProgram::Machine::Answer
SetProgram::Machine::status(int64_t Q0, int64_t Queries, int64_t K0) {
  lanes(Input::Q0)[0] = Q0;
  lanes(Input::Q1)[0] = Q0 + Queries - 1;
  lanes(Input::K0)[0] = K0;
  lanes(Input::K1)[0] = K0 + Program.TileKeys - 1;
  run(Program.QueryCode, Program.Code.size(), 1);
  const bool Empty = lanes(Program.Results[0])[0] != 0;
  const bool Full = lanes(Program.Results[1])[0] != 0;
  return {Empty  ? TileStatus::Empty
          : Full ? TileStatus::Full
                 : TileStatus::Partial,
          lanes(Program.Results[2])[0]};
}

void SetProgram::Machine::setQuery(int64_t Q) {
  std::fill_n(lanes(Input::Q0), Lanes, Q);
  run(Program.QueryCode, Program.KeyCode, Lanes);
}

int64_t SetProgram::Machine::keptKeys(int64_t K0, unsigned Count) {
  int64_t *Keys = lanes(Input::K0);
  for (unsigned I = 0; I < Count; ++I)
    Keys[I] = K0 + I;
  run(Program.KeyCode, Program.Code.size(), Count);
  const int64_t *Kept = lanes(Program.Results[0]);
  return std::accumulate(Kept, Kept + Count, int64_t(0));
}

void SetProgram::Machine::breaks(int64_t Q, int64_t End,
                                 std::vector<int64_t> &Out) {
  lanes(Input::Q0)[0] = Q;
  run(Program.QueryCode, Program.Code.size(), 1);
  Out.clear();
  for (unsigned Register : Program.Results)
    if (int64_t K = lanes(Register)[0]; K >= 0 && K < End)
      Out.push_back(K);
  std::sort(Out.begin(), Out.end());
  Out.push_back(End);
}
