// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attn.pattern: its text form and its rules.

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace heddle::attn;

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

StringRef PatternOp::getParamName(unsigned i) {
  return cast<StringAttr>(getParamNames()[i]).getValue();
}

std::optional<int64_t> PatternOp::getParamDefault(unsigned i) {
  if (auto value = dyn_cast<IntegerAttr>(getParamDefaults()[i]))
    return value.getInt();
  return std::nullopt;
}

TypedAttr PatternOp::getDefault(unsigned i) {
  return dyn_cast<TypedAttr>(getParamDefaults()[i]);
}

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

TypeRange PatternOp::getParamTypes() {
  return TypeRange(getBodyRegion().front().getArgumentTypes())
      .take_front(getNumParams());
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

static ParseResult
parseParams(OpAsmParser &parser,
            SmallVectorImpl<OpAsmParser::Argument> &arguments,
            SmallVectorImpl<Attribute> &defaults) {
  Builder &builder = parser.getBuilder();
  return parser.parseCommaSeparatedList([&]() -> ParseResult {
    OpAsmParser::Argument argument;
    if (parser.parseArgument(argument, /*allowType=*/true))
      return failure();
    if (failed(parser.parseOptionalEqual())) {
      defaults.push_back(builder.getUnitAttr());
    } else if (argument.type.isF32()) {
      double value;
      if (parser.parseFloat(value))
        return failure();
      defaults.push_back(builder.getF32FloatAttr(static_cast<float>(value)));
    } else {
      int64_t value;
      if (parser.parseInteger(value))
        return failure();
      defaults.push_back(builder.getI64IntegerAttr(value));
    }
    arguments.push_back(argument);
    return success();
  });
}

namespace {
/// The parameters of a pattern while its text is read.
struct ParamTable {
  ArrayRef<OpAsmParser::Argument> params;

  /// `%name`, one of the parameters; its number.
  ParseResult parse(OpAsmParser &parser, int64_t &number) const {
    OpAsmParser::UnresolvedOperand operand;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseOperand(operand))
      return failure();
    for (auto [i, param] : llvm::enumerate(params))
      if (param.ssaName.name == operand.name &&
          param.ssaName.number == operand.number) {
        number = static_cast<int64_t>(i);
        return success();
      }
    return parser.emitError(loc) << "expected the name of a parameter, found '"
                                 << operand.name << "'";
  }

  /// `(%H x %W)`. The dimension-list keyword `x` is an ordinary word here.
  ParseResult parseGrid(OpAsmParser &parser,
                        SmallVectorImpl<int64_t> &numbers) const {
    if (parser.parseLParen())
      return failure();
    do {
      if (parse(parser, numbers.emplace_back()))
        return failure();
    } while (succeeded(parser.parseOptionalKeyword("x")));
    return parser.parseRParen();
  }
};
} // namespace

/// `softmax`, `softmax sink(%p)`, `grouped 64`, …
static ParseResult parseNormalizer(OpAsmParser &parser,
                                   const ParamTable &params,
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
    if (parser.parseLParen() || params.parse(parser, number) ||
        parser.parseRParen())
      return failure();
    sink = static_cast<unsigned>(number);
  }
  normalizer =
      NormalizerAttr::getChecked([&] { return parser.emitError(loc); },
                                 parser.getContext(), *kind, group, sink);
  return success(static_cast<bool>(normalizer));
}

/// `(%b, %h, %q, %k)`: coordinates, spelled without types since they are always
/// `index`.
static ParseResult
parseCoordinates(OpAsmParser &parser, StringRef region, unsigned expected,
                 StringRef what, Type firstType,
                 SmallVectorImpl<OpAsmParser::Argument> &arguments) {
  SmallVector<OpAsmParser::Argument> coordinates;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseArgumentList(coordinates, OpAsmParser::Delimiter::Paren))
    return failure();
  if (coordinates.size() != expected)
    return parser.emitError(loc)
           << "expected the " << expected << " " << what << " of a " << region
           << " region, found " << coordinates.size();
  for (OpAsmParser::Argument &coordinate : coordinates) {
    coordinate.type =
        firstType ? firstType : parser.getBuilder().getIndexType();
    firstType = {};
    arguments.push_back(coordinate);
  }
  return success();
}

/// A region that ends in `Terminator`. Said here, where the last operation is
/// known, and not by the verifier of blocks, which knows nothing of verdicts.
template <typename Terminator>
static ParseResult parseBody(OpAsmParser &parser, Region &body,
                             ArrayRef<OpAsmParser::Argument> arguments,
                             StringRef region) {
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseRegion(body, arguments))
    return failure();
  if (body.empty() || body.back().empty())
    return parser.emitError(loc)
           << "[pattern-4] expected a " << region << " region that ends in '"
           << Terminator::getOperationName() << "', found an empty one";
  Operation &last = body.back().back();
  if (!isa<Terminator>(last))
    return mlir::emitError(last.getLoc())
           << "[pattern-4] expected a " << region << " region that ends in '"
           << Terminator::getOperationName() << "', found '" << last.getName()
           << "' at its end";
  return success();
}

