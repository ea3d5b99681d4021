// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A region of a pattern as a flat list of operations on registers, evaluated
// for a strip of keys at a time. Regions of recurrences are lists of the same
// kind: their tokens are queries and the features of a token are keys.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAM_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAM_H

#include "dialect/attn/Attn.h"
#include "dialect/attn/reference/Operands.h"

namespace heddle::attn {

/// Where a region is asked: batch, query head, absolute query position, and
/// the run-time values of the pattern. On a token grid Q is the number of the
/// query's token, row by row.
struct PredicatePoint {
  int64_t B = 0;
  int64_t H = 0;
  int64_t Q = 0;
  int64_t NumKeys = 0;
  OperandList Params;
};

/// A compiled region. A register holds one 64-bit value per key of the strip:
/// a two's-complement integer, a truth value (0 or 1), or the bits of a double.
/// Immutable once built, so threads may share one; each brings its own scratch.
///
/// What does not depend on the key is evaluated once per query, and what no
/// output needs is left out.
class Program {
public:
  /// Keys per evaluation of the list.
  static constexpr unsigned StripLength = 64;
  /// The registers of one evaluating thread.
  using Scratch = std::vector<int64_t>;
  /// What an output may depend on, as bits.
  enum Dependence : uint8_t {
    OnBatch = 1,
    OnHead = 2,
    OnQuery = 4,
    OnKey = 8, ///< or on the score, or on an input
    OnCoordinates = OnBatch | OnHead | OnQuery | OnKey,
  };

  llvm::StringRef name() const { return Name; }
  /// "pattern 'x'" or "recurrence 'x'".
  std::string title() const;
  llvm::ArrayRef<ParamInfo> params() const { return Params; }
  /// Parameters that are the extents of the token grid, outermost axis first;
  /// empty for a plain sequence.
  llvm::ArrayRef<unsigned> queryGrid() const { return QueryGrid; }
  llvm::ArrayRef<unsigned> keyGrid() const { return KeyGrid; }
  unsigned numOutputs() const { return Outputs.size(); }
  /// Bits of `Dependence`.
  uint8_t dependence(unsigned Output) const { return Outputs[Output].Depends; }

  /// Computes what a query alone determines. Must precede `run` at this point.
  /// Fails when parameters do not fit, and like `run`.
  llvm::Error prepare(const PredicatePoint &At, Scratch &Registers) const;
  /// Evaluates the keys, StripLength at most; `Scores` has one element per key
  /// for a score region and is null otherwise. Fails at a division by zero or
  /// one that overflows, and at a read outside of a table or family of sets.
  llvm::Error run(const PredicatePoint &At, llvm::ArrayRef<int64_t> Keys,
                  const double *Scores, Scratch &Registers) const;
  /// The values of an input, one per key, to be set before each `run`: the bits
  /// of doubles. Regions of recurrences have them, see `FeatureMap`.
  int64_t *input(unsigned I, Scratch &Registers) const {
    return &Registers[size_t(Inputs[I]) * StripLength];
  }
  /// The values of an output, one per key of the last `run`.
  const int64_t *output(unsigned I, const Scratch &Registers) const {
    return &Registers[size_t(Outputs[I].Register) * StripLength];
  }

private:
  friend class ProgramCompiler;

  enum class Opcode : uint8_t {
    Constant, ///< Immediate
    Integer,  ///< the value of parameter Param
    Real,
    NumKeys,
    Add,
    Sub,
    Mul,
    FloorDiv,
    CeilDiv,
    Div,
    DivUnsigned,
    Rem,
    RemUnsigned,
    Mod, ///< never negative, by Immediate
    Min,
    Max,
    And,
    Or,
    Xor,
    Select, ///< A ? B : C
    Equal,
    NotEqual,
    Less,
    LessEqual,
    LessUnsigned,
    LessEqualUnsigned,
    AtLeast, ///< A >= Immediate
    Below,   ///< A < Immediate
    Residue, ///< A mod Immediate == Remainder
    PowerOfTwo,
    Load,       ///< of table Param at Indices
    Member,     ///< A in set Param[Indices]
    SignExtend, ///< the lowest Immediate bits of A
    ToReal,
    Unary,       ///< Function1(A)
    Binary,      ///< Function2(A, B)
    MultiplyAdd, ///< A * B + C
    RealCompare, ///< A and B are related by one of the relations Immediate
  };

  /// Dst = Code(A, B, C); operands are register numbers.
  struct Instruction {
    Opcode Code = Opcode::Constant;
    unsigned Dst = 0;
    unsigned A = 0;
    unsigned B = 0;
    unsigned C = 0;
    int64_t Immediate = 0;
    int64_t Remainder = 0;
    unsigned Param = 0;
    unsigned NumIndices = 0;
    unsigned Indices[4] = {};
    double (*Function1)(double) = nullptr;
    double (*Function2)(double, double) = nullptr;
  };
  struct Output {
    unsigned Register = 0;
    uint8_t Depends = 0;
  };

  // Registers 0 and 1 are b and h; then come the axes of the query, those of
  // the key, and the score. All others are written once each, in the order of
  // the list.
  unsigned numAxes() const { return QueryGrid.empty() ? 1 : QueryGrid.size(); }
  static unsigned queryRegister(unsigned Axis) { return 2 + Axis; }
  unsigned keyRegister(unsigned Axis) const { return 2 + numAxes() + Axis; }
  unsigned scoreRegister() const { return 2 + 2 * numAxes(); }

  llvm::Error execute(const Instruction &Inst, const PredicatePoint &At,
                      llvm::ArrayRef<int64_t> Keys, Scratch &Registers) const;
  /// Table reads and questions to sets.
  llvm::Error look(const Instruction &Inst, const PredicatePoint &At,
                   llvm::ArrayRef<int64_t> Keys, Scratch &Registers) const;
  llvm::Error unflatten(const PredicatePoint &At,
                        llvm::ArrayRef<unsigned> Extents, unsigned First,
                        Scratch &Registers) const;
  std::string place(const PredicatePoint &At, llvm::ArrayRef<int64_t> Keys,
                    size_t I) const;

  std::string Name;
  bool IsRecurrence = false;
  std::vector<ParamInfo> Params;
  std::vector<unsigned> QueryGrid;
  std::vector<unsigned> KeyGrid;
  unsigned RegisterCount = 0;
  std::vector<unsigned> Inputs;
  std::vector<Output> Outputs;
  std::vector<Instruction> PerQuery;
  std::vector<Instruction> PerKey;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAM_H
