// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The algebra of Sets.h as a flat list of integer operations: recorded once for
// a pattern and a tile width, then run without touching MLIR. A picture of a
// long sequence asks millions of questions; this answers one in well under a
// microsecond, from any number of threads.

#ifndef HEDDLE_FRONTENDS_HEDDLE_SETPROGRAM_H
#define HEDDLE_FRONTENDS_HEDDLE_SETPROGRAM_H

#include "dialect/attn/HostSets.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace heddle {

/// What a pattern is asked with, fixed for one picture.
struct SetInputs {
  int64_t B = 0;
  int64_t H = 0;
  int64_t NumKeys = 0;
  /// One per parameter; tables and sets must outlive the machine.
  llvm::ArrayRef<heddle_operand> Operands;
};

/// What is recorded: a pattern's formula and the axes of its token grid.
struct SetSource {
  attn::FormulaAttr Formula;
  attn::Grid Grid;
  unsigned NumParams = 0;
};

/// Straight-line code over registers of `Lanes` integers each, where lane i
/// stands for the key K0 + i along the innermost axis. Immutable once recorded.
///
/// Coordinates come outermost axis first; a plain sequence has one axis.
class SetProgram {
  struct Instruction;

public:
  static constexpr unsigned Lanes = 64;

  /// Records `at` for boxes of `BoxKeys` keys along the innermost axis, the end
  /// of the keys included.
  static SetProgram recordStatus(const SetSource &From, int64_t BoxKeys);
  /// Records `contains`, the end of the keys included.
  static SetProgram recordContains(const SetSource &From);
  /// Records, for one query of a plain sequence, every key at which the verdict
  /// may stop repeating: between two neighbours of these keys it repeats every
  /// `period()` keys.
  static SetProgram recordBreaks(const SetSource &From);

  /// Records where the tables and sets of the formula are asked, over a box.
  static SetProgram recordReads(const SetSource &From);

  /// Of `recordBreaks`: 0 when the pattern promises no period.
  int64_t period() const { return Period; }

  /// The registers of one running thread.
  class Machine {
  public:
    Machine(const SetProgram &Program, const SetInputs &Inputs);

    struct Answer {
      attn::TileStatus Status;
      /// First key along the innermost axis of a later box where the status may
      /// change.
      int64_t Until;
    };
    /// Status of the boxes of these extents at these coordinates.
    Answer status(llvm::ArrayRef<int64_t> Q0, llvm::ArrayRef<int64_t> Queries,
                  llvm::ArrayRef<int64_t> K0, llvm::ArrayRef<int64_t> Keys);

    /// Turns to the query at `Q`; then `keptKeys` counts its kept keys among
    /// the `Count` <= Lanes that begin at `K0`, along the innermost axis.
    void setQuery(llvm::ArrayRef<int64_t> Q);
    int64_t keptKeys(llvm::ArrayRef<int64_t> K0, unsigned Count);

    /// An index that lies outside of a table or family of sets for some pair of
    /// the box: which parameter, along which axis, the smallest and largest
    /// index asked for and the extent.
    struct Outside {
      unsigned Param;
      int64_t Axis, Low, High, Extent;
    };
    /// The first one among the pairs of these boxes, none of them empty.
    std::optional<Outside> outside(llvm::ArrayRef<int64_t> Q0,
                                   llvm::ArrayRef<int64_t> Queries,
                                   llvm::ArrayRef<int64_t> K0,
                                   llvm::ArrayRef<int64_t> Keys);

    /// The breaks of the query at position `Q` that lie in [0, `End`), in
    /// ascending order, followed by `End`.
    void breaks(int64_t Q, int64_t End, std::vector<int64_t> &Out);

  private:
    void setBox(llvm::ArrayRef<int64_t> Q0, llvm::ArrayRef<int64_t> Queries,
                llvm::ArrayRef<int64_t> K0, llvm::ArrayRef<int64_t> Keys);
    void run(size_t Begin, size_t End, unsigned Count);
    /// Runs an instruction that asks an operand.
    void ask(const Instruction &Inst, unsigned Count);
    int64_t *lanes(unsigned Register) {
      return Registers.data() + size_t(Register) * Lanes;
    }

    const SetProgram &Program;
    std::vector<heddle_operand> Operands;
    std::vector<int64_t> Registers;
  };

private:
  enum class Opcode : uint8_t {
    Add,
    Sub,
    Min,
    Max,
    And,
    Or,
    Mul, ///< by Immediate, as are the next two
    FloorDiv,
    Mod,
    Less,
    Equal,
    Not,
    Select,
    FloorPow2,
    Read, ///< these ask operand Immediate with the registers of `Arguments`
    Holds,
    Span, ///< two results
    Seek,
    Probe, ///< four results
  };

  /// Dst = Code(A, B, C); truth values are 0 and 1. Further results go to the
  /// registers after Dst. Of those that ask, A and B are the first argument and
  /// the number of them.
  struct Instruction {
    Opcode Code;
    unsigned Dst;
    unsigned A;
    unsigned B;
    unsigned C;
    int64_t Immediate;
  };

  /// The registers that callers fill: these, four per axis, the parameters.
  enum Input : unsigned { B, H, NumKeys, FirstCoordinate };
  enum Corner : unsigned { QLow, QHigh, KLow, KHigh };
  static unsigned coordinate(unsigned Axis, Corner Which) {
    return FirstCoordinate + 4 * Axis + Which;
  }
  static constexpr unsigned FirstParam = FirstCoordinate + 4 * attn::kNumAxes;

  /// What a register depends on, in the order in which inputs change.
  enum class Rate : uint8_t { Once, Query, Key };

  class Recorder;
  class BreakFinder;

  unsigned RegisterCount = 0;
  std::vector<std::pair<unsigned, int64_t>> Constants;
  /// Grouped by rate; `QueryCode` and `KeyCode` are where the groups begin.
  std::vector<Instruction> Code;
  std::vector<unsigned> Arguments;
  size_t QueryCode = 0;
  size_t KeyCode = 0;
  unsigned Axes = 1;
  int64_t Period = 1;
  /// Registers of the results: empty, full and until; or the verdict; or the
  /// breaks; or the bounds of the indices at `Reads`.
  std::vector<unsigned> Results;
  /// Parameter, and whether it is a set, and axis.
  struct Read {
    unsigned Param;
    bool IsSet;
    int64_t Axis;
  };
  std::vector<Read> Reads;
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SETPROGRAM_H
