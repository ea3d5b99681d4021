// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Regions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace heddle::attn;

std::string heddle::attn::describeRegion(StringRef name) {
  return (StringRef("aeiou").contains(name.front()) ? "an " : "a ") +
         name.str() + " region";
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

ParseResult heddle::attn::parseCoordinates(
    OpAsmParser &parser, StringRef region, unsigned expected, StringRef what,
    Type firstType, SmallVectorImpl<OpAsmParser::Argument> &arguments,
    unsigned optional) {
  SmallVector<OpAsmParser::Argument> coordinates;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseArgumentList(coordinates, OpAsmParser::Delimiter::Paren))
    return failure();
  size_t found = coordinates.size();
  if (found < expected || found > expected + optional) {
    InFlightDiagnostic error = parser.emitError(loc)
                               << "expected the " << expected;
    if (optional)
      error << " or " << expected + optional;
    return error << " " << what << " of " << describeRegion(region)
                 << ", found " << found;
  }
  for (OpAsmParser::Argument &coordinate : coordinates) {
    coordinate.type =
        firstType ? firstType : parser.getBuilder().getIndexType();
    firstType = {};
    arguments.push_back(coordinate);
  }
  return success();
}

static InFlightDiagnostic emitEnd(Location loc, StringRef rule,
                                  StringRef region, StringRef terminator) {
  return emitError(loc) << "[" << rule << "-4] expected "
                        << describeRegion(region) << " that ends in '"
                        << terminator << "', found ";
}

LogicalResult heddle::attn::verifyEnd(Region &body, StringRef rule,
                                      StringRef region, StringRef terminator) {
  if (body.empty())
    return success();
  if (body.front().empty())
    return emitEnd(body.getLoc(), rule, region, terminator) << "an empty one";
  Operation &last = body.front().back();
  if (last.getName().getStringRef() != terminator)
    return emitEnd(last.getLoc(), rule, region, terminator)
           << "'" << last.getName() << "' at its end";
  return success();
}

ParseResult heddle::attn::parseBody(OpAsmParser &parser, Region &body,
                                    ArrayRef<OpAsmParser::Argument> arguments,
                                    StringRef rule, StringRef region,
                                    StringRef terminator) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseRegion(body, arguments))
    return failure();
  if (body.empty() || body.back().empty())
    return emitEnd(parser.getEncodedSourceLoc(loc), rule, region, terminator)
           << "an empty one";
  return verifyEnd(body, rule, region, terminator);
}

void heddle::attn::printCoordinates(OpAsmPrinter &printer, Region &region,
                                    unsigned numParams) {
  printer << '(';
  llvm::interleaveComma(region.getArguments().drop_front(numParams), printer,
                        [&](BlockArgument argument) { printer << argument; });
  printer << ')';
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

bool heddle::attn::isIntegerArithmetic(Operation &op) {
  return isa<ModOp, NumKeysOp, AtOp, arith::ConstantOp, arith::AddIOp,
             arith::SubIOp, arith::MulIOp, arith::FloorDivSIOp,
             arith::CeilDivSIOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
             arith::RemUIOp, arith::MinSIOp, arith::MaxSIOp, arith::CmpIOp,
             arith::SelectOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op);
}

bool heddle::attn::isArithmetic(Operation &op) {
  return isIntegerArithmetic(op) ||
         isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::MaxNumFOp, arith::MinNumFOp, arith::CmpFOp, arith::SIToFPOp,
             arith::IndexCastOp, math::AbsFOp, math::CeilOp, math::FloorOp,
             math::ExpOp, math::Exp2Op, math::LogOp, math::Log2Op, math::SqrtOp,
             math::RsqrtOp, math::TanhOp, math::SinOp, math::CosOp, math::ErfOp,
             math::PowFOp, math::FmaOp>(op);
}

LogicalResult heddle::attn::verifyTypes(Operation &op, StringRef rule,
                                        StringRef region) {
  for (Type type : op.getResultTypes())
    if (!type.isIndex() && !type.isInteger(1) && !type.isF32() &&
        !(isa<arith::IndexCastOp>(op) && type.isSignlessInteger()))
      return op.emitOpError()
             << "[" << rule << "-3] has type " << type << " in "
             << describeRegion(region) << "; expected "
             << "'f32', 'index' or 'i1'";
  return success();
}
