// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/SetProgram.h"

#include "heddle/index.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace heddle;
using heddle::attn::TileStatus;

SetProgram::Machine::Machine(const SetProgram &Program, const SetInputs &Inputs)
    : Program(Program),
      Operands(Inputs.Operands.begin(), Inputs.Operands.end()),
      Registers(size_t(Program.RegisterCount) * Lanes) {
  auto Fill = [&](unsigned Register, int64_t Value) {
    std::fill_n(lanes(Register), Lanes, Value);
  };
  Fill(B, Inputs.B);
  Fill(H, Inputs.H);
  Fill(NumKeys, Inputs.NumKeys);
  // What is no integer is never read as one: code names tables and sets by
  // their number.
  for (size_t I = 0; I < Operands.size(); ++I)
    Fill(static_cast<unsigned>(FirstParam + I), Operands[I].integer);
  for (auto [Register, Value] : Program.Constants)
    Fill(Register, Value);
  run(0, Program.QueryCode, Lanes);
}

namespace {

/// Indices are moved into a table or set, as kernels do it.
int64_t moved(int64_t Index, int64_t Extent) {
  return std::max<int64_t>(0, std::min(Index, Extent - 1));
}

/// The arguments of an instruction that asks, in one lane.
class Question {
public:
  Question(llvm::ArrayRef<const int64_t *> Arguments, unsigned Lane)
      : Arguments(Arguments), Lane(Lane) {}

  int64_t operator[](size_t I) const { return Arguments[I][Lane]; }
  /// The one that comes `Places` before the end.
  int64_t last(size_t Places) const {
    return Arguments[Arguments.size() - Places][Lane];
  }
  /// The offset of the indices before the last `Others` arguments.
  int64_t offset(const int64_t *Shape, const int64_t *Stride,
                 size_t Others) const {
    int64_t Offset = 0;
    for (size_t Axis = 0; Axis + Others < Arguments.size(); ++Axis)
      Offset += Stride[Axis] * moved((*this)[Axis], Shape[Axis]);
    return Offset;
  }

private:
  llvm::ArrayRef<const int64_t *> Arguments;
  unsigned Lane;
};

int64_t readElement(const heddle_table &Table, const Question &Q) {
  return static_cast<const int32_t *>(
      Table.data)[Q.offset(Table.shape, Table.stride, 0)];
}

bool holdsMember(const heddle_set &Set, const Question &Q) {
  const int64_t X = Q.last(1);
  if (X < 0 || X >= Set.size)
    return false;
  const int64_t Row = Q.offset(Set.shape, Set.stride, 1);
  return (Set.words[Row * Set.words_per_row + X / 64] >> (X % 64) & 1) != 0;
}

void probeRows(const heddle_set &Set, const Question &Q, int64_t Out[4]) {
  int64_t First = 0, Step = 0, Count = 1;
  if (Set.rank > 0) {
    const int32_t Axis = Set.rank - 1;
    const int64_t Begin = moved(Q.last(4), Set.shape[Axis]);
    const int64_t End = moved(Q.last(3), Set.shape[Axis]);
    Step = Set.stride[Axis];
    First = Q.offset(Set.shape, Set.stride, 4) + Step * Begin;
    Count = Step == 0 ? 1 : End - Begin + 1;
  }
  heddle_index_functions()->probe(&Set, First, Step, Count, Q.last(2),
                                  Q.last(1), Out);
}

} // namespace

void SetProgram::Machine::ask(const Instruction &Inst, unsigned Count) {
  llvm::SmallVector<const int64_t *, 8> Arguments;
  for (unsigned I = 0; I < Inst.B; ++I)
    Arguments.push_back(lanes(Program.Arguments[Inst.A + I]));
  const heddle_operand &Operand = Operands[static_cast<size_t>(Inst.Immediate)];
  const heddle_index &Index = *heddle_index_functions();
  for (unsigned Lane = 0; Lane < Count; ++Lane) {
    const Question Q(Arguments, Lane);
    int64_t Answers[4] = {};
    unsigned Results = 1;
    auto Pyramid = [&](size_t Others) {
      return Q.offset(Operand.table->shape, Operand.table->pyramid_stride,
                      Others);
    };
    switch (Inst.Code) {
    case Opcode::Read:
      Answers[0] = readElement(*Operand.table, Q);
      break;
    case Opcode::Holds:
      Answers[0] = static_cast<int64_t>(holdsMember(*Operand.set, Q));
      break;
    case Opcode::Span:
      Results = 2;
      Index.span(Operand.table, Pyramid(2), Q.last(2), Q.last(1), Answers);
      break;
    case Opcode::Seek:
      Answers[0] = Index.seek(Operand.table, Pyramid(4), Q.last(4), Q.last(3),
                              Q.last(2), static_cast<int32_t>(Q.last(1)));
      break;
    default: // Probe
      Results = 4;
      probeRows(*Operand.set, Q, Answers);
      break;
    }
    for (unsigned I = 0; I < Results; ++I)
      lanes(Inst.Dst + I)[Lane] = Answers[I];
  }
}

