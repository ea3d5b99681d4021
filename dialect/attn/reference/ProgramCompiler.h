// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAMCOMPILER_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAMCOMPILER_H

#include "dialect/attn/reference/FeatureMap.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace heddle::attn {

/// The parameters of a pattern or recurrence as the reference sees them.
std::vector<ParamInfo> listParams(ParamsOpInterface Op);

/// Makes programs of the regions of one pattern or recurrence. What is outside
/// the grammar of `attn.pattern` or `attn.recurrence` is reported at its
/// location.
class ProgramCompiler {
public:
  /// `Slots` maps the parameters of the pattern to the list `Params`, whose
  /// order the operands will have.
  ProgramCompiler(PatternOp Pattern, llvm::ArrayRef<ParamInfo> Params,
                  llvm::ArrayRef<unsigned> Slots);
  ProgramCompiler(RecurrenceOp Op, llvm::ArrayRef<ParamInfo> Params);

  /// The keep region; its output is the verdict. Applied patterns are inlined.
  mlir::FailureOr<Program> compileKeep();
  /// The conditions of the keep region and of the patterns that it applies, an
  /// output each, with their messages.
  mlir::FailureOr<Program>
  compileRequirements(std::vector<std::string> &Messages);
  /// The score region; its outputs are the score and, if given, the factor.
  mlir::FailureOr<Program> compileScore();
  /// A region of a recurrence that maps rows.
  mlir::FailureOr<FeatureMap> compileMap(mlir::Region &Region);
  /// A region of a recurrence that yields a number per token, or per token and
  /// feature; its output is that number.
  mlir::FailureOr<Program> compileFactor(mlir::Region &Region);

private:
  using Opcode = Program::Opcode;
  using Instruction = Program::Instruction;
  enum class RegionKind : uint8_t { Keep, Score, Recurrence };
  struct Requirement {
    mlir::Operation *Op;
    unsigned Condition;
    std::string Message;
  };

  unsigned temporary(uint8_t Depends = 0);
  unsigned define(mlir::Value Result);
  unsigned read(mlir::Value Operand);
  Instruction make(Opcode Code) const;
  void append(Instruction Inst);
  /// An instruction without result register yet, its operands those of `Op`.
  void appendResult(mlir::Operation *Op, Instruction Inst);

  /// Forgets the last region; registers for the coordinates and parameters.
  void start(mlir::Region &Region, RegionKind NewKind);
  /// What argument `I` after the parameters is.
  void bind(mlir::Region &Region, unsigned I, unsigned Register);
  void startKeep();
  mlir::LogicalResult walkKeep(PatternOp From, unsigned &Verdict);
  mlir::FailureOr<Program> finish(llvm::ArrayRef<unsigned> Outputs);

  mlir::LogicalResult compileOperation(mlir::Operation *Op);
  mlir::LogicalResult compileConstant(mlir::Operation *Op);
  mlir::LogicalResult compileCompare(mlir::Operation *Op);
  mlir::LogicalResult compileMember(mlir::Operation *Op);
  mlir::LogicalResult compileLoad(mlir::Operation *Op);
  mlir::LogicalResult compileApply(mlir::Operation *Op);
  mlir::LogicalResult compileCast(mlir::Operation *Op);
  /// Whether `Op` is an elementwise operation on f32; it is compiled if so.
  bool compileReal(mlir::Operation *Op);
  void readIndices(mlir::ValueRange Indices, Instruction &Inst);
  /// Ends a stage: what stands for the result of `Op` comes in from outside.
  mlir::LogicalResult compileReduction(mlir::Operation *Op,
                                       std::vector<FeatureMap::Stage> &Stages);
  bool hasReals() const { return Kind != RegionKind::Keep; }
  mlir::LogicalResult checkTypes(mlir::Operation *Op) const;
  mlir::LogicalResult reportUnknown(mlir::Operation *Op) const;

  PatternOp Pattern;
  std::vector<unsigned> Slots;
  Program Out;
  RegionKind Kind = RegionKind::Keep;
  std::vector<Instruction> Instructions;
  std::vector<uint8_t> Depends; ///< by register
  /// Registers of numbers and truth values.
  llvm::DenseMap<mlir::Value, unsigned> Registers;
  /// Parameters behind tables and sets.
  llvm::DenseMap<mlir::Value, unsigned> Places;
  std::vector<Requirement> Requirements;
  /// The patterns being inlined.
  llvm::SmallVector<mlir::Operation *> Stack;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_PROGRAMCOMPILER_H
