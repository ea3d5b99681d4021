// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form of #attn.formula, #attn.list and #attn.read; the grammar stands in
// AttnAttrs.td.

#include "dialect/attn/Formula.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace heddle::attn;

/// Parameters a formula in text may name: p0 … p255.
static constexpr unsigned kMaxTextParams = 256;

/// The names of coordinates, by dimension.
static constexpr StringLiteral kDimNames[] = {"b",  "h",  "q",  "k",
                                              "q1", "k1", "q2", "k2"};

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printExpr(AsmPrinter &printer, AffineExpr expr, bool nested);

/// `p0[b, q]`
static void printAccess(AsmPrinter &printer, unsigned param,
                        ArrayRef<AffineExpr> indices) {
  printer << "p" << param << "[";
  llvm::interleaveComma(indices, printer, [&](AffineExpr index) {
    printExpr(printer, index, false);
  });
  printer << "]";
}

static void printLeaf(AsmPrinter &printer, AffineExpr expr) {
  if (ReadAttr read = getRead(expr)) {
    printAccess(printer, read.getParam(), read.getIndices());
  } else if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    printer << kDimNames[dim.getPosition()];
  } else if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
    if (symbol.getPosition() == kNumKeysSymbol)
      printer << "n";
    else
      printer << "p" << symbol.getPosition() - 1;
  } else {
    printer << cast<AffineConstantExpr>(expr).getValue();
  }
}

static void printBinary(AsmPrinter &printer, AffineBinaryOpExpr expr) {
  AffineExpr rhs = expr.getRHS();
  switch (expr.getKind()) {
  case AffineExprKind::Add: {
    printExpr(printer, expr.getLHS(), false);
    // a + b * -c reads better as a - b * c.
    if (auto product = dyn_cast<AffineBinaryOpExpr>(rhs);
        product && product.getKind() == AffineExprKind::Mul)
      if (auto factor = dyn_cast<AffineConstantExpr>(product.getRHS());
          factor && factor.getValue() < 0) {
        printer << " - ";
        AffineExpr positive = product.getLHS() * -factor.getValue();
        return printExpr(printer, positive, true);
      }
    if (auto constant = dyn_cast<AffineConstantExpr>(rhs);
        constant && constant.getValue() < 0) {
      printer << " - " << -constant.getValue();
      return;
    }
    printer << " + ";
    return printExpr(printer, rhs, true);
  }
  case AffineExprKind::Mul:
    if (auto factor = dyn_cast<AffineConstantExpr>(rhs);
        factor && factor.getValue() == -1) {
      printer << "-";
      return printExpr(printer, expr.getLHS(), true);
    }
    printExpr(printer, expr.getLHS(), true);
    printer << " * ";
    return printExpr(printer, rhs, true);
  default:
    printExpr(printer, expr.getLHS(), true);
    printer << (expr.getKind() == AffineExprKind::Mod        ? " mod "
                : expr.getKind() == AffineExprKind::FloorDiv ? " floordiv "
                                                             : " ceildiv ");
    return printExpr(printer, rhs, true);
  }
}

static void printExpr(AsmPrinter &printer, AffineExpr expr, bool nested) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return printLeaf(printer, expr);
  if (nested)
    printer << "(";
  printBinary(printer, binary);
  if (nested)
    printer << ")";
}

static void printBounds(AsmPrinter &printer, ArrayRef<AffineExpr> bounds,
                        StringRef combine, StringRef open) {
  auto print = [&](AffineExpr expr) { printExpr(printer, expr, false); };
  if (bounds.empty()) {
    printer << open;
  } else if (bounds.size() == 1) {
    print(bounds.front());
  } else {
    printer << combine << "(";
    llvm::interleaveComma(bounds, printer, print);
    printer << ")";
  }
}

