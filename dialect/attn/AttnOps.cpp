// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace heddle::attn;

#define GET_OP_CLASSES
#include "dialect/attn/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// attn.pattern
//===----------------------------------------------------------------------===//

StringRef PatternOp::getParamName(unsigned i) {
  return cast<StringAttr>(getParamNames()[i]).getValue();
}

std::optional<int64_t> PatternOp::getParamDefault(unsigned i) {
  if (auto value = dyn_cast<IntegerAttr>(getParamDefaults()[i]))
    return value.getInt();
  return std::nullopt;
}

void PatternOp::getAsmBlockArgumentNames(Region &region,
                                         OpAsmSetValueNameFn setName) {
  static constexpr StringRef coordinates[] = {"b", "h", "q", "k"};
  unsigned numParams = getNumParams();
  if (region.empty() || region.getNumArguments() != numParams + 4)
    return;
  for (auto [i, argument] : llvm::enumerate(region.getArguments()))
    setName(argument,
            i < numParams ? getParamName(i) : coordinates[i - numParams]);
}

static ParseResult
parseParams(OpAsmParser &parser,
            SmallVectorImpl<OpAsmParser::Argument> &arguments,
            SmallVectorImpl<Attribute> &defaults) {
  Builder &builder = parser.getBuilder();
  return parser.parseCommaSeparatedList([&]() -> ParseResult {
    OpAsmParser::Argument argument;
    if (parser.parseArgument(argument, /*allowType=*/true))
      return failure();
    if (succeeded(parser.parseOptionalEqual())) {
      int64_t value;
      if (parser.parseInteger(value))
        return failure();
      defaults.push_back(builder.getI64IntegerAttr(value));
    } else {
      defaults.push_back(builder.getUnitAttr());
    }
    arguments.push_back(argument);
    return success();
  });
}

// attn.pattern @name(%p: index = 64, …) keep(%b, %h, %q, %k) { … }
//
// The coordinates are spelled where they are bound, without types: they are
// always `index`, and repeating that four times in every pattern teaches
// nothing. This needs a custom parser.
ParseResult PatternOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Attribute> names, defaults;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes))
    return failure();
  if (succeeded(parser.parseOptionalLParen()) &&
      failed(parser.parseOptionalRParen()))
    if (parseParams(parser, arguments, defaults) || parser.parseRParen())
      return failure();
  for (const OpAsmParser::Argument &argument : arguments)
    names.push_back(builder.getStringAttr(argument.ssaName.name.drop_front()));

  SMLoc coordinatesLoc;
  SmallVector<OpAsmParser::Argument> coordinates;
  if (parser.parseKeyword("keep") ||
      parser.getCurrentLocation(&coordinatesLoc) ||
      parser.parseArgumentList(coordinates, OpAsmParser::Delimiter::Paren))
    return failure();
  if (coordinates.size() != 4)
    return parser.emitError(coordinatesLoc)
           << "expected the four coordinates (batch, head, query, key) of a "
              "keep region, found "
           << coordinates.size();
  for (OpAsmParser::Argument &coordinate : coordinates) {
    coordinate.type = builder.getIndexType();
    arguments.push_back(coordinate);
  }
  result.addAttribute(getParamNamesAttrName(result.name),
                      builder.getArrayAttr(names));
  result.addAttribute(getParamDefaultsAttrName(result.name),
                      builder.getArrayAttr(defaults));
  if (succeeded(parser.parseOptionalKeyword("formula"))) {
    FormulaAttr formula;
    if (parser.parseAttribute(formula, getFormulaAttrName(result.name),
                              result.attributes))
      return failure();
  }
  SMLoc bodyLoc;
  Region &body = *result.addRegion();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.getCurrentLocation(&bodyLoc) ||
      parser.parseRegion(body, arguments))
    return failure();
  // Said here, where the last operation is known, and not by the verifier of
  // blocks, which knows nothing of verdicts.
  if (body.empty() || body.back().empty())
    return parser.emitError(bodyLoc)
           << "[pattern-4] expected a keep region that ends in 'attn.keep', "
              "found an empty one";
  Operation &last = body.back().back();
  if (!isa<KeepOp>(last))
    return mlir::emitError(last.getLoc())
           << "[pattern-4] expected a keep region that ends in 'attn.keep', "
              "found '"
           << last.getName() << "' at its end";
  return success();
}

void PatternOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  unsigned numParams = getNumParams();
  if (numParams) {
    printer << '(';
    for (unsigned i = 0; i < numParams; ++i) {
      printer << (i ? ", " : "") << getParam(i) << ": index";
      if (std::optional<int64_t> value = getParamDefault(i))
        printer << " = " << *value;
    }
    printer << ')';
  }
  printer << " keep(";
  llvm::interleaveComma(getBody().getArguments().drop_front(numParams), printer,
                        [&](BlockArgument argument) { printer << argument; });
  printer << ")";
  if (FormulaAttr formula = getFormulaAttr())
    printer << " formula " << formula;
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getSymNameAttrName(), getParamNamesAttrName(),
                            getParamDefaultsAttrName(), getFormulaAttrName()});
  printer << ' ';
  printer.printRegion(getBodyRegion(), /*printEntryBlockArgs=*/false);
}

LogicalResult PatternOp::verify() {
  unsigned numParams = getNumParams();
  if (getParamDefaults().size() != numParams)
    return emitOpError("[pattern-2] expected one default or none per "
                       "parameter, found ")
           << getParamDefaults().size() << " for " << numParams
           << " parameters";
  llvm::StringSet<> seen;
  for (unsigned i = 0; i < numParams; ++i) {
    if (!seen.insert(getParamName(i)).second)
      return emitOpError("[pattern-2] expected distinct parameter names, found "
                         "'")
             << getParamName(i) << "' twice";
    Attribute value = getParamDefaults()[i];
    if (!isa<UnitAttr, IntegerAttr>(value))
      return emitOpError("[pattern-2] expected an integer or nothing as "
                         "default of parameter '")
             << getParamName(i) << "', found " << value;
    if (std::optional<int64_t> constant = getParamDefault(i);
        constant && std::abs(static_cast<double>(*constant)) > kCoordinateLimit)
      return emitOpError("[pattern-2] expected a default of at most 2^31 in "
                         "magnitude for parameter '")
             << getParamName(i) << "', found " << *constant;
  }
  Block &body = getBodyRegion().front();
  if (body.getNumArguments() != numParams + 4 ||
      !llvm::all_of(body.getArgumentTypes(),
                    [](Type type) { return type.isIndex(); }))
    return emitOpError("[pattern-1] expected ")
           << numParams << " parameters and four coordinates of type 'index'";
  return success();
}

/// The operations a keep region may hold; what they may be applied to is
/// attn-normalize-pattern's business.
static bool isAllowedInKeep(Operation &op) {
  return isa<KeepOp, InOp, ModOp, NumKeysOp, arith::ConstantOp, arith::AddIOp,
             arith::SubIOp, arith::MulIOp, arith::FloorDivSIOp,
             arith::CeilDivSIOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
             arith::RemUIOp, arith::MinSIOp, arith::MaxSIOp, arith::CmpIOp,
             arith::SelectOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op);
}