void SetProgram::Machine::run(size_t Begin, size_t End, unsigned Count) {
  for (size_t At = Begin; At < End; ++At) {
    const Instruction &Inst = Program.Code[At];
    if (Inst.Code >= Opcode::Read) {
      ask(Inst, Count);
      continue;
    }
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
    default: // Those that ask are done.
      break;
    }
  }
}

void SetProgram::Machine::setBox(llvm::ArrayRef<int64_t> Q0,
                                 llvm::ArrayRef<int64_t> Queries,
                                 llvm::ArrayRef<int64_t> K0,
                                 llvm::ArrayRef<int64_t> Keys) {
  for (unsigned Axis = 0; Axis < Program.Axes; ++Axis) {
    const size_t I = Program.Axes - 1 - Axis;
    lanes(coordinate(Axis, QLow))[0] = Q0[I];
    lanes(coordinate(Axis, QHigh))[0] = Q0[I] + Queries[I] - 1;
    lanes(coordinate(Axis, KLow))[0] = K0[I];
    lanes(coordinate(Axis, KHigh))[0] = K0[I] + Keys[I] - 1;
  }
}

std::optional<SetProgram::Machine::Outside> SetProgram::Machine::outside(
    llvm::ArrayRef<int64_t> Q0, llvm::ArrayRef<int64_t> Queries,
    llvm::ArrayRef<int64_t> K0, llvm::ArrayRef<int64_t> Keys) {
  setBox(Q0, Queries, K0, Keys);
  run(Program.QueryCode, Program.Code.size(), 1);
  for (size_t I = 0; I < Program.Reads.size(); ++I) {
    const Read &R = Program.Reads[I];
    const int64_t Low = lanes(Program.Results[2 * I])[0];
    const int64_t High = lanes(Program.Results[2 * I + 1])[0];
    const int64_t Extent = R.IsSet ? Operands[R.Param].set->shape[R.Axis]
                                   : Operands[R.Param].table->shape[R.Axis];
    if (Low < 0 || High >= Extent)
      return Outside{R.Param, R.Axis, Low, High, Extent};
  }
  return std::nullopt;
}

SetProgram::Machine::Answer SetProgram::Machine::status(
    llvm::ArrayRef<int64_t> Q0, llvm::ArrayRef<int64_t> Queries,
    llvm::ArrayRef<int64_t> K0, llvm::ArrayRef<int64_t> Keys) {
  setBox(Q0, Queries, K0, Keys);
  run(Program.QueryCode, Program.Code.size(), 1);
  const bool Empty = lanes(Program.Results[0])[0] != 0;
  const bool Full = lanes(Program.Results[1])[0] != 0;
  return {Empty  ? TileStatus::Empty
          : Full ? TileStatus::Full
                 : TileStatus::Partial,
          lanes(Program.Results[2])[0]};
}

void SetProgram::Machine::setQuery(llvm::ArrayRef<int64_t> Q) {
  for (unsigned Axis = 0; Axis < Program.Axes; ++Axis)
    std::fill_n(lanes(coordinate(Axis, QLow)), Lanes,
                Q[Program.Axes - 1 - Axis]);
  run(Program.QueryCode, Program.KeyCode, Lanes);
}

int64_t SetProgram::Machine::keptKeys(llvm::ArrayRef<int64_t> K0,
                                      unsigned Count) {
  for (unsigned Axis = 1; Axis < Program.Axes; ++Axis)
    std::fill_n(lanes(coordinate(Axis, KLow)), Count,
                K0[Program.Axes - 1 - Axis]);
  int64_t *Keys = lanes(coordinate(0, KLow));
  for (unsigned I = 0; I < Count; ++I)
    Keys[I] = K0.back() + I;
  run(Program.KeyCode, Program.Code.size(), Count);
  const int64_t *Kept = lanes(Program.Results[0]);
  return std::accumulate(Kept, Kept + Count, int64_t(0));
}

void SetProgram::Machine::breaks(int64_t Q, int64_t End,
                                 std::vector<int64_t> &Out) {
  lanes(coordinate(0, QLow))[0] = Q;
  run(Program.QueryCode, Program.Code.size(), 1);
  Out.clear();
  for (unsigned Register : Program.Results)
    if (int64_t K = lanes(Register)[0]; K >= 0 && K < End)
      Out.push_back(K);
  std::sort(Out.begin(), Out.end());
  Out.push_back(End);
}
