// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/SetProgram.h"

#include "dialect/attn/Sets.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <map>
#include <numeric>

using namespace heddle;

//===----------------------------------------------------------------------===//
// Recording
//===----------------------------------------------------------------------===//

/// The arithmetic that writes down what it is asked to compute.
class SetProgram::Recorder {
public:
  /// A register number; truth values live in registers too.
  using Int = unsigned;
  using Bool = unsigned;

  struct Range {
    Int lo, hi;
  };
  struct Probed {
    Bool some, every;
    Int next, previous;
  };
  using Algebra = attn::SetAlgebra<Recorder>;

  Recorder(SetProgram &Program, const SetSource &From)
      : Program(Program), Params(From.NumParams) {
    Program.Axes = From.Grid.axes();
    Program.RegisterCount = FirstParam + From.NumParams;
    std::iota(Params.begin(), Params.end(), FirstParam);
    Rates.assign(Program.RegisterCount, Rate::Once);
    for (unsigned Axis = 0; Axis < attn::kNumAxes; ++Axis) {
      Rates[coordinate(Axis, QLow)] = Rates[coordinate(Axis, QHigh)] =
          Rate::Query;
      Rates[coordinate(Axis, KLow)] = Rates[coordinate(Axis, KHigh)] =
          Rate::Key;
    }
  }

  /// The box in the registers that callers fill, or its lower corner alone.
  Algebra::Box box(bool IsPoint, int64_t Keys) const {
    Algebra::Box Result{B, H, {}, {}, NumKeys, Params, Keys};
    for (unsigned Axis = 0; Axis < Program.Axes; ++Axis) {
      Result.q.push_back(
          {coordinate(Axis, QLow), coordinate(Axis, IsPoint ? QLow : QHigh)});
      Result.k.push_back(
          {coordinate(Axis, KLow), coordinate(Axis, IsPoint ? KLow : KHigh)});
    }
    return Result;
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

  Int read(unsigned Param, llvm::ArrayRef<Int> Indices) {
    return ask(Opcode::Read, Param, Indices, {}, 1);
  }
  Bool holds(unsigned Param, llvm::ArrayRef<Int> Indices, Int X) {
    return ask(Opcode::Holds, Param, Indices, {X}, 1);
  }
  Range span(unsigned Param, llvm::ArrayRef<Int> Leading, Int First, Int Last) {
    const Int Low = ask(Opcode::Span, Param, Leading, {First, Last}, 2);
    return {Low, Low + 1};
  }
  Int seek(unsigned Param, llvm::ArrayRef<Int> Leading, Int From, Int Low,
           Int High, bool Outside) {
    return ask(Opcode::Seek, Param, Leading, {From, Low, High, truth(Outside)},
               1);
  }
  Probed probe(unsigned Param, llvm::ArrayRef<Int> Leading, Int First, Int Last,
               Int Low, Int High) {
    const Int Some =
        ask(Opcode::Probe, Param, Leading, {First, Last, Low, High}, 4);
    return {Some, Some + 1, Some + 2, Some + 3};
  }

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

  /// Asks an operand with indices and what follows them.
  Int ask(Opcode Code, unsigned Param, llvm::ArrayRef<Int> Indices,
          std::initializer_list<Int> Others, unsigned Results) {
    const auto First = static_cast<unsigned>(Program.Arguments.size());
    llvm::append_range(Program.Arguments, Indices);
    llvm::append_range(Program.Arguments, Others);
    const auto Count = static_cast<unsigned>(Program.Arguments.size()) - First;
    const Int Dst = Program.RegisterCount;
    Program.RegisterCount += Results;
    Program.Code.push_back({Code, Dst, First, Count, 0, int64_t(Param)});
    Rate Most = Rate::Once;
    for (unsigned I = First; I < First + Count; ++I)
      Most = std::max(Most, Rates[Program.Arguments[I]]);
    Rates.insert(Rates.end(), Results, Most);
    return Dst;
  }

  SetProgram &Program;
  std::vector<unsigned> Params;
  std::vector<Rate> Rates; ///< by register
  std::map<int64_t, unsigned> Known;
};

SetProgram SetProgram::recordStatus(const SetSource &From, int64_t BoxKeys) {
  SetProgram Out;
  Recorder Record(Out, From);
  auto At = Recorder::Algebra(Record).at(
      attn::boundByKeys(From.Formula, From.Grid.key),
      Record.box(/*IsPoint=*/false, BoxKeys));
  Out.Results = {At.empty, At.full, At.until};
  Record.finish();
  return Out;
}

SetProgram SetProgram::recordContains(const SetSource &From) {
  SetProgram Out;
  Recorder Record(Out, From);
  Out.Results = {Recorder::Algebra(Record).contains(
      attn::boundByKeys(From.Formula, From.Grid.key),
      Record.box(/*IsPoint=*/true, 1))};
  Record.finish();
  return Out;
}

/// Calls `Each` for every run-time set that the formula asks.
static void forEachList(attn::FormulaAttr Formula,
                        llvm::function_ref<void(attn::ListAttr)> Each) {
  for (attn::FormulaAttr Child : Formula.getChildren())
    forEachList(Child, Each);
  if (Formula.getKind() == attn::FormulaKind::Member)
    if (auto List = llvm::dyn_cast<attn::ListAttr>(Formula.getSet()))
      Each(List);
}

SetProgram SetProgram::recordReads(const SetSource &From) {
  SetProgram Out;
  Recorder Record(Out, From);
  Recorder::Algebra Sets(Record);
  const Recorder::Algebra::Box All = Record.box(/*IsPoint=*/false, 1);
  auto Add = [&](unsigned Param, bool IsSet,
                 llvm::ArrayRef<mlir::AffineExpr> Indices) {
    for (auto [Axis, Index] : llvm::enumerate(Indices)) {
      auto [Low, High] = Sets.range(Index, All);
      Out.Results.insert(Out.Results.end(), {Low, High});
      Out.Reads.push_back({Param, IsSet, static_cast<int64_t>(Axis)});
    }
  };
  attn::forEachExpr(From.Formula, [&](mlir::AffineExpr Expr) {
    Expr.walk([&](mlir::AffineExpr Part) {
      if (attn::ReadAttr Read = attn::getRead(Part))
        Add(Read.getParam(), /*IsSet=*/false, Read.getIndices());
    });
  });
  forEachList(From.Formula, [&](attn::ListAttr List) {
    Add(List.getParam(), /*IsSet=*/true, List.getIndices());
  });
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
  // A table holds anything.
  if (attn::getRead(Expr))
    return {0, 0};
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
    if (auto Set = llvm::dyn_cast<attn::ListAttr>(Atom.getSet())) {
      auto UsesKey = [](mlir::AffineExpr Index) {
        return attn::uses(Index, attn::DimK);
      };
      addPeriod(UsesKey(Form) || llvm::any_of(Set.getIndices(), UsesKey) ? 0
                                                                         : 1);
      return;
    }
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

SetProgram SetProgram::recordBreaks(const SetSource &From) {
  SetProgram Out;
  Recorder Record(Out, From);
  const Recorder::Algebra::Box Row = Record.box(/*IsPoint=*/true, 1);
  BreakFinder(Record, Row, Out).walk(attn::boundByKeys(From.Formula));
  Record.finish();
  return Out;
}