static void printFormula(AsmPrinter &printer, FormulaAttr formula) {
  switch (formula.getKind()) {
  case FormulaKind::Never:
  case FormulaKind::Always:
    printer << stringifyFormulaKind(formula.getKind());
    return;
  case FormulaKind::All:
  case FormulaKind::Any:
    printer << stringifyFormulaKind(formula.getKind()) << "(";
    llvm::interleaveComma(
        formula.getChildren(), printer,
        [&](FormulaAttr child) { printFormula(printer, child); });
    printer << ")";
    return;
  case FormulaKind::Between:
    printExpr(printer, formula.getForm(), false);
    printer << " in interval<";
    printBounds(printer, formula.getLows(), "max", "-inf");
    printer << ", ";
    printBounds(printer, formula.getHighs(), "min", "inf");
    printer << ">";
    return;
  case FormulaKind::Member:
    printExpr(printer, formula.getForm(), false);
    printer << (formula.getNegated() ? " not in " : " in ");
    if (auto list = dyn_cast<ListAttr>(formula.getSet()))
      printAccess(printer, list.getParam(), list.getIndices());
    else if (auto residue = dyn_cast<ResidueAttr>(formula.getSet()))
      printer << "residue<" << residue.getRemainder() << ", "
              << residue.getModulus() << ">";
    else
      printer << "pow2";
    return;
  }
}

void ListAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printAccess(printer, getParam(), getIndices());
  printer << ">";
}

void ReadAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printAccess(printer, getParam(), getIndices());
  printer << ">";
}

void FormulaAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printFormula(printer, *this);
  printer << ">";
}

//===----------------------------------------------------------------------===//
// Parsing
//===----------------------------------------------------------------------===//

namespace {
/// Recursive descent over the grammar. Every method returns failure after an
/// error was emitted.
class FormulaParser {
public:
  explicit FormulaParser(AsmParser &parser)
      : parser(parser), context(parser.getContext()) {}

  /// `p0[b, q]`, the name included.
  FailureOr<std::pair<unsigned, SmallVector<AffineExpr>>> parseAccess() {
    SMLoc loc = parser.getCurrentLocation();
    StringRef name;
    std::optional<unsigned> param;
    if (succeeded(parser.parseOptionalKeyword(&name)))
      param = paramNumber(name);
    if (!param) {
      parser.emitError(loc) << "expected a parameter 'p0', 'p1', …";
      return failure();
    }
    FailureOr<SmallVector<AffineExpr>> indices = parseIndices();
    if (failed(indices))
      return failure();
    return std::pair(*param, *indices);
  }

  FailureOr<FormulaAttr> parseFormula() {
    if (succeeded(parser.parseOptionalKeyword("true")))
      return getAlways(context);
    if (succeeded(parser.parseOptionalKeyword("false")))
      return getNever(context);
    bool isAll = succeeded(parser.parseOptionalKeyword("all"));
    if (isAll || succeeded(parser.parseOptionalKeyword("any"))) {
      SmallVector<FormulaAttr> children;
      auto parseChild = [&]() -> ParseResult {
        FailureOr<FormulaAttr> child = parseFormula();
        if (failed(child))
          return failure();
        children.push_back(*child);
        return success();
      };
      if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren,
                                         parseChild))
        return failure();
      return isAll ? getAll(context, children) : getAny(context, children);
    }
    return parseAtom();
  }