LogicalResult PatternOp::verifyRegions() {
  Block &body = getBodyRegion().front();
  for (Operation &op : body) {
    if (!isAllowedInKeep(op))
      return op.emitOpError("[pattern-3] is not allowed in a keep region; "
                            "expected integer arithmetic, comparisons, "
                            "connectives, 'attn.in', 'attn.mod' or "
                            "'attn.num_keys'");
    for (Type type : op.getResultTypes())
      if (!type.isIndex() && !type.isInteger(1))
        return op.emitOpError("[pattern-3] has type ")
               << type << " in a keep region; expected 'index' or 'i1'";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// attn.mod
//===----------------------------------------------------------------------===//

LogicalResult ModOp::verify() {
  if (static_cast<int64_t>(getModulus()) < 1)
    return emitOpError("[mod-1] expected a positive modulus, found ")
           << static_cast<int64_t>(getModulus());
  return success();
}

//===----------------------------------------------------------------------===//
// attn.attention
//===----------------------------------------------------------------------===//

LogicalResult
AttentionOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto pattern =
      symbolTable.lookupNearestSymbolFrom<PatternOp>(*this, getPatternAttr());
  if (!pattern)
    return emitOpError("[attention-4] expected the name of an 'attn.pattern', "
                       "found ")
           << getPatternAttr();
  if (pattern.getNumParams() != getParams().size())
    return (emitOpError("[attention-4] expected ")
            << pattern.getNumParams() << " arguments for pattern "
            << getPatternAttr() << ", found " << getParams().size())
               .attachNote(pattern.getLoc())
           << "the pattern is defined here";
  return success();
}

/// Largest head dimension; see design and docs: workspaces grow with it.
static constexpr int64_t kMaxHeadDim = 512;

LogicalResult AttentionOp::verify() {
  auto type = [](Value value) {
    return cast<RankedTensorType>(value.getType());
  };
  struct Operand {
    StringRef name;
    RankedTensorType type;
    int64_t rank;
  };
  const Operand q{"q", type(getQ()), 4}, k{"k", type(getK()), 4},
      v{"v", type(getV()), 4}, o{"o", type(getO()), 4},
      lse{"lse", type(getLse()), 3};
  for (const Operand &operand : {q, k, v, o, lse}) {
    if (operand.type.getRank() != operand.rank)
      return emitOpError("[attention-1] expected '")
             << operand.name << "' of rank " << operand.rank << ", found "
             << operand.type.getRank();
    if (!operand.type.getElementType().isF32())
      return emitOpError("[attention-2] expected '")
             << operand.name << "' of element type 'f32', found "
             << operand.type.getElementType();
  }
  for (auto [a, b] : {std::pair(&q, &k), {&v, &o}}) {
    int64_t dim = a->type.getDimSize(3);
    if (ShapedType::isDynamic(dim) || dim < 1 || dim > kMaxHeadDim)
      return emitOpError("[attention-3] expected a static head dim in [1, ")
             << kMaxHeadDim << "] for '" << a->name << "', found "
             << (ShapedType::isDynamic(dim) ? "?" : Twine(dim).str());
    if (b->type.getDimSize(3) != dim)
      return emitOpError("[attention-3] expected the head dim of '")
             << b->name << "' to be that of '" << a->name << "', " << dim;
  }
  int64_t heads = q.type.getDimSize(1), kvHeads = k.type.getDimSize(1);
  if (!ShapedType::isDynamic(heads) && !ShapedType::isDynamic(kvHeads) &&
      (kvHeads == 0 ? heads != 0 : heads % kvHeads != 0))
    return emitOpError("[attention-5] expected the heads of 'q' to be a "
                       "multiple of the heads of 'k', found ")
           << heads << " and " << kvHeads;
  auto agree = [&](const Operand &a, const Operand &b, int64_t axis,
                   StringRef what, StringRef rule) -> LogicalResult {
    int64_t x = a.type.getDimSize(axis), y = b.type.getDimSize(axis);
    if (ShapedType::isDynamic(x) || ShapedType::isDynamic(y) || x == y)
      return success();
    return emitOpError() << "[attention-" << rule << "] expected '" << a.name
                         << "' and '" << b.name << "' to agree in " << what
                         << ", found " << x << " and " << y;
  };
  if (failed(agree(k, v, 1, "heads", "5")))
    return failure();
  for (const Operand &operand : {k, v, o, lse})
    if (failed(agree(q, operand, 0, "batch", "6")))
      return failure();
  for (const Operand &operand : {o, lse})
    for (auto [axis, what] : {std::pair(1, "heads"), {2, "positions"}})
      if (failed(agree(q, operand, axis, what, "6")))
        return failure();
  if (failed(agree(k, v, 2, "positions", "6")))
    return failure();
  if (Value origin = getOrigin(); origin && type(origin).getRank() != 1)
    return emitOpError("[attention-7] expected 'origin' of rank 1, found ")
           << type(origin).getRank();
  return success();
}

//===----------------------------------------------------------------------===//
// attn.tiles
//===----------------------------------------------------------------------===//

LogicalResult TilesOp::verify() {
  if (static_cast<int64_t>(getQueryTile()) < 1 ||
      static_cast<int64_t>(getKeyTile()) < 1)
    return emitOpError("[tiles-1] expected positive tile sizes, found ")
           << static_cast<int64_t>(getQueryTile()) << " x "
           << static_cast<int64_t>(getKeyTile());
  if (numSymbols(getFormula()) > paramSymbol(getParams().size()))
    return emitOpError("[tiles-2] expected ")
           << numSymbols(getFormula()) - 1
           << " parameters for the formula, found " << getParams().size();
  return success();
}
