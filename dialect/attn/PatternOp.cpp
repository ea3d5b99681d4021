// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attn.pattern: its text form and its rules.

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "dialect/attn/Params.h"
#include "dialect/attn/Regions.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

unsigned PatternOp::getParamRank(unsigned i) {
  BlockArgument param = getParam(i);
  if (auto table = dyn_cast<RankedTensorType>(param.getType()))
    return table.getRank();
  if (!isa<SetType>(param.getType()))
    return 0;
  for (OpOperand &use : param.getUses()) {
    if (auto in = dyn_cast<InOp>(use.getOwner()))
      return in.getIndices().size();
    // A set that is only handed on has the rank that it has there.
    if (auto apply = dyn_cast<ApplyOp>(use.getOwner()))
      if (auto pattern = SymbolTable::lookupNearestSymbolFrom<PatternOp>(
              apply, apply.getPatternAttr());
          pattern && pattern != *this)
        return pattern.getParamRank(use.getOperandNumber());
  }
  return 0;
}

SmallVector<Type> PatternOp::getParamTypes() {
  TypeRange types = getBodyRegion().front().getArgumentTypes();
  return llvm::to_vector(types.take_front(getNumParams()));
}

NormalizerAttr PatternOp::getNormalization() {
  if (NormalizerAttr given = getNormalizerAttr())
    return given;
  return NormalizerAttr::get(getContext(), NormalizerKind::Softmax, 0,
                             std::nullopt);
}

SmallVector<UnitedParam>
heddle::attn::uniteParams(ArrayRef<PatternOp> patterns) {
  SmallVector<UnitedParam> result;
  llvm::StringSet<> seen;
  for (auto [source, pattern] : llvm::enumerate(patterns))
    for (unsigned i = 0, e = PatternOp(pattern).getNumParams(); i < e; ++i)
      if (seen.insert(PatternOp(pattern).getParamName(i)).second)
        result.push_back({static_cast<unsigned>(source), i});
  return result;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

void PatternOp::getAsmBlockArgumentNames(Region &region,
                                         OpAsmSetValueNameFn setName) {
  unsigned numParams = getNumParams(), axes = getNumAxes();
  bool isScore = region.getRegionNumber() == 1;
  if (region.empty() ||
      region.getNumArguments() != numParams + isScore + 2 + 2 * axes)
    return;
  SmallVector<std::string> names;
  if (isScore)
    names.push_back("s");
  names.append({"b", "h"});
  static constexpr StringRef axisNames[] = {"z", "y", "x"};
  for (StringRef side : {"q", "k"})
    for (unsigned axis = 0; axis < axes; ++axis)
      names.push_back(
          (side + (hasGrid() ? axisNames[kNumAxes - axes + axis] : "")).str());
  for (auto [i, argument] : llvm::enumerate(region.getArguments()))
    setName(argument,
            i < numParams ? getParamName(i) : StringRef(names[i - numParams]));
}

/// `(%H x %W)`. The dimension-list keyword `x` is an ordinary word here.
static ParseResult parseGrid(OpAsmParser &parser, const ParamList &params,
                             SmallVectorImpl<int64_t> &numbers) {
  if (parser.parseLParen())
    return failure();
  do {
    if (params.parseUse(parser, numbers.emplace_back()))
      return failure();
  } while (succeeded(parser.parseOptionalKeyword("x")));
  return parser.parseRParen();
}

/// `softmax`, `softmax sink(%p)`, `grouped 64`, …
static ParseResult parseNormalizer(OpAsmParser &parser, const ParamList &params,
                                   NormalizerAttr &normalizer) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef word;
  if (parser.parseKeyword(&word))
    return failure();
  std::optional<NormalizerKind> kind = symbolizeNormalizerKind(word);
  if (!kind)
    return parser.emitError(loc)
           << "expected 'softmax', 'sigmoid', 'relu', 'relu2', 'identity' or "
              "'grouped' as normaliser, found '"
           << word << "'";
  int64_t group = 0;
  std::optional<unsigned> sink;
  if (*kind == NormalizerKind::Grouped && parser.parseInteger(group))
    return failure();
  if (*kind == NormalizerKind::Softmax &&
      succeeded(parser.parseOptionalKeyword("sink"))) {
    int64_t number;
    if (parser.parseLParen() || params.parseUse(parser, number) ||
        parser.parseRParen())
      return failure();
    sink = static_cast<unsigned>(number);
  }
  normalizer =
      NormalizerAttr::getChecked([&] { return parser.emitError(loc); },
                                 parser.getContext(), *kind, group, sink);
  return success(static_cast<bool>(normalizer));
}

