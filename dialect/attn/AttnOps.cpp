// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace heddle::attn;

#define GET_OP_CLASSES
#include "dialect/attn/AttnOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Operations of keep and score regions
//===----------------------------------------------------------------------===//

LogicalResult InOp::verify() {
  if (static_cast<bool>(getSetAttr()) == static_cast<bool>(getList()))
    return emitOpError("[in-1] expected one set, written out or a parameter");
  if (!getList() && !getIndices().empty())
    return emitOpError("[in-1] expected no indices for a set that is written "
                       "out, found ")
           << getIndices().size();
  return success();
}

LogicalResult ModOp::verify() {
  if (static_cast<int64_t>(getModulus()) < 1)
    return emitOpError("[mod-1] expected a positive modulus, found ")
           << static_cast<int64_t>(getModulus());
  return success();
}

LogicalResult AtOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                     Adaptor adaptor,
                                     SmallVectorImpl<Type> &types) {
  types.push_back(
      cast<RankedTensorType>(adaptor.getTable().getType()).getElementType());
  return success();
}

LogicalResult AtOp::verify() {
  int64_t rank = cast<RankedTensorType>(getTable().getType()).getRank();
  if (rank != static_cast<int64_t>(getIndices().size()))
    return emitOpError("[at-1] expected ")
           << rank << " indices, one per axis of the table, found "
           << getIndices().size();
  return success();
}

/// Checks the arguments of a use of a symbol against its parameters.
static LogicalResult verifyArguments(Operation *op, StringRef rule,
                                     FlatSymbolRefAttr symbol,
                                     TypeRange arguments, TypeRange params,
                                     Location defined) {
  auto note = [&](InFlightDiagnostic error) {
    error.attachNote(defined) << "the pattern is defined here";
    return error;
  };
  if (arguments.size() != params.size())
    return note(op->emitOpError() << "[" << rule << "] expected "
                                  << params.size() << " arguments for pattern "
                                  << symbol << ", found " << arguments.size());
  for (auto [i, given, wanted] : llvm::enumerate(arguments, params))
    if (given != wanted)
      return note(op->emitOpError()
                  << "[" << rule << "] expected argument " << i
                  << " of pattern " << symbol << " to be of type " << wanted
                  << ", found " << given);
  return success();
}

LogicalResult ApplyOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto pattern =
      symbolTable.lookupNearestSymbolFrom<PatternOp>(*this, getPatternAttr());
  if (!pattern)
    return emitOpError(
               "[apply-1] expected the name of an 'attn.pattern', found ")
           << getPatternAttr();
  if (failed(verifyArguments(*this, "apply-1", getPatternAttr(),
                             getParams().getTypes(), pattern.getParamTypes(),
                             pattern.getLoc())))
    return failure();
  if (getCoordinates().size() != pattern.getNumCoordinates())
    return (emitOpError("[apply-2] expected ")
            << pattern.getNumCoordinates() << " coordinates for pattern "
            << getPatternAttr() << ", found " << getCoordinates().size())
               .attachNote(pattern.getLoc())
           << "the pattern is defined here";
  return success();
}

//===----------------------------------------------------------------------===//
// attn.combine
//===----------------------------------------------------------------------===//

LogicalResult CombineOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  if (getSources().size() < 2 || getSources().size() > kMaxSources)
    return emitOpError("[combine-1] expected two to ")
           << kMaxSources << " sources, found " << getSources().size();
  struct Known {
    PatternOp pattern;
    unsigned number;
  };
  llvm::StringMap<Known> params;
  PatternOp first;
  for (auto symbol : getSources().getAsRange<FlatSymbolRefAttr>()) {
    auto pattern =
        symbolTable.lookupNearestSymbolFrom<PatternOp>(*this, symbol);
    if (!pattern)
      return emitOpError(
                 "[combine-1] expected the name of an 'attn.pattern', found ")
             << symbol;
    if (!first)
      first = pattern;
    NormalizerAttr normalizer = pattern.getNormalization();
    if (normalizer != first.getNormalization() || normalizer.getSink() ||
        normalizer.getKind() == NormalizerKind::Grouped)
      return emitOpError("[combine-3] expected every source to have the "
                         "normaliser of the first, neither grouped nor with a "
                         "sink, found ")
             << normalizer << " in " << symbol;
    if (pattern.hasGrid())
      return emitOpError("[combine-3] expected sources without a token grid, "
                         "found one in ")
             << symbol;
    for (unsigned i = 0, e = pattern.getNumParams(); i < e; ++i) {
      auto [it, isNew] =
          params.try_emplace(pattern.getParamName(i), Known{pattern, i});
      Known known = it->second;
      if (!isNew &&
          (known.pattern.getParamType(known.number) !=
               pattern.getParamType(i) ||
           known.pattern.getDefault(known.number) != pattern.getDefault(i)))
        return emitOpError("[combine-2] expected parameter '")
               << pattern.getParamName(i) << "' of " << symbol
               << " to have the type and the default that it has in '"
               << known.pattern.getSymName() << "'";
    }
  }
  return success();
}

