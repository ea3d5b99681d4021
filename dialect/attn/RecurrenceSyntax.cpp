// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text form of attn.recurrence and its attributes.

#include "dialect/attn/Params.h"
#include "dialect/attn/RecurrenceParts.h"
#include "dialect/attn/Regions.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Expansions
//===----------------------------------------------------------------------===//

/// `power 2`, `taylor`, and `none` where that is allowed.
static ExpandAttr parseExpansion(AsmParser &parser, bool allowNone) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef word;
  if (parser.parseKeyword(&word))
    return {};
  std::optional<ExpandKind> kind = symbolizeExpandKind(word);
  if (!kind || (*kind == ExpandKind::None && !allowNone)) {
    parser.emitError(loc)
        << "expected 'power' or 'taylor' as expansion, found '" << word << "'";
    return {};
  }
  int64_t power = 0;
  if (*kind == ExpandKind::Power && parser.parseInteger(power))
    return {};
  return ExpandAttr::getChecked([&] { return parser.emitError(loc); },
                                parser.getContext(), *kind, power);
}

static void printExpansion(AsmPrinter &printer, ExpandAttr expansion) {
  printer << stringifyExpandKind(expansion.getKind());
  if (expansion.getKind() == ExpandKind::Power)
    printer << ' ' << expansion.getPower();
}

Attribute ExpandAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  ExpandAttr expansion = parseExpansion(parser, /*allowNone=*/true);
  if (!expansion || parser.parseGreater())
    return {};
  return expansion;
}

void ExpandAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printExpansion(printer, *this);
  printer << '>';
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

void RecurrenceOp::getAsmBlockArgumentNames(Region &region,
                                            OpAsmSetValueNameFn setName) {
  const PartInfo &part = listParts()[region.getRegionNumber()];
  unsigned numParams = getNumParams();
  if (region.empty() || region.getNumArguments() < numParams + part.arguments)
    return;
  for (unsigned i = 0; i < numParams; ++i)
    setName(region.getArgument(i), getParamName(i));
  static constexpr StringRef names[] = {"x", "b", "h", "i", "c"};
  for (auto [argument, name] :
       llvm::zip(getOwnArguments(region),
                 ArrayRef(names).drop_front(part.isMap() ? 0 : 1)))
    setName(argument, name);
}

namespace {
/// Reads the clauses of a recurrence, which may be left out but come in order.
class ClauseParser {
public:
  ClauseParser(OpAsmParser &parser, OperationState &result,
               const ParamList &params)
      : parser(parser), result(result), params(params) {}

  ParseResult parse() {
    SmallVector<StringRef> words;
    for (const PartInfo &part : listParts())
      words.push_back(part.name);
    words.append({"erase", "expand", "normalize", "bidirectional", "window"});
    for (size_t i = 0; i < listParts().size(); ++i)
      result.addRegion();
    size_t next = 0;
    SMLoc loc = parser.getCurrentLocation();
    StringRef word;
    while (succeeded(parser.parseOptionalKeyword(&word, words))) {
      size_t number = llvm::find(words, word) - words.begin();
      if (number < next)
        return parser.emitError(loc)
               << "expected each clause once and in the order "
               << llvm::join(words, ", ") << ", found '" << word << "' after '"
               << words[next - 1] << "'";
      next = number + 1;
      if (number < listParts().size() ? parsePart(number) : parseRest(word))
        return failure();
      loc = parser.getCurrentLocation();
    }
    return success();
  }

private:
  ParseResult parsePart(size_t number) {
    const PartInfo &part = listParts()[number];
    SmallVector<OpAsmParser::Argument> arguments(params.arguments);
    Type first = part.isMap() ? parser.getBuilder().getF32Type() : Type();
    return failure(parseCoordinates(parser, part.name, part.arguments,
                                    part.what, first, arguments,
                                    part.optional) ||
                   parseBody(parser, *result.regions[number], arguments,
                             "recurrence", part.name, part.terminator));
  }