// attn.pattern @name(%p: index = 64, …) grid(…) keep(%b, %h, %q, %k) { … }
//   score(%s, %b, %h, %q, %k) { … } normalize … rotate(…)
//
// Parameters are arguments of both regions, and coordinates are spelled where
// they are bound, without types. This needs a custom parser.
ParseResult PatternOp::parse(OpAsmParser &parser, OperationState &result) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  SmallVector<OpAsmParser::Argument> params;
  SmallVector<Attribute> names, defaults;
  if (parser.parseSymbolName(name, getSymNameAttrName(result.name),
                             result.attributes))
    return failure();
  if (succeeded(parser.parseOptionalLParen()) &&
      failed(parser.parseOptionalRParen()))
    if (parseParams(parser, params, defaults) || parser.parseRParen())
      return failure();
  for (const OpAsmParser::Argument &argument : params)
    names.push_back(builder.getStringAttr(argument.ssaName.name.drop_front()));
  ParamTable table{params};

  SmallVector<int64_t> queryGrid, keyGrid;
  if (succeeded(parser.parseOptionalKeyword("grid"))) {
    if (table.parseGrid(parser, queryGrid))
      return failure();
    keyGrid = queryGrid;
    if (succeeded(parser.parseOptionalKeyword("keys"))) {
      keyGrid.clear();
      if (table.parseGrid(parser, keyGrid))
        return failure();
    }
  }
  unsigned axes = std::max<size_t>(1, queryGrid.size());

  SmallVector<OpAsmParser::Argument> arguments(params);
  if (parser.parseKeyword("keep") ||
      parseCoordinates(parser, "keep", 2 + 2 * axes,
                       axes == 1 ? "coordinates (batch, head, query, key)"
                                 : "coordinates (batch, head, query axes, key "
                                   "axes)",
                       Type(), arguments))
    return failure();
  result.addAttribute(getParamNamesAttrName(result.name),
                      builder.getArrayAttr(names));
  result.addAttribute(getParamDefaultsAttrName(result.name),
                      builder.getArrayAttr(defaults));
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
      parseBody<KeepOp>(parser, body, arguments, "keep"))
    return failure();

  if (succeeded(parser.parseOptionalKeyword("score"))) {
    arguments.assign(params);
    if (parseCoordinates(parser, "score", 3 + 2 * axes,
                         "arguments (score, batch, head, query, key)",
                         builder.getF32Type(), arguments) ||
        parseBody<ScoreOp>(parser, score, arguments, "score"))
      return failure();
  }
  if (succeeded(parser.parseOptionalKeyword("normalize"))) {
    NormalizerAttr normalizer;
    if (parseNormalizer(parser, table, normalizer))
      return failure();
    result.addAttribute(getNormalizerAttrName(result.name), normalizer);
  }
  if (succeeded(parser.parseOptionalKeyword("rotate"))) {
    int64_t cos, sin;
    if (parser.parseLParen() || table.parse(parser, cos) ||
        parser.parseComma() || table.parse(parser, sin) || parser.parseRParen())
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
  if (numParams) {
    printer << '(';
    for (unsigned i = 0; i < numParams; ++i) {
      printer << (i ? ", " : "") << getParam(i) << ": " << getParamType(i);
      if (auto value = dyn_cast<FloatAttr>(getParamDefaults()[i]))
        printer << " = ", printer.printAttributeWithoutType(value);
      else if (std::optional<int64_t> value = getParamDefault(i))
        printer << " = " << *value;
    }
    printer << ')';
  }
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
  printer << " keep(";
  llvm::interleaveComma(getBody().getArguments().drop_front(numParams), printer,
                        [&](BlockArgument argument) { printer << argument; });
  printer << ")";
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
    printer << " score(";
    llvm::interleaveComma(getScore().getArguments().drop_front(numParams),
                          printer,
                          [&](BlockArgument argument) { printer << argument; });
    printer << ") ";
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

/// Axes a table may have, and indices a set may have.
static constexpr int64_t kMaxTableAxes = 4;
static constexpr size_t kMaxSetIndices = 3;

static bool isParamType(Type type) {
  if (auto table = dyn_cast<RankedTensorType>(type))
    return table.getElementType().isIndex() || table.getElementType().isF32();
  return type.isIndex() || type.isF32() || isa<SetType>(type);
}

/// A table of reals with that many axes.
static bool isRealTable(Type type, int64_t rank) {
  auto table = dyn_cast<RankedTensorType>(type);
  return table && table.getElementType().isF32() && table.getRank() == rank;
}

static LogicalResult verifyParams(PatternOp op) {
  unsigned numParams = op.getNumParams();
  if (op.getParamDefaults().size() != numParams)
    return op.emitOpError("[pattern-2] expected one default or none per "
                          "parameter, found ")
           << op.getParamDefaults().size() << " for " << numParams
           << " parameters";
  llvm::StringSet<> seen;
  for (unsigned i = 0; i < numParams; ++i) {
    if (!seen.insert(op.getParamName(i)).second)
      return op.emitOpError(
                 "[pattern-2] expected distinct parameter names, found '")
             << op.getParamName(i) << "' twice";
    Attribute value = op.getParamDefaults()[i];
    if (!isa<UnitAttr, IntegerAttr, FloatAttr>(value))
      return op.emitOpError("[pattern-2] expected a number or nothing as "
                            "default of parameter '")
             << op.getParamName(i) << "', found " << value;
    if (std::optional<int64_t> constant = op.getParamDefault(i);
        constant && std::abs(static_cast<double>(*constant)) > kCoordinateLimit)
      return op.emitOpError("[pattern-2] expected a default of at most 2^31 in "
                            "magnitude for parameter '")
             << op.getParamName(i) << "', found " << *constant;
  }
  return success();
}

/// The types of parameters, once the region is known to have them.
static LogicalResult verifyParamTypes(PatternOp op) {
  for (unsigned i = 0, e = op.getNumParams(); i < e; ++i) {
    Type type = op.getParamType(i);
    if (!isParamType(type))
      return op.emitOpError("[pattern-1] expected parameter '")
             << op.getParamName(i)
             << "' to be 'index', 'f32', a tensor of either or '!attn.set', "
                "found "
             << type;
    Attribute value = op.getParamDefaults()[i];
    if ((isa<IntegerAttr>(value) && !type.isIndex()) ||
        (isa<FloatAttr>(value) && !type.isF32()))
      return op.emitOpError("[pattern-2] expected no such default for "
                            "parameter '")
             << op.getParamName(i) << "' of type " << type << ", found "
             << value;
    if (auto table = dyn_cast<RankedTensorType>(type))
      if (int64_t rank = table.getRank();
          rank < 1 || rank > kMaxTableAxes ||
          table.getNumDynamicDims() != static_cast<size_t>(rank))
        return op.emitOpError("[pattern-6] expected one to four dynamic axes "
                              "in the table '")
               << op.getParamName(i) << "', found " << type;
  }
  return success();
}

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
  if (failed(verifyParams(*this)))
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
  if (failed(verifyParamTypes(*this)))
    return failure();
  return verifyClauses(*this);
}

