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
#include <vector>

namespace heddle {

/// What a pattern is asked with, fixed for one picture.
struct SetInputs {
  int64_t B = 0;
  int64_t H = 0;
  int64_t NumKeys = 0;
  llvm::ArrayRef<int64_t> Params;
};

/// Straight-line code over registers of `Lanes` integers each, where lane i
/// stands for the key K0 + i. Immutable once recorded.
class SetProgram {
public:
  static constexpr unsigned Lanes = 64;

  /// Records `at` for tiles of `TileKeys` keys, the end of the keys included.
  static SetProgram recordStatus(attn::FormulaAttr Formula, int64_t TileKeys,
                                 unsigned NumParams);
  /// Records `contains`, the end of the keys included.
  static SetProgram recordContains(attn::FormulaAttr Formula,
                                   unsigned NumParams);
  /// Records, for one query, every key at which the verdict may stop repeating:
  /// between two neighbours of these keys it repeats every `period()` keys.
  static SetProgram recordBreaks(attn::FormulaAttr Formula, unsigned NumParams);

  /// Of `recordBreaks`: 0 when the pattern promises no period.
  int64_t period() const { return Period; }

  /// The registers of one running thread.
  class Machine {
  public:
    Machine(const SetProgram &Program, const SetInputs &Inputs);

    struct Answer {
      attn::TileStatus Status;
      /// First key of a later tile where the status may change.
      int64_t Until;
    };
    /// Status of queries [Q0, Q0 + Queries) and the tile of keys from `K0` on.
    Answer status(int64_t Q0, int64_t Queries, int64_t K0);

    /// Turns to the query at position `Q`; then `keptKeys` counts its kept keys
    /// among [K0, K0 + Count), Count <= Lanes.
    void setQuery(int64_t Q);
    int64_t keptKeys(int64_t K0, unsigned Count);

    /// The breaks of the query at position `Q` that lie in [0, `End`), in
    /// ascending order, followed by `End`.
    void breaks(int64_t Q, int64_t End, std::vector<int64_t> &Out);

  private:
    void run(size_t Begin, size_t End, unsigned Count);
    int64_t *lanes(unsigned Register) {
      return Registers.data() + size_t(Register) * Lanes;
    }

    const SetProgram &Program;
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
  };

  /// Dst = Code(A, B, C); truth values are 0 and 1.
  struct Instruction {
    Opcode Code;
    unsigned Dst;
    unsigned A;
    unsigned B;
    unsigned C;
    int64_t Immediate;
  };

  /// The registers that callers fill, the parameters after them.
  enum Input : unsigned { B, H, Q0, Q1, K0, K1, NumKeys, FirstParam };

  /// What a register depends on, in the order in which inputs change.
  enum class Rate : uint8_t { Once, Query, Key };

  class Recorder;
  class BreakFinder;

  unsigned RegisterCount = 0;
  std::vector<std::pair<unsigned, int64_t>> Constants;
  /// Grouped by rate; `QueryCode` and `KeyCode` are where the groups begin.
  std::vector<Instruction> Code;
  size_t QueryCode = 0;
  size_t KeyCode = 0;
  unsigned TileKeys = 1;
  int64_t Period = 1;
  /// Registers of the results: empty, full and until; or the verdict; or the
  /// breaks.
  std::vector<unsigned> Results;
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_SETPROGRAM_H
