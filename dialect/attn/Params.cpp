// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Params.h"

#include "dialect/attn/Formula.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static ParseResult parseDefault(OpAsmParser &parser, Type type,
                                Attribute &value) {
  Builder &builder = parser.getBuilder();
  if (failed(parser.parseOptionalEqual())) {
    value = builder.getUnitAttr();
    return success();
  }
  if (type.isF32()) {
    double real;
    if (parser.parseFloat(real))
      return failure();
    value = builder.getF32FloatAttr(static_cast<float>(real));
    return success();
  }
  int64_t integer;
  if (parser.parseInteger(integer))
    return failure();
  value = builder.getI64IntegerAttr(integer);
  return success();
}

ParseResult ParamList::parseOptional(OpAsmParser &parser) {
  if (failed(parser.parseOptionalLParen()) ||
      succeeded(parser.parseOptionalRParen()))
    return success();
  auto parseOne = [&]() -> ParseResult {
    OpAsmParser::Argument &argument = arguments.emplace_back();
    if (parser.parseArgument(argument, /*allowType=*/true) ||
        parseDefault(parser, argument.type, defaults.emplace_back()))
      return failure();
    names.push_back(
        parser.getBuilder().getStringAttr(argument.ssaName.name.drop_front()));
    return success();
  };
  return failure(parser.parseCommaSeparatedList(parseOne) ||
                 parser.parseRParen());
}

ParseResult ParamList::parseUse(OpAsmParser &parser, int64_t &number) const {
  OpAsmParser::UnresolvedOperand operand;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseOperand(operand))
    return failure();
  for (auto [i, param] : llvm::enumerate(arguments))
    if (param.ssaName.name == operand.name &&
        param.ssaName.number == operand.number) {
      number = static_cast<int64_t>(i);
      return success();
    }
  return parser.emitError(loc)
         << "expected the name of a parameter, found '" << operand.name << "'";
}

void heddle::attn::printParams(OpAsmPrinter &printer, ParamsOpInterface op,
                               function_ref<void(unsigned)> name) {
  unsigned numParams = op.getNumParams();
  if (numParams == 0)
    return;
  printer << '(';
  for (unsigned i = 0; i < numParams; ++i) {
    printer << (i ? ", " : "");
    name(i);
    printer << ": " << op.getParamType(i);
    if (auto value = dyn_cast<FloatAttr>(op.getParamDefaults()[i]))
      printer << " = ", printer.printAttributeWithoutType(value);
    else if (std::optional<int64_t> value = op.getParamDefault(i))
      printer << " = " << *value;
  }
  printer << ')';
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

/// Axes a table may have.
static constexpr int64_t kMaxTableAxes = 4;

bool heddle::attn::isRealTable(Type type, int64_t rank) {
  auto table = dyn_cast<RankedTensorType>(type);
  return table && table.getElementType().isF32() && table.getRank() == rank;
}

static bool isParamType(Type type, bool allowSets) {
  if (auto table = dyn_cast<RankedTensorType>(type))
    return table.getElementType().isIndex() || table.getElementType().isF32();
  return type.isIndex() || type.isF32() || (allowSets && isa<SetType>(type));
}

LogicalResult heddle::attn::verifyParamNames(ParamsOpInterface op,
                                             StringRef rule) {
  unsigned numParams = op.getNumParams();
  auto fail = [&] {
    return op->emitOpError() << "[" << rule << "-2] expected ";
  };
  if (op.getParamDefaults().size() != numParams)
    return fail() << "one default or none per parameter, found "
                  << op.getParamDefaults().size() << " for " << numParams
                  << " parameters";
  llvm::StringSet<> seen;
  for (unsigned i = 0; i < numParams; ++i) {
    StringRef name = op.getParamName(i);
    if (!seen.insert(name).second)
      return fail() << "distinct parameter names, found '" << name << "' twice";
    Attribute value = op.getParamDefaults()[i];
    if (!isa<UnitAttr, IntegerAttr, FloatAttr>(value))
      return fail() << "a number or nothing as default of parameter '" << name
                    << "', found " << value;
    if (std::optional<int64_t> constant = op.getParamDefault(i);
        constant && std::abs(static_cast<double>(*constant)) > kCoordinateLimit)
      return fail() << "a default of at most 2^31 in magnitude for parameter '"
                    << name << "', found " << *constant;
  }
  return success();
}

LogicalResult heddle::attn::verifyParamTypes(ParamsOpInterface op,
                                             StringRef rule, bool allowSets) {
  for (auto [i, type] : llvm::enumerate(op.getParamTypes())) {
    StringRef name = op.getParamName(i);
    if (!isParamType(type, allowSets))
      return op->emitOpError() << "[" << rule << "-1] expected parameter '"
                               << name << "' to be 'index', 'f32'"
                               << (allowSets ? ", a tensor of either or "
                                               "'!attn.set'"
                                             : " or a tensor of either")
                               << ", found " << type;
    Attribute value = op.getParamDefaults()[i];
    if ((isa<IntegerAttr>(value) && !type.isIndex()) ||
        (isa<FloatAttr>(value) && !type.isF32()))
      return op->emitOpError()
             << "[" << rule << "-2] expected no such default for parameter '"
             << name << "' of type " << type << ", found " << value;
    if (auto table = dyn_cast<RankedTensorType>(type))
      if (int64_t rank = table.getRank();
          rank < 1 || rank > kMaxTableAxes ||
          table.getNumDynamicDims() != static_cast<size_t>(rank))
        return op->emitOpError()
               << "[" << rule << "-6] expected one to four dynamic axes in the "
               << "table '" << name << "', found " << type;
  }
  return success();
}

LogicalResult
heddle::attn::verifyArguments(Operation *op, StringRef rule, StringRef kind,
                              FlatSymbolRefAttr symbol, TypeRange arguments,
                              TypeRange params, Location defined) {
  auto note = [&](InFlightDiagnostic error) {
    error.attachNote(defined) << "the " << kind << " is defined here";
    return error;
  };
  if (arguments.size() != params.size())
    return note(op->emitOpError()
                << "[" << rule << "] expected " << params.size()
                << " arguments for " << kind << " " << symbol << ", found "
                << arguments.size());
  for (auto [i, given, wanted] : llvm::enumerate(arguments, params))
    if (given != wanted)
      return note(op->emitOpError()
                  << "[" << rule << "] expected argument " << i << " of "
                  << kind << " " << symbol << " to be of type " << wanted
                  << ", found " << given);
  return success();
}