private:
  FailureOr<FormulaAttr> parseAtom() {
    FailureOr<AffineExpr> form = parseExpr();
    if (failed(form))
      return failure();
    bool negated = succeeded(parser.parseOptionalKeyword("not"));
    if (parser.parseKeyword("in"))
      return failure();
    if (succeeded(parser.parseOptionalKeyword("pow2")))
      return getMember(*form, Pow2Attr::get(context), negated);
    if (succeeded(parser.parseOptionalKeyword("residue"))) {
      int64_t remainder, modulus;
      SMLoc loc = parser.getCurrentLocation();
      if (parser.parseLess() || parser.parseInteger(remainder) ||
          parser.parseComma() || parser.parseInteger(modulus) ||
          parser.parseGreater())
        return failure();
      auto set = ResidueAttr::getChecked([&] { return parser.emitError(loc); },
                                         context, remainder, modulus);
      if (!set)
        return failure();
      return getMember(*form, set, negated);
    }
    SMLoc setLoc = parser.getCurrentLocation();
    SmallVector<AffineExpr> lows, highs;
    if (failed(parser.parseOptionalKeyword("interval"))) {
      StringRef name;
      std::optional<unsigned> param;
      if (succeeded(parser.parseOptionalKeyword(&name)))
        param = paramNumber(name);
      if (!param) {
        parser.emitError(setLoc)
            << "expected 'interval', 'residue', 'pow2' or a set 'p0[…]'";
        return failure();
      }
      FailureOr<SmallVector<AffineExpr>> indices = parseIndices();
      if (failed(indices))
        return failure();
      return getMember(*form, ListAttr::get(context, *param, *indices),
                       negated);
    }
    if (parser.parseLess() || parseBounds(lows, "max") || parser.parseComma() ||
        parseBounds(highs, "min") || parser.parseGreater())
      return failure();
    FormulaAttr atom = getBetween(*form, lows, highs);
    return negated ? getNot(atom) : atom;
  }

  ParseResult parseBounds(SmallVectorImpl<AffineExpr> &bounds,
                          StringRef combine) {
    if (succeeded(parser.parseOptionalKeyword("inf")))
      return success();
    if (succeeded(parser.parseOptionalKeyword(combine)))
      return parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren,
                                            [&] { return parseBound(bounds); });
    return parseBound(bounds);
  }

  ParseResult parseBound(SmallVectorImpl<AffineExpr> &bounds) {
    // `-inf` is an open end; anything else that starts with a minus is the
    // negation of an expression.
    SMLoc loc = parser.getCurrentLocation();
    bool negated = succeeded(parser.parseOptionalMinus());
    if (negated && succeeded(parser.parseOptionalKeyword("inf")))
      return success();
    FailureOr<AffineExpr> bound = parseExpr(negated);
    if (failed(bound))
      return failure();
    if (varies(*bound))
      return parser.emitError(loc)
             << "expected a bound that reads neither 'q' nor 'k'";
    bounds.push_back(*bound);
    return success();
  }

  /// `negated`: a leading minus was consumed; it binds to the first term.
  FailureOr<AffineExpr> parseExpr(bool negated = false) {
    SMLoc loc = parser.getCurrentLocation();
    FailureOr<AffineExpr> sum = parseProduct();
    if (failed(sum))
      return failure();
    AffineExpr result = negated ? -*sum : *sum;
    while (true) {
      bool isPlus = succeeded(parser.parseOptionalPlus());
      if (!isPlus && failed(parser.parseOptionalMinus()))
        break;
      FailureOr<AffineExpr> term = parseProduct();
      if (failed(term))
        return failure();
      result = isPlus ? result + *term : result - *term;
    }
    if (magnitude(result) >= kExpressionLimit) {
      parser.emitError(loc) << "expected an expression that fits 58 bits for "
                               "coordinates below 2^31";
      return failure();
    }
    return result;
  }

  /// Factors joined by `*`, `floordiv`, `ceildiv`, `mod`.
  FailureOr<AffineExpr> parseProduct() {
    SMLoc loc = parser.getCurrentLocation();
    FailureOr<AffineExpr> first = parseFactor();
    if (failed(first))
      return failure();
    AffineExpr result = *first;
    while (true) {
      enum { Times, Floor, Ceil, Mod } kind;
      if (succeeded(parser.parseOptionalStar()))
        kind = Times;
      else if (succeeded(parser.parseOptionalKeyword("floordiv")))
        kind = Floor;
      else if (succeeded(parser.parseOptionalKeyword("ceildiv")))
        kind = Ceil;
      else if (succeeded(parser.parseOptionalKeyword("mod")))
        kind = Mod;
      else
        return result;
      FailureOr<AffineExpr> factor = parseFactor();
      if (failed(factor))
        return failure();
      auto constant = dyn_cast<AffineConstantExpr>(*factor);
      bool ok = kind == Times ? constant || isa<AffineConstantExpr>(result)
                              : constant && constant.getValue() > 0;
      if (!ok) {
        parser.emitError(loc)
            << "expected products and divisions with constants "
               "only, and positive divisors";
        return failure();
      }
      result = kind == Times   ? result * *factor
               : kind == Floor ? result.floorDiv(*factor)
               : kind == Ceil  ? result.ceilDiv(*factor)
                               : result % *factor;
      if (magnitude(result) >= kExpressionLimit) {
        parser.emitError(loc) << "expected an expression that fits 58 bits "
                                 "for coordinates below 2^31";
        return failure();
      }
    }
  }

  FailureOr<AffineExpr> parseFactor() {
    SMLoc loc = parser.getCurrentLocation();
    if (succeeded(parser.parseOptionalMinus())) {
      FailureOr<AffineExpr> factor = parseFactor();
      if (failed(factor))
        return failure();
      return -*factor;
    }
    if (succeeded(parser.parseOptionalLParen())) {
      FailureOr<AffineExpr> inner = parseExpr();
      if (failed(inner) || parser.parseRParen())
        return failure();
      return inner;
    }
    int64_t value;
    OptionalParseResult number = parser.parseOptionalInteger(value);
    if (number.has_value()) {
      if (failed(*number))
        return failure();
      return getAffineConstantExpr(value, context);
    }
    StringRef name;
    if (succeeded(parser.parseOptionalKeyword(&name))) {
      for (auto [dim, known] : llvm::enumerate(kDimNames))
        if (name == known)
          return getAffineDimExpr(dim, context);
      if (name == "n")
        return getAffineSymbolExpr(kNumKeysSymbol, context);
      if (std::optional<unsigned> param = paramNumber(name)) {
        if (failed(parser.parseOptionalLSquare()))
          return getAffineSymbolExpr(paramSymbol(*param), context);
        FailureOr<SmallVector<AffineExpr>> indices =
            parseIndices(/*opened=*/true);
        if (failed(indices))
          return failure();
        return readLeaf(ReadAttr::get(context, *param, *indices));
      }
    }
    parser.emitError(loc) << "expected an integer, a coordinate ('b', 'h', "
                             "'q', 'k', 'q1', …), 'n' or a parameter 'p0', "
                             "'p1', …";
    return failure();
  }

  FailureOr<SmallVector<AffineExpr>> parseIndices(bool opened = false) {
    SmallVector<AffineExpr> indices;
    if (!opened && parser.parseLSquare())
      return failure();
    if (succeeded(parser.parseOptionalRSquare()))
      return indices;
    do {
      FailureOr<AffineExpr> index = parseExpr();
      if (failed(index))
        return failure();
      indices.push_back(canonicalize(*index));
    } while (succeeded(parser.parseOptionalComma()));
    if (parser.parseRSquare())
      return failure();
    return indices;
  }

  static std::optional<unsigned> paramNumber(StringRef name) {
    unsigned number;
    if (!name.consume_front("p") || name.getAsInteger(10, number) ||
        number >= kMaxTextParams)
      return std::nullopt;
    return number;
  }

  AsmParser &parser;
  MLIRContext *context;
};
} // namespace

/// `<p0[b, q]>`
template <typename Access> static Attribute parseAccessAttr(AsmParser &parser) {
  if (parser.parseLess())
    return {};
  auto access = FormulaParser(parser).parseAccess();
  if (failed(access) || parser.parseGreater())
    return {};
  return Access::get(parser.getContext(), access->first, access->second);
}

Attribute ListAttr::parse(AsmParser &parser, Type) {
  return parseAccessAttr<ListAttr>(parser);
}

Attribute ReadAttr::parse(AsmParser &parser, Type) {
  return parseAccessAttr<ReadAttr>(parser);
}

Attribute FormulaAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<FormulaAttr> formula = FormulaParser(parser).parseFormula();
  if (failed(formula) || parser.parseGreater())
    return {};
  return *formula;
}
