// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form and rules of the parameters of patterns and recurrences.

#ifndef HEDDLE_DIALECT_ATTN_PARAMS_H
#define HEDDLE_DIALECT_ATTN_PARAMS_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// The parameters of a symbol while its text is read.
struct ParamList {
  mlir::SmallVector<mlir::OpAsmParser::Argument> arguments;
  mlir::SmallVector<mlir::Attribute> names, defaults;

  /// `(%p: index = 64, %t: tensor<?xf32>)`, or nothing.
  mlir::ParseResult parseOptional(mlir::OpAsmParser &parser);
  /// `%name`, one of the parameters; its number.
  mlir::ParseResult parseUse(mlir::OpAsmParser &parser, int64_t &number) const;
};

/// Prints the parameters, if there are any; `name` prints the name of the i-th.
void printParams(mlir::OpAsmPrinter &printer, ParamsOpInterface op,
                 llvm::function_ref<void(unsigned)> name);

/// A table of reals with that many axes.
bool isRealTable(mlir::Type type, int64_t rank);

/// `[rule-2]`: names and defaults. `rule` is the first word of the rules that
/// the symbol's documentation states.
mlir::LogicalResult verifyParamNames(ParamsOpInterface op,
                                     llvm::StringRef rule);
/// `[rule-1]`, `[rule-2]` and `[rule-6]`: types, and defaults of these types.
mlir::LogicalResult verifyParamTypes(ParamsOpInterface op, llvm::StringRef rule,
                                     bool allowSets);
/// `[rule]`: the arguments of a use of a symbol, which is defined at `defined`,
/// against its parameters. `kind` is what it is, in a word.
mlir::LogicalResult
verifyArguments(mlir::Operation *op, llvm::StringRef rule, llvm::StringRef kind,
                mlir::FlatSymbolRefAttr symbol, mlir::TypeRange arguments,
                mlir::TypeRange params, mlir::Location defined);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_PARAMS_H