/// Integer arithmetic of both regions; what it may be applied to is
/// attn-normalize-pattern's business.
static bool isIntegerArithmetic(Operation &op) {
  return isa<ModOp, NumKeysOp, AtOp, arith::ConstantOp, arith::AddIOp,
             arith::SubIOp, arith::MulIOp, arith::FloorDivSIOp,
             arith::CeilDivSIOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
             arith::RemUIOp, arith::MinSIOp, arith::MaxSIOp, arith::CmpIOp,
             arith::SelectOp, arith::AndIOp, arith::OrIOp, arith::XOrIOp>(op);
}

static bool isAllowedInKeep(Operation &op) {
  return isIntegerArithmetic(op) || isa<KeepOp, InOp, ApplyOp, RequireOp>(op);
}

static bool isAllowedInScore(Operation &op) {
  return isIntegerArithmetic(op) ||
         isa<ScoreOp, arith::AddFOp, arith::SubFOp, arith::MulFOp,
             arith::DivFOp, arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::MaxNumFOp, arith::MinNumFOp, arith::CmpFOp, arith::SIToFPOp,
             arith::IndexCastOp, math::AbsFOp, math::CeilOp, math::FloorOp,
             math::ExpOp, math::Exp2Op, math::LogOp, math::Log2Op, math::SqrtOp,
             math::RsqrtOp, math::TanhOp, math::SinOp, math::CosOp, math::ErfOp,
             math::PowFOp, math::FmaOp>(op);
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
    if (!isAllowedInScore(op))
      return op.emitOpError("[pattern-3] is not allowed in a score region; "
                            "expected arithmetic on 'f32' and 'index' or "
                            "'attn.at'");
    for (Type type : op.getResultTypes())
      if (!type.isIndex() && !type.isInteger(1) && !type.isF32() &&
          !(isa<arith::IndexCastOp>(op) && type.isSignlessInteger()))
        return op.emitOpError("[pattern-3] has type ")
               << type << " in a score region; expected 'f32', 'index' or 'i1'";
  }
  return success();
}