//===----------------------------------------------------------------------===//
// attn.attention
//===----------------------------------------------------------------------===//

OutputsAttr AttentionOp::getRequestedOutputs() {
  OutputsAttr outputs = getOutputsAttr();
  return outputs ? outputs : OutputsAttr::get(getContext(), false, false, 0, 0);
}

LogicalResult
AttentionOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  Operation *symbol =
      symbolTable.lookupNearestSymbolFrom(*this, getPatternAttr());
  if (!isa_and_present<PatternOp, CombineOp>(symbol))
    return emitOpError("[attention-4] expected the name of an 'attn.pattern' "
                       "or 'attn.combine', found ")
           << getPatternAttr();
  SmallVector<PatternOp> sources;
  if (auto combine = dyn_cast<CombineOp>(symbol)) {
    for (auto name : combine.getSources().getAsRange<FlatSymbolRefAttr>())
      if (auto source =
              symbolTable.lookupNearestSymbolFrom<PatternOp>(combine, name))
        sources.push_back(source);
      else // Its own verifier says so.
        return failure();
  } else {
    sources.push_back(cast<PatternOp>(symbol));
  }
  if (getMoreK().size() + 1 != sources.size() ||
      getMoreV().size() + 1 != sources.size())
    return emitOpError("[attention-4] expected ")
           << sources.size() << " pairs of k and v for " << getPatternAttr()
           << ", found " << getMoreK().size() + 1 << " and "
           << getMoreV().size() + 1;
  SmallVector<Type> types;
  for (const UnitedParam &param : uniteParams(sources))
    types.push_back(sources[param.source].getParamType(param.number));
  return verifyArguments(*this, "attention-4", getPatternAttr(),
                         getParams().getTypes(), types, symbol->getLoc());
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
    Type element = operand.type.getElementType();
    bool isLse = operand.rank == 3;
    if (!element.isF32() && (isLse || (!element.isF16() && !element.isBF16())))
      return emitOpError("[attention-2] expected '")
             << operand.name << "' of element type "
             << (isLse ? "'f32'" : "'f32', 'f16' or 'bf16'") << ", found "
             << element;
  }
  for (const Operand &operand : {k, v})
    if (operand.type.getElementType() != q.type.getElementType())
      return emitOpError("[attention-2] expected '")
             << operand.name << "' of the element type of 'q', "
             << q.type.getElementType() << ", found "
             << operand.type.getElementType();
  for (auto [moreK, moreV] : llvm::zip(getMoreK(), getMoreV()))
    for (auto [value, like] : {std::pair(moreK, &k), {moreV, &v}}) {
      RankedTensorType more = type(value);
      if (more.getRank() != 4 ||
          more.getElementType() != like->type.getElementType() ||
          more.getDimSize(3) != like->type.getDimSize(3))
        return emitOpError("[attention-1] expected a further '")
               << like->name << "' like " << like->type << ", found " << more;
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
  size_t axes = getQueryBox().size();
  if (getKeyBox().size() != axes || getKeyGrid().size() != axes ||
      axes > kNumAxes || getQ0().size() != std::max<size_t>(1, axes))
    return emitOpError("[tiles-3] expected as many query coordinates as axes "
                       "of 'query_box', 'key_box' and 'key_grid', found ")
           << getQ0().size() << ", " << axes << ", " << getKeyBox().size()
           << " and " << getKeyGrid().size();
  return success();
}
