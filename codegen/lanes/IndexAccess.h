// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Run-time tables and sets as a plan lays them out (heddle/abi.h).

#ifndef HEDDLE_CODEGEN_LANES_INDEXACCESS_H
#define HEDDLE_CODEGEN_LANES_INDEXACCESS_H

#include "codegen/lanes/LaneBuilder.h"
#include "dialect/attn/Emit.h"

namespace heddle {

/// The questions of `heddle_index` (heddle/abi.h), by the names there.
enum class IndexQuestion { Span, Seek, Probe, Rank, Member };

/// How the code of a target asks them.
class IndexFunctions {
public:
  virtual ~IndexFunctions();
  /// Calls a question's function with these arguments, where the builder of
  /// the kernel stands. Null for one without a result.
  virtual mlir::Value call(IndexQuestion Question,
                           llvm::ArrayRef<mlir::Value> Arguments) = 0;
};

/// Reads tables and sets through pointers to their descriptions. Indices are
/// i64 or vectors of them, of the builder's width, in any mixture; one vector
/// makes the result a vector. Whatever the indices are, nothing outside of a
/// table is read: they are moved into it first.
class OperandMemory {
public:
  using Values = llvm::ArrayRef<mlir::Value>;

  /// Where descriptions are read.
  enum class Fields {
    /// Once for the function, where the pointer becomes known.
    AtPointer,
    /// Where the builder stands when this object is made; what is asked for
    /// later must come after it. For kernels whose registers are few: nothing
    /// is held from one tile to the next.
    Here,
  };

  /// `Functions` may be null where nothing but `integer`, `real`, `contains`,
  /// `bitsFrom` and `extent` is used.
  explicit OperandMemory(LaneBuilder &B, IndexFunctions *Functions = nullptr,
                         Fields Where = Fields::AtPointer);

  /// An element of a table of integers, as i64, or of reals.
  mlir::Value integer(mlir::Value Table, Values Indices);
  mlir::Value real(mlir::Value Table, Values Indices);
  /// i1: is `X` a member?
  mlir::Value contains(mlir::Value Set, Values Indices, mlir::Value X);
  /// Membership of 64 consecutive numbers as the bits of an i64, `From` (i64)
  /// in the lowest; scalars only.
  mlir::Value bitsFrom(mlir::Value Set, Values Indices, mlir::Value From);

  // The questions of heddle_index; scalars only.
  attn::IndexAccess::Span span(mlir::Value Table, Values Leading,
                               mlir::Value First, mlir::Value Last);
  mlir::Value seek(mlir::Value Table, Values Leading, mlir::Value From,
                   mlir::Value Lo, mlir::Value Hi, bool Outside);
  attn::IndexAccess::Probe probe(mlir::Value Set, Values Leading,
                                 mlir::Value First, mlir::Value Last,
                                 mlir::Value Lo, mlir::Value Hi);
  mlir::Value rank(mlir::Value Set, Values Indices, mlir::Value X);
  mlir::Value member(mlir::Value Set, Values Indices, mlir::Value Rank);
  /// How many values an index of a table or set may have.
  mlir::Value extent(mlir::Value Operand, bool IsSet, int64_t Axis);

private:
  /// A field of a description.
  mlir::Value field(mlir::Value Operand, size_t Offset, mlir::Type Type = {});
  mlir::Value tableField(mlir::Value Table, size_t Array, size_t Axis);
  mlir::Value clamp(mlir::Value Index, mlir::Value Extent);
  /// The element at `Base` plus so many elements; a gather for a vector.
  mlir::Value load(mlir::Value Base, mlir::Value Offset, mlir::Type Element);
  mlir::Value element(mlir::Value Table, Values Indices, mlir::Type Type);
  mlir::Value pyramidRow(mlir::Value Table, Values Leading);
  mlir::Value setRow(mlir::Value Set, Values Indices);
  /// Bits First, First + Step, … of a row, one per lane; Step is 1 or -1.
  mlir::Value consecutive(mlir::Value Set, mlir::Value Row, mlir::Value First,
                          int64_t Step);
  mlir::Value rowBits(mlir::Value Set, mlir::Value Row, mlir::Value From);
  mlir::Value answers();
  mlir::Value answer(int64_t Number);
  /// True if what `V` is made by has run wherever the builder stands now.
  bool isKnownHere(mlir::Value V) const;

  LaneBuilder &B;
  IndexFunctions *Functions;
  mlir::Value Answers;
  /// Where fields are read: after this operation of the block, or at its start;
  /// no block: where the pointer becomes known.
  mlir::Block *FieldBlock = nullptr;
  mlir::Operation *FieldsAfter = nullptr;
  llvm::DenseMap<std::pair<mlir::Value, size_t>, mlir::Value> Known;
  /// Spans that were asked for, with what was asked. The atoms of a formula and
  /// the run that a tile begins have most of them in common.
  struct AskedSpan {
    mlir::SmallVector<mlir::Value, 4> Question;
    attn::IndexAccess::Span Answer;
  };
  mlir::SmallVector<AskedSpan, 0> Spans;
};

/// How a formula gets at the parameters of its pattern.
class ParameterAccess final : public attn::IndexAccess {
public:
  /// `Params`: one value per parameter; those of tables and sets are pointers.
  /// `Functions` may be null where nobody asks for more than elements and
  /// membership.
  ParameterAccess(
      LaneBuilder &B, mlir::ValueRange Params,
      IndexFunctions *Functions = nullptr,
      OperandMemory::Fields Where = OperandMemory::Fields::AtPointer)
      : B(B), Memory(B, Functions, Where),
        Params(Params.begin(), Params.end()) {}

  /// See OperandMemory::bitsFrom.
  mlir::Value bitsFrom(mlir::OpBuilder &Where, unsigned Param,
                       llvm::ArrayRef<mlir::Value> Indices, mlir::Value From);

  mlir::Value read(mlir::OpBuilder &, mlir::Location, unsigned,
                   llvm::ArrayRef<mlir::Value>) override;
  mlir::Value contains(mlir::OpBuilder &, mlir::Location, unsigned,
                       llvm::ArrayRef<mlir::Value>, mlir::Value) override;
  Span span(mlir::OpBuilder &, mlir::Location, unsigned,
            llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value) override;
  mlir::Value seek(mlir::OpBuilder &, mlir::Location, unsigned,
                   llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value,
                   mlir::Value, bool) override;
  Probe probe(mlir::OpBuilder &, mlir::Location, unsigned,
              llvm::ArrayRef<mlir::Value>, mlir::Value, mlir::Value,
              mlir::Value, mlir::Value) override;

private:
  LaneBuilder &B;
  OperandMemory Memory;
  mlir::SmallVector<mlir::Value> Params;
};

/// Moves what does not depend on the loop that was built last, where `B`
/// stands, out of it: arithmetic, and reads of tables and sets, which nobody
/// writes while a kernel runs. The loop must run at least once.
void moveInvariants(LaneBuilder &B);

} // namespace heddle

#endif // HEDDLE_CODEGEN_LANES_INDEXACCESS_H
