// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/Attn.h"
#include "dialect/attn/Formula.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::attn;

/// `, packed = true`, `, tf32 = true`, `, state = #attn.state<…>`: what an
/// entry may end in.
static ParseResult parseEntryOptions(AsmParser &parser, bool &packed,
                                     bool &tf32, StateAttr &state) {
  while (succeeded(parser.parseOptionalComma())) {
    StringRef word;
    SMLoc loc = parser.getCurrentLocation();
    if (parser.parseKeyword(&word) || parser.parseEqual())
      return failure();
    if (word == "packed" || word == "tf32") {
      FailureOr<bool> value = FieldParser<bool>::parse(parser);
      if (failed(value))
        return failure();
      (word == "packed" ? packed : tf32) = *value;
    } else if (word == "state") {
      if (parser.parseCustomAttributeWithFallback(state))
        return failure();
    } else {
      return parser.emitError(loc)
             << "expected 'packed', 'tf32' or 'state', found '" << word << "'";
    }
  }
  return success();
}

static void printEntryOptions(AsmPrinter &printer, bool packed, bool tf32,
                              StateAttr state) {
  if (packed)
    printer << ", packed = true";
  if (tf32)
    printer << ", tf32 = true";
  if (state) {
    printer << ", state = ";
    printer.printStrippedAttrOrType(state);
  }
}

/// The end of a schedule: boxes, where there are axes, stages, where a target
/// has some, and heads, where a task takes several.
static ParseResult parseScheduleEnd(AsmParser &parser,
                                    SmallVector<int64_t> &queries,
                                    SmallVector<int64_t> &keys, int64_t &stages,
                                    int64_t &heads) {
  heads = 1;
  auto parseBox = [&](SmallVector<int64_t> &box) {
    return parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
      return parser.parseInteger(box.emplace_back());
    });
  };
  if (failed(parser.parseOptionalComma()))
    return success();
  if (succeeded(parser.parseOptionalKeyword("query_box"))) {
    if (parser.parseEqual() || parseBox(queries) || parser.parseComma() ||
        parser.parseKeyword("key_box") || parser.parseEqual() || parseBox(keys))
      return failure();
    if (failed(parser.parseOptionalComma()))
      return success();
  }
  if (succeeded(parser.parseOptionalKeyword("heads")))
    return failure(parser.parseEqual() || parser.parseInteger(heads));
  if (parser.parseKeyword("stages") || parser.parseEqual() ||
      parser.parseInteger(stages))
    return failure();
  if (failed(parser.parseOptionalComma()))
    return success();
  return failure(parser.parseKeyword("heads") || parser.parseEqual() ||
                 parser.parseInteger(heads));
}

static void printScheduleEnd(AsmPrinter &printer, ArrayRef<int64_t> queries,
                             ArrayRef<int64_t> keys, int64_t stages,
                             int64_t heads) {
  auto print = [&](StringRef name, ArrayRef<int64_t> box) {
    printer << ", " << name << " = [";
    llvm::interleaveComma(box, printer);
    printer << "]";
  };
  if (!queries.empty()) {
    print("query_box", queries);
    print("key_box", keys);
  }
  if (stages != 0)
    printer << ", stages = " << stages;
  if (heads != 1)
    printer << ", heads = " << heads;
}

#include "dialect/attn/AttnDialect.cpp.inc"
#include "dialect/attn/AttnEnums.cpp.inc"
#include "dialect/attn/AttnInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/attn/AttnAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/attn/AttnTypes.cpp.inc"

void AttnDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialect/attn/AttnOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/attn/AttnAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/attn/AttnTypes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

/// One end of an interval: an integer, or `inf` with the sign that leaves the
/// end open.
static ParseResult parseEnd(AsmParser &parser, bool isLow,
                            std::optional<int64_t> &end) {
  SMLoc loc = parser.getCurrentLocation();
  bool negative = succeeded(parser.parseOptionalMinus());
  if (succeeded(parser.parseOptionalKeyword("inf"))) {
    if (negative == isLow)
      return success();
    return parser.emitError(loc)
           << "expected '" << (isLow ? "-inf" : "inf") << "' or an integer as "
           << (isLow ? "lower" : "upper") << " end of an interval, found '"
           << (isLow ? "inf" : "-inf") << "'";
  }
  int64_t value;
  if (parser.parseInteger(value))
    return failure();
  if (negative && value < 0)
    return parser.emitError(loc) << "expected one minus sign, found two";
  end = negative ? -value : value;
  return success();
}

Attribute IntervalAttr::parse(AsmParser &parser, Type) {
  std::optional<int64_t> lo, hi;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parseEnd(parser, /*isLow=*/true, lo) ||
      parser.parseComma() || parseEnd(parser, /*isLow=*/false, hi) ||
      parser.parseGreater())
    return {};
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    lo, hi);
}

void IntervalAttr::print(AsmPrinter &printer) const {
  printer << "<";
  getLo() ? printer << *getLo() : printer << "-inf";
  printer << ", ";
  getHi() ? printer << *getHi() : printer << "inf";
  printer << ">";
}

/// Largest magnitude of a number in a set: kExpressionLimit, exactly.
static constexpr int64_t kSetLimit = int64_t(1) << 58;