// attn.pattern @name(%p: index = 64, …) grid(…) keep(%b, %h, %q, %k) { … }
//   score(%s, %b, %h, %q, %k) { … } normalize … rotate(…)
//
// Parameters are arguments of both regions, and coordinates are spelled where
// they are bound, without types. This needs a custom parser.
ParseResult PatternOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  ParamList params;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes) ||
      params.parseOptional(parser))
    return failure();

  SmallVector<int64_t> queryGrid, keyGrid;
  if (succeeded(parser.parseOptionalKeyword("grid"))) {
    if (parseGrid(parser, params, queryGrid))
      return failure();
    keyGrid = queryGrid;
    if (succeeded(parser.parseOptionalKeyword("keys"))) {
      keyGrid.clear();
      if (parseGrid(parser, params, keyGrid))
        return failure();
    }
  }
  unsigned axes = std::max<size_t>(1, queryGrid.size());

  SmallVector<OpAsmParser::Argument> arguments(params.arguments);
  if (parser.parseKeyword("keep") ||
      parseCoordinates(parser, "keep", 2 + 2 * axes,
                       axes == 1 ? "coordinates (batch, head, query, key)"
                                 : "coordinates (batch, head, query axes, key "
                                   "axes)",
                       Type(), arguments))
    return failure();
  result.addAttribute(getParamNamesAttrName(result.name),
                      builder.getArrayAttr(params.names));
  result.addAttribute(getParamDefaultsAttrName(result.name),
                      builder.getArrayAttr(params.defaults));
  if (!queryGrid.empty()) {
    result.addAttribute(getQueryGridAttrName(result.name),
                        builder.getDenseI64ArrayAttr(queryGrid));
    result.addAttribute(getKeyGridAttrName(result.name),
                        builder.getDenseI64ArrayAttr(keyGrid));
  }
  if (succeeded(parser.parseOptionalKeyword("formula"))) {
    FormulaAttr formula;
    if (parser.parseAttribute(formula, getFormulaAttrName(result.name),
                              result.attributes))
      return failure();
  }
  Region &body = *result.addRegion(), &score = *result.addRegion();
  if (parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parseBody(parser, body, arguments, "pattern", "keep",
                KeepOp::getOperationName()))
    return failure();

  if (succeeded(parser.parseOptionalKeyword("score"))) {
    arguments.assign(params.arguments);
    if (parseCoordinates(parser, "score", 3 + 2 * axes,
                         "arguments (score, batch, head, query, key)",
                         builder.getF32Type(), arguments) ||
        parseBody(parser, score, arguments, "pattern", "score",
                  ScoreOp::getOperationName()))
      return failure();
  }
  if (succeeded(parser.parseOptionalKeyword("normalize"))) {
    NormalizerAttr normalizer;
    if (parseNormalizer(parser, params, normalizer))
      return failure();
    result.addAttribute(getNormalizerAttrName(result.name), normalizer);
  }
  if (succeeded(parser.parseOptionalKeyword("rotate"))) {
    int64_t cos, sin;
    if (parser.parseLParen() || params.parseUse(parser, cos) ||
        parser.parseComma() || params.parseUse(parser, sin) ||
        parser.parseRParen())
      return failure();
    result.addAttribute(getRotateAttrName(result.name),
                        builder.getDenseI64ArrayAttr({cos, sin}));
  }
  return success();
}

void PatternOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  unsigned numParams = getNumParams();
  printParams(printer, *this, [&](unsigned i) { printer << getParam(i); });
  auto printGrid = [&](StringRef word, ArrayRef<int64_t> grid) {
    printer << ' ' << word << '(';
    llvm::interleave(
        grid, printer, [&](int64_t i) { printer << getParam(i); }, " x ");
    printer << ')';
  };
  if (hasGrid()) {
    printGrid("grid", getQueryGrid());
    if (getKeyGrid() != getQueryGrid())
      printGrid("keys", getKeyGrid());
  }
  printer << " keep";
  printCoordinates(printer, getBody(), numParams);
  if (FormulaAttr formula = getFormulaAttr())
    printer << " formula " << formula;
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getParamNamesAttrName(),
       getParamDefaultsAttrName(), getQueryGridAttrName(), getKeyGridAttrName(),
       getNormalizerAttrName(), getRotateAttrName(), getFormulaAttrName()});
  printer << ' ';
  printer.printRegion(getBodyRegion(), /*printEntryBlockArgs=*/false);
  if (hasScore()) {
    // Parameters are written once, so both regions call them the same.
    SmallVector<Value> like;
    for (unsigned i = 0; i < numParams; ++i)
      like.push_back(getParam(i));
    like.push_back(Value());
    for (unsigned i = 0, e = getNumCoordinates(); i < e; ++i)
      like.push_back(getCoordinate(i));
    printer.shadowRegionArgs(getScore(), like);
    printer << " score";
    printCoordinates(printer, getScore(), numParams);
    printer << ' ';
    printer.printRegion(getScore(), /*printEntryBlockArgs=*/false);
  }
  if (NormalizerAttr normalizer = getNormalizerAttr()) {
    printer << " normalize " << stringifyNormalizerKind(normalizer.getKind());
    if (normalizer.getGroup())
      printer << ' ' << normalizer.getGroup();
    if (normalizer.getSink())
      printer << " sink(" << getParam(*normalizer.getSink()) << ')';
  }
  if (!getRotate().empty())
    printer << " rotate(" << getParam(getRotate()[0]) << ", "
            << getParam(getRotate()[1]) << ')';
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

