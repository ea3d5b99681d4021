// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "dialect/attn/Params.h"
#include "dialect/attn/Tensors.h"
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

LogicalResult ApplyOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto pattern =
      symbolTable.lookupNearestSymbolFrom<PatternOp>(*this, getPatternAttr());
  if (!pattern)
    return emitOpError(
               "[apply-1] expected the name of an 'attn.pattern', found ")
           << getPatternAttr();
  if (failed(verifyArguments(*this, "apply-1", "pattern", getPatternAttr(),
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
  return verifyArguments(*this, "attention-4", "pattern", getPatternAttr(),
                         getParams().getTypes(), types, symbol->getLoc());
}

LogicalResult AttentionOp::verify() {
  const NamedTensor lse("lse", getLse());
  AttendedTensors tensors{{"q", getQ()}, {"k", getK()}, {"v", getV()},
                          {"o", getO()}, {{lse, 3}},    getOrigin()};
  if (failed(verifyTensors(*this, "attention", tensors)) ||
      failed(verifyAgree(*this, "attention-6", tensors.q, lse, 2, "positions")))
    return failure();
  for (auto [moreK, moreV] : llvm::zip(getMoreK(), getMoreV()))
    for (auto [value, like] :
         {std::pair(moreK, &tensors.k), {moreV, &tensors.v}}) {
      auto more = cast<RankedTensorType>(value.getType());
      if (more.getRank() != 4 ||
          more.getElementType() != like->type.getElementType() ||
          more.getDimSize(3) != like->type.getDimSize(3))
        return emitOpError("[attention-1] expected a further '")
               << like->name << "' like " << like->type << ", found " << more;
    }
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