  ParseResult parseRest(StringRef word) {
    Builder &builder = parser.getBuilder();
    if (word == "erase") {
      if (parser.parseKeyword("before") || parser.parseKeyword("decay"))
        return failure();
      result.addAttribute(
          RecurrenceOp::getEraseBeforeDecayAttrName(result.name),
          builder.getUnitAttr());
    } else if (word == "expand") {
      ExpandAttr expansion = parseExpansion(parser, /*allowNone=*/false);
      if (!expansion)
        return failure();
      result.addAttribute(RecurrenceOp::getExpansionAttrName(result.name),
                          expansion);
    } else if (word == "normalize") {
      SMLoc loc = parser.getCurrentLocation();
      StringRef kind;
      if (parser.parseKeyword(&kind))
        return failure();
      std::optional<LinearNormalizer> found = symbolizeLinearNormalizer(kind);
      if (!found || *found == LinearNormalizer::None)
        return parser.emitError(loc) << "expected 'sum' or 'magnitude' as "
                                        "normaliser of a recurrence, found '"
                                     << kind << "'";
      result.addAttribute(
          RecurrenceOp::getNormalizeAttrName(result.name),
          LinearNormalizerAttr::get(builder.getContext(), *found));
    } else if (word == "bidirectional") {
      result.addAttribute(RecurrenceOp::getBidirectionalAttrName(result.name),
                          builder.getUnitAttr());
    } else {
      int64_t number;
      if (parser.parseLParen() || params.parseUse(parser, number) ||
          parser.parseRParen())
        return failure();
      result.addAttribute(RecurrenceOp::getWindowAttrName(result.name),
                          builder.getI64IntegerAttr(number));
    }
    return success();
  }

  OpAsmParser &parser;
  OperationState &result;
  const ParamList &params;
};
} // namespace

// attn.recurrence @name(%p: index = 64, …) attributes {…}
//   query(%x, %b, %h, %i, %c) { … } … decay(%b, %h, %i) { … } … window(%p)
//
// As for patterns, parameters are arguments of all regions.
ParseResult RecurrenceOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  ParamList params;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes) ||
      params.parseOptional(parser) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  SmallVector<Type> types;
  for (const OpAsmParser::Argument &param : params.arguments)
    types.push_back(param.type);
  result.addAttribute(getParamNamesAttrName(result.name),
                      builder.getArrayAttr(params.names));
  result.addAttribute(getParamTypeListAttrName(result.name),
                      builder.getTypeArrayAttr(types));
  result.addAttribute(getParamDefaultsAttrName(result.name),
                      builder.getArrayAttr(params.defaults));
  return ClauseParser(parser, result, params).parse();
}

void RecurrenceOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  // Parameters have the same names in all regions, as their first arguments.
  Region *like = nullptr;
  for (Region &region : (*this)->getRegions())
    if (!like && !region.empty())
      like = &region;
  auto printName = [&](unsigned i) {
    if (like)
      printer << getParam(*like, i);
    else
      printer << '%' << getParamName(i);
  };
  printParams(printer, *this, printName);
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getParamNamesAttrName(),
       getParamTypeListAttrName(), getParamDefaultsAttrName(),
       getExpansionAttrName(), getNormalizeAttrName(),
       getEraseBeforeDecayAttrName(), getBidirectionalAttrName(),
       getWindowAttrName()});
  for (auto [region, part] : llvm::zip((*this)->getRegions(), listParts())) {
    if (region.empty())
      continue;
    printer << ' ' << part.name;
    printCoordinates(printer, region, getNumParams());
    printer << ' ';
    printer.printRegion(region, /*printEntryBlockArgs=*/false);
  }
  if (getEraseBeforeDecay())
    printer << " erase before decay";
  if (!getExpand().isNone()) {
    printer << " expand ";
    printExpansion(printer, getExpand());
  }
  if (hasSums())
    printer << " normalize " << stringifyLinearNormalizer(getNormalize());
  if (isBidirectional())
    printer << " bidirectional";
  if (std::optional<unsigned> window = getWindowParam()) {
    printer << " window(";
    printName(*window);
    printer << ')';
  }
}