LogicalResult IntervalAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   std::optional<int64_t> lo,
                                   std::optional<int64_t> hi) {
  if (lo && hi && *lo > *hi)
    return emitError() << "[interval-1] expected an interval's lower end to be "
                          "at most its upper end, found "
                       << *lo << " and " << *hi;
  for (std::optional<int64_t> end : {lo, hi})
    if (end && (*end > kSetLimit || *end < -kSetLimit))
      return emitError() << "[interval-2] expected an interval's ends to be at "
                            "most 2^58 in magnitude, found "
                         << *end;
  return success();
}

LogicalResult ResidueAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  int64_t remainder, int64_t modulus) {
  if (modulus < 1 || modulus > kSetLimit)
    return emitError() << "[residue-1] expected a modulus in [1, 2^58], found "
                       << modulus;
  if (remainder < 0 || remainder >= modulus)
    return emitError() << "[residue-2] expected a remainder in [0, " << modulus
                       << "), found " << remainder;
  return success();
}

unsigned AttnDialect::getReadNumber(ReadAttr read) {
  std::lock_guard<std::mutex> lock(readMutex);
  auto [it, isNew] = readNumbers.try_emplace(read, reads.size());
  if (isNew)
    reads.push_back(read);
  return it->second;
}

ReadAttr AttnDialect::getRead(unsigned number) {
  std::lock_guard<std::mutex> lock(readMutex);
  return cast<ReadAttr>(reads[number]);
}

LogicalResult
NormalizerAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       NormalizerKind kind, int64_t group,
                       std::optional<unsigned> sink) {
  bool grouped = kind == NormalizerKind::Grouped;
  if (grouped ? group < 2 || group > 512 : group != 0)
    return emitError() << "[normalizer-1] expected a group size in [2, 512] "
                          "for 'grouped' and 0 otherwise, found "
                       << group << " for '" << stringifyNormalizerKind(kind)
                       << "'";
  if (sink && kind != NormalizerKind::Softmax)
    return emitError() << "[normalizer-2] expected a sink with 'softmax' only, "
                          "found one with '"
                       << stringifyNormalizerKind(kind) << "'";
  return success();
}

LogicalResult OutputsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                  bool, bool, int64_t blockQ, int64_t blockK) {
  bool none = blockQ == 0 && blockK == 0;
  if (!none && (blockQ < 1 || blockQ > 512 || blockK < 1 || blockK > 512))
    return emitError() << "[outputs-1] expected block sizes in [1, 512], or 0 "
                          "by 0 for none, found "
                       << blockQ << " by " << blockK;
  return success();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   int64_t queryTile, int64_t keyTile,
                                   int64_t rows, int64_t lanes, int64_t unroll,
                                   ArrayRef<int64_t> queryBox,
                                   ArrayRef<int64_t> keyBox, int64_t stages,
                                   int64_t heads) {
  for (auto [name, size] : {std::pair("query_tile", queryTile),
                            {"key_tile", keyTile},
                            {"rows", rows},
                            {"lanes", lanes},
                            {"unroll", unroll}})
    if (size < 1)
      return emitError() << "[schedule-1] expected a positive '" << name
                         << "', found " << size;
  if (queryTile % lanes != 0)
    return emitError() << "[schedule-2] expected 'lanes' to divide "
                          "'query_tile', found "
                       << lanes << " and " << queryTile;
  if (keyTile % rows != 0)
    return emitError() << "[schedule-3] expected 'rows' to divide 'key_tile', "
                          "found "
                       << rows << " and " << keyTile;
  if (keyTile % unroll != 0)
    return emitError() << "[schedule-4] expected 'unroll' to divide "
                          "'key_tile', found "
                       << unroll << " and " << keyTile;
  auto holds = [](ArrayRef<int64_t> box, int64_t tile) {
    int64_t size = 1;
    for (int64_t extent : box)
      size = extent < 1 || size > tile ? 0 : size * extent;
    return box.empty() || size == tile;
  };
  if (queryBox.size() != keyBox.size() || queryBox.size() > kNumAxes ||
      !holds(queryBox, queryTile) || !holds(keyBox, keyTile))
    return emitError() << "[schedule-5] expected boxes of at most three axes "
                          "that hold "
                       << queryTile << " queries and " << keyTile << " keys";
  if (stages < 0)
    return emitError() << "[schedule-6] expected 'stages' not to be negative, "
                          "found "
                       << stages;
  if (heads < 1)
    return emitError() << "[schedule-7] expected a positive 'heads', found "
                       << heads;
  return success();
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type ViewType::parse(AsmParser &parser) {
  SmallVector<int64_t> width;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(width, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseGreater())
    return {};
  if (width.size() != 1) {
    parser.emitError(loc) << "expected one extent in a view type, found "
                          << width.size();
    return {};
  }
  return getChecked([&] { return parser.emitError(loc); }, parser.getContext(),
                    width.front(), elementType);
}

void ViewType::print(AsmPrinter &printer) const {
  printer << "<" << getWidth() << "x" << getElementType() << ">";
}

LogicalResult ViewType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t width, Type elementType) {
  if (width < 1)
    return emitError() << "[view-1] expected a positive width, found " << width;
  return success();
}