/// Indices a set may have.
static constexpr size_t kMaxSetIndices = 3;

static LogicalResult verifyClauses(PatternOp op) {
  auto inRange = [&](int64_t i) {
    return i >= 0 && i < static_cast<int64_t>(op.getNumParams());
  };
  ArrayRef<int64_t> queries = op.getQueryGrid(), keys = op.getKeyGrid();
  if (queries.size() != keys.size() || queries.size() > kNumAxes)
    return op.emitOpError("[pattern-5] expected a grid of one to three axes, "
                          "as many for keys as for queries, found ")
           << queries.size() << " and " << keys.size();
  for (ArrayRef<int64_t> grid : {queries, keys})
    for (int64_t i : grid)
      if (!inRange(i) || !op.getParamType(i).isIndex())
        return op.emitOpError("[pattern-5] expected the extents of a grid to "
                              "be parameters of type 'index'");
  if (std::optional<unsigned> sink = op.getNormalization().getSink())
    if (!inRange(*sink) || !isRealTable(op.getParamType(*sink), 1))
      return op.emitOpError("[pattern-7] expected a sink to be a parameter of "
                            "type 'tensor<?xf32>'");
  ArrayRef<int64_t> rotate = op.getRotate();
  if (!rotate.empty() &&
      (rotate.size() != 2 || !llvm::all_of(rotate, [&](int64_t i) {
         return inRange(i) && isRealTable(op.getParamType(i), 2);
       })))
    return op.emitOpError("[pattern-7] expected cos and sin of a rotation to "
                          "be parameters of type 'tensor<?x?xf32>'");
  return success();
}

LogicalResult PatternOp::verify() {
  if (failed(verifyParamNames(*this, "pattern")))
    return failure();
  unsigned numParams = getNumParams();
  if (getQueryGrid().size() > kNumAxes)
    return verifyClauses(*this);
  auto isIndex = [](Type type) { return type.isIndex(); };
  TypeRange types = getBodyRegion().front().getArgumentTypes();
  if (types.size() != numParams + getNumCoordinates() ||
      !llvm::all_of(types.drop_front(numParams), isIndex))
    return emitOpError("[pattern-1] expected ")
           << numParams << " parameters and " << getNumCoordinates()
           << " coordinates of type 'index'";
  if (hasScore()) {
    TypeRange scored = getScore().front().getArgumentTypes();
    if (scored.size() != types.size() + 1 ||
        scored.take_front(numParams) != types.take_front(numParams) ||
        !scored[numParams].isF32() ||
        !llvm::all_of(scored.drop_front(numParams + 1), isIndex))
      return emitOpError("[pattern-1] expected a score region with the "
                         "parameters, a score of type 'f32' and ")
             << getNumCoordinates() << " coordinates of type 'index'";
  }
  if (failed(verifyParamTypes(*this, "pattern", /*allowSets=*/true)))
    return failure();
  return verifyClauses(*this);
}

static bool isAllowedInKeep(Operation &op) {
  return isIntegerArithmetic(op) || isa<KeepOp, InOp, ApplyOp, RequireOp>(op);
}

LogicalResult PatternOp::verifyRegions() {
  for (Operation &op : getBodyRegion().front()) {
    if (!isAllowedInKeep(op))
      return op.emitOpError("[pattern-3] is not allowed in a keep region; "
                            "expected integer arithmetic, comparisons, "
                            "connectives, 'attn.in', 'attn.at', 'attn.apply', "
                            "'attn.require', 'attn.mod' or 'attn.num_keys'");
    for (Type type : op.getResultTypes())
      if (!type.isIndex() && !type.isInteger(1))
        return op.emitOpError("[pattern-3] has type ")
               << type << " in a keep region; expected 'index' or 'i1'";
    if (auto in = dyn_cast<InOp>(op); in && in.getList()) {
      auto param = dyn_cast<BlockArgument>(in.getList());
      unsigned rank = in.getIndices().size();
      if (!param || rank > kMaxSetIndices ||
          rank != getParamRank(param.getArgNumber()))
        return op.emitOpError("[pattern-8] expected a set to be asked with one "
                              "number of indices throughout, three at most, "
                              "found ")
               << rank;
    }
  }
  if (!hasScore())
    return success();
  for (Operation &op : getScore().front()) {
    if (!isArithmetic(op) && !isa<ScoreOp>(op))
      return op.emitOpError("[pattern-3] is not allowed in a score region; "
                            "expected arithmetic on 'f32' and 'index' or "
                            "'attn.at'");
    if (failed(verifyTypes(op, "pattern", "score")))
      return failure();
  }
  return success();
}
