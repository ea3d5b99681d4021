// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form and rules of the regions of patterns and recurrences.

#ifndef HEDDLE_DIALECT_ATTN_REGIONS_H
#define HEDDLE_DIALECT_ATTN_REGIONS_H

#include "dialect/attn/Attn.h"

namespace heddle::attn {

/// "a keep region", "an output region".
std::string describeRegion(llvm::StringRef name);

/// `(%b, %h, %q, %k)`: `expected` coordinates, spelled without types since they
/// are always `index`; the first one has `firstType` if that is given. There
/// may be `optional` ones more. `what` names them in errors: "coordinates
/// (batch, head, query, key)".
mlir::ParseResult
parseCoordinates(mlir::OpAsmParser &parser, llvm::StringRef region,
                 unsigned expected, llvm::StringRef what, mlir::Type firstType,
                 mlir::SmallVectorImpl<mlir::OpAsmParser::Argument> &arguments,
                 unsigned optional = 0);

/// A region that ends in `terminator`, the name of an operation. Said here
/// (`[rule-4]`), where the last operation is known, and not by the verifier of
/// blocks, which knows nothing of verdicts.
mlir::ParseResult
parseBody(mlir::OpAsmParser &parser, mlir::Region &body,
          llvm::ArrayRef<mlir::OpAsmParser::Argument> arguments,
          llvm::StringRef rule, llvm::StringRef region,
          llvm::StringRef terminator);

/// Whether a region is empty or one block that ends in `terminator`
/// (`[rule-4]`): what parseBody says, for regions that come by another way.
mlir::LogicalResult verifyEnd(mlir::Region &body, llvm::StringRef rule,
                              llvm::StringRef region,
                              llvm::StringRef terminator);

/// `(%b, %h, %q, %k)`: the arguments of a region after its parameters.
void printCoordinates(mlir::OpAsmPrinter &printer, mlir::Region &region,
                      unsigned numParams);

/// Integer arithmetic, which every region may hold; what it may be applied to
/// is attn-normalize-pattern's business.
bool isIntegerArithmetic(mlir::Operation &op);
/// What score regions and regions of recurrences may hold: arithmetic on
/// integers and reals.
bool isArithmetic(mlir::Operation &op);
/// `[rule-3]`: the types that isArithmetic may have in a region.
mlir::LogicalResult verifyTypes(mlir::Operation &op, llvm::StringRef rule,
                                llvm::StringRef region);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REGIONS_H
