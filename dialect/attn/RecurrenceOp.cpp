// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// attn.recurrence: what it says of itself, and its rules.

#include "dialect/attn/Params.h"
#include "dialect/attn/RecurrenceParts.h"
#include "dialect/attn/Regions.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace heddle::attn;

ArrayRef<PartInfo> heddle::attn::listParts() {
  static constexpr StringRef kMapArguments =
      "arguments (element, batch, head, token, feature)";
  static constexpr StringRef kFeatures = FeaturesOp::getOperationName();
  static const PartInfo parts[] = {
      {"query", 5, 0, kMapArguments, kFeatures},
      {"key", 5, 0, kMapArguments, kFeatures},
      {"value", 5, 0, kMapArguments, kFeatures},
      {"output", 5, 0, kMapArguments, kFeatures},
      {"decay", 3, 1, "coordinates (batch, head, token and maybe feature)",
       DecayOp::getOperationName()},
      {"delta", 3, 0, "coordinates (batch, head, token)",
       DeltaOp::getOperationName()},
  };
  return parts;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

LogicalResult ExpandAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ExpandKind kind, int64_t power) {
  bool isPower = kind == ExpandKind::Power;
  if (isPower ? power < 2 || power > 8 : power != 0)
    return emitError() << "[expand-1] expected a power in [2, 8] for 'power' "
                          "and 0 otherwise, found "
                       << power << " for '" << stringifyExpandKind(kind) << "'";
  return success();
}

int64_t ExpandAttr::numFeatures(int64_t mapped) const {
  int64_t count = mapped;
  if (mapped > kMaxFeatures)
    return kMaxFeatures + 1;
  if (getKind() == ExpandKind::Taylor)
    count = 1 + mapped + mapped * (mapped + 1) / 2;
  // C(mapped + i, i + 1) from C(mapped + i - 1, i), which never is larger.
  for (int64_t i = 1; i < getPower() && count <= kMaxFeatures; ++i)
    count = count * (mapped + i) / (i + 1);
  return std::min(count, kMaxFeatures + 1);
}

LogicalResult StateAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                int64_t rows, bool, bool) {
  if (rows < 1)
    return emitError() << "[state-1] expected a positive number of rows, found "
                       << rows;
  return success();
}

//===----------------------------------------------------------------------===//
// Accessors
//===----------------------------------------------------------------------===//

SmallVector<Type> RecurrenceOp::getParamTypes() {
  return llvm::to_vector(getParamTypeList().getAsValueRange<TypeAttr>());
}

unsigned RecurrenceOp::getParamRank(unsigned i) {
  auto table = dyn_cast<RankedTensorType>(getParamType(i));
  return table ? table.getRank() : 0;
}

ExpandAttr RecurrenceOp::getExpand() {
  if (ExpandAttr given = getExpansionAttr())
    return given;
  return ExpandAttr::get(getContext(), ExpandKind::None, 0);
}

unsigned RecurrenceOp::getNumMaps() {
  for (Region *map : {&getQuery(), &getKey()})
    if (!map->empty())
      return map->front().getTerminator()->getNumOperands();
  return 1;
}

DecayKind RecurrenceOp::decayKind() {
  if (!hasDecay())
    return DecayKind::None;
  auto arguments = getOwnArguments(getDecay());
  if (arguments.size() == 4)
    return DecayKind::PerChannel;
  return arguments[2].use_empty() ? DecayKind::Constant : DecayKind::PerToken;
}

