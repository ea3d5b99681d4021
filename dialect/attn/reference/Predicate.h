// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The meaning of a pattern, straight from its keep region. Nothing here knows
// of formulas, sets of tiles or schedules: this is what they are tested
// against.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H

#include "dialect/attn/Attn.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::attn {

/// Where a predicate is asked: batch, query head, absolute query position, and
/// the run-time values of the pattern.
struct PredicatePoint {
  int64_t B = 0;
  int64_t H = 0;
  int64_t Q = 0;
  int64_t NumKeys = 0;
  llvm::ArrayRef<int64_t> Params;
};

/// Half-open run [Begin, End) of key positions.
struct KeyRun {
  int64_t Begin;
  int64_t End;
  int64_t size() const { return End - Begin; }
  bool operator==(const KeyRun &Other) const {
    return Begin == Other.Begin && End == Other.End;
  }
};

/// A keep region as a flat list of operations on registers, each a 64-bit
/// two's-complement integer; truth values are 0 and 1. Immutable once built, so
/// threads may share one; each brings its own `Scratch`.
class Predicate {
public:
  /// Keys per evaluation of the list.
  static constexpr unsigned StripLength = 64;
  /// The registers of one evaluating thread.
  using Scratch = std::vector<int64_t>;

  /// Compiles the region of `Pattern`. An operation outside the grammar of
  /// `attn.pattern` is reported at its location.
  static mlir::FailureOr<Predicate> compile(PatternOp Pattern);

  llvm::StringRef name() const { return Name; }
  unsigned numParams() const { return ParamCount; }
  /// False when the region does not mention the coordinate at all.
  bool usesBatch() const { return UsesBatch; }
  bool usesHead() const { return UsesHead; }

  /// Whether the pair (At.Q, K) is kept. Fails when a division by zero or an
  /// overflowing division is met, or when the number of parameters is wrong.
  llvm::Expected<bool> keep(const PredicatePoint &At, int64_t K) const;

  /// The kept keys of [0, At.NumKeys) as maximal runs in ascending order,
  /// appended to `Runs`. Fails like `keep`.
  llvm::Error keptRuns(const PredicatePoint &At, Scratch &Registers,
                       std::vector<KeyRun> &Runs) const;

private:
  enum class Opcode : uint8_t {
    Constant, ///< Immediate
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
  };

  /// Dst = Code(A, B, C); operands are register numbers.
  struct Instruction {
    Opcode Code;
    unsigned Dst = 0;
    unsigned A = 0;
    unsigned B = 0;
    unsigned C = 0;
    int64_t Immediate = 0;
    int64_t Remainder = 0;
  };

  struct Compiler;

  /// Evaluates keys [K, K + Count), Count <= StripLength; the verdicts are in
  /// the result register of `Registers`.
  llvm::Error evaluate(const PredicatePoint &At, int64_t K, unsigned Count,
                       Scratch &Registers) const;
  /// Fills what does not depend on the key.
  llvm::Error prepare(const PredicatePoint &At, Scratch &Registers) const;
  llvm::Error divisionError(const PredicatePoint &At, int64_t K,
                            bool ByZero) const;
  llvm::Error execute(const Instruction &Inst, const PredicatePoint &At,
                      int64_t K, unsigned Count, Scratch &Registers) const;

  std::string Name;
  unsigned ParamCount = 0;
  bool UsesBatch = false;
  bool UsesHead = false;
  unsigned RegisterCount = 0;
  unsigned Result = 0;
  std::vector<Instruction> Instructions;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_PREDICATE_H