bool RecurrenceOp::erasesFirst() {
  return getEraseBeforeDecay() && decayKind() == DecayKind::PerChannel;
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

static LogicalResult verifyRegionArguments(RecurrenceOp op, Region &region,
                                           const PartInfo &part) {
  SmallVector<Type> params = op.getParamTypes();
  TypeRange types = region.front().getArgumentTypes();
  size_t own = part.arguments;
  auto isGood = [&] {
    if (types.size() < params.size() + own ||
        types.size() > params.size() + own + part.optional ||
        types.take_front(params.size()) != TypeRange(params))
      return false;
    TypeRange rest = types.drop_front(params.size());
    return (!part.isMap() || rest.front().isF32()) &&
           llvm::all_of(rest.drop_front(part.isMap()),
                        [](Type type) { return type.isIndex(); });
  };
  if (isGood())
    return success();
  return op.emitOpError("[recurrence-1] expected ")
         << describeRegion(part.name) << " with the parameters and the " << own
         << " " << part.what << ", " << (part.isMap() ? "'f32' and " : "")
         << "'index', found " << types.size() << " arguments";
}

LogicalResult RecurrenceOp::verify() {
  if (failed(verifyParamNames(*this, "recurrence")))
    return failure();
  if (getParamTypeList().size() != getNumParams())
    return emitOpError("[recurrence-2] expected one type per parameter, found ")
           << getParamTypeList().size() << " for " << getNumParams()
           << " parameters";
  for (unsigned i = 0, e = getNumParams(); i < e; ++i)
    if (StringRef name = getParamName(i);
        name.empty() || !llvm::all_of(name, [](char c) {
          return llvm::isAlnum(c) || StringRef("_$.-").contains(c);
        }))
      return emitOpError("[recurrence-2] expected a parameter name of letters "
                         "and digits, found '")
             << name << "'";
  if (failed(verifyParamTypes(*this, "recurrence", /*allowSets=*/false)))
    return failure();
  for (auto [region, part] : llvm::zip((*this)->getRegions(), listParts()))
    if (!region.empty() && failed(verifyRegionArguments(*this, region, part)))
      return failure();
  if (std::optional<uint64_t> window = getWindow();
      window && (*window >= getNumParams() || !getParamType(*window).isIndex()))
    return emitOpError("[recurrence-7] expected a window to be a parameter of "
                       "type 'index'");

  struct Clause {
    bool given;
    StringRef name;
  };
  const Clause decay{hasDecay(), "decay"}, delta{hasDelta(), "delta"},
      value{hasPart(RecurrencePart::Value), "value"},
      output{hasPart(RecurrencePart::Output), "output"},
      perFeature{decayKind() == DecayKind::PerChannel, "decay per feature"},
      expand{!getExpand().isNone(), "expand"},
      normalize{hasSums(), "normalize"},
      magnitude{hasMagnitude(), "normalize magnitude"},
      bidirectional{isBidirectional(), "bidirectional"},
      window{getWindowParam().has_value(), "window"};
  struct Exclusion {
    int rule;
    Clause clause;
    SmallVector<Clause, 5> others;
  };
  const Exclusion exclusions[] = {
      {8, delta, {expand, normalize, bidirectional, window}},
      {9, perFeature, {expand, magnitude}},
      {10, bidirectional, {decay, delta, window}},
      {11, window, {decay, value, output, magnitude}}};
  if (getEraseBeforeDecay() && !hasDelta())
    return emitOpError("[recurrence-12] expected a 'delta' beside 'erase "
                       "before decay'");
  for (const Exclusion &exclusion : exclusions)
    for (const Clause &other : exclusion.others)
      if (exclusion.clause.given && other.given)
        return emitOpError("[recurrence-")
               << exclusion.rule << "] expected no '" << other.name
               << "' beside '" << exclusion.clause.name << "'";
  return success();
}

LogicalResult RecurrenceOp::verifyRegions() {
  for (auto [region, part] : llvm::zip((*this)->getRegions(), listParts())) {
    if (failed(verifyEnd(region, "recurrence", part.name, part.terminator)))
      return failure();
    for (Operation &op : region.getOps()) {
      bool isAllowed = (isArithmetic(op) && !isa<NumKeysOp>(op)) ||
                       isa<RowSumOp, RowMaxOp, ProjectOp>(op) ||
                       (&op == &op.getBlock()->back());
      if (!isAllowed)
        return op.emitOpError("[recurrence-3] is not allowed in ")
               << describeRegion(part.name)
               << "; expected arithmetic on 'f32' and 'index', "
                  "'attn.at', 'attn.row_sum', 'attn.row_max' or "
                  "'attn.project'";
      if (failed(verifyTypes(op, "recurrence", part.name)))
        return failure();
    }
  }
  auto count = [&](RecurrencePart part) -> unsigned {
    Region &region = getPart(part);
    return region.empty() ? 1 : region.front().back().getNumOperands();
  };
  unsigned queries = count(RecurrencePart::Query),
           keys = count(RecurrencePart::Key);
  if (queries != keys || queries == 0)
    return emitOpError("[recurrence-5] expected as many features of a query as "
                       "of a key, at least one, found ")
           << queries << " and " << keys;
  for (RecurrencePart part : {RecurrencePart::Value, RecurrencePart::Output})
    if (count(part) != 1)
      return emitOpError("[recurrence-5] expected one feature per element of ")
             << (part == RecurrencePart::Value ? "a value" : "an output")
             << ", found " << count(part);
  return success();
}

/// `[name-1]`: where the features of a row are at hand.
static LogicalResult verifyPlace(Operation *op, RecurrencePart last,
                                 StringRef expected) {
  unsigned number = op->getParentRegion()->getRegionNumber();
  if (number <= static_cast<unsigned>(last))
    return success();
  return op->emitOpError() << "[" << op->getName().stripDialect()
                           << "-1] expected to stand in a region " << expected
                           << ", found one of '" << listParts()[number].name
                           << "'";
}

LogicalResult RowSumOp::verify() {
  return verifyPlace(*this, RecurrencePart::Output,
                     "'query', 'key', 'value' or 'output'");
}

LogicalResult RowMaxOp::verify() {
  return verifyPlace(*this, RecurrencePart::Output,
                     "'query', 'key', 'value' or 'output'");
}

LogicalResult ProjectOp::verify() {
  if (failed(verifyPlace(*this, RecurrencePart::Key, "'query' or 'key'")))
    return failure();
  unsigned numParams =
      cast<RecurrenceOp>((*this)->getParentOp()).getNumParams();
  auto table = dyn_cast<BlockArgument>(getTable());
  if (!table || table.getArgNumber() >= numParams ||
      !isRealTable(table.getType(), getIndices().size() + 2))
    return emitOpError("[project-2] expected a parameter with two axes more "
                       "than there are indices, ")
           << getIndices().size() + 2 << ", found " << getTable().getType();
  // Arguments after the parameters: element, batch, head, token, feature.
  SmallVector<Value> pending(getIndices());
  llvm::SmallPtrSet<Operation *, 8> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      unsigned number = argument.getArgNumber();
      if (number >= numParams && number != numParams + 1 &&
          number != numParams + 2)
        return emitOpError("[project-3] expected indices that depend on "
                           "parameters, batch and head only");
    } else if (Operation *op = value.getDefiningOp(); seen.insert(op).second) {
      llvm::append_range(pending, op->getOperands());
    }
  }
  return success();
}
