// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text form of #attn.formula; the grammar stands in AttnAttrs.td.

#include "dialect/attn/Formula.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace heddle::attn;

/// Parameters a formula in text may name: p0 … p63.
static constexpr unsigned kMaxTextParams = 64;

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

static void printLeaf(AsmPrinter &printer, AffineExpr expr) {
  static constexpr char dimNames[] = {'b', 'h', 'q', 'k'};
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    printer << dimNames[dim.getPosition()];
  } else if (auto symbol = dyn_cast<AffineSymbolExpr>(expr)) {
    if (symbol.getPosition() == kNumKeysSymbol)
      printer << "n";
    else
      printer << "p" << symbol.getPosition() - 1;
  } else {
    printer << cast<AffineConstantExpr>(expr).getValue();
  }
}

static void printExpr(AsmPrinter &printer, AffineExpr expr, bool nested);

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
    if (auto residue = dyn_cast<ResidueAttr>(formula.getSet()))
      printer << "residue<" << residue.getRemainder() << ", "
              << residue.getModulus() << ">";
    else
      printer << "pow2";
    return;
  }
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
      : parser(parser), context(parser.getContext()) {
    static constexpr StringLiteral kCoordinates[] = {"b", "h", "q", "k"};
    for (auto [i, name] : llvm::enumerate(kCoordinates))
      names.emplace_back(name, getAffineDimExpr(i, context));
    names.emplace_back("n", getAffineSymbolExpr(kNumKeysSymbol, context));
    for (unsigned i = 0; i < kMaxTextParams; ++i) {
      paramNames.push_back("p" + std::to_string(i));
      paramSymbols.push_back(getAffineSymbolExpr(paramSymbol(i), context));
    }
    for (auto [name, symbol] : llvm::zip(paramNames, paramSymbols))
      names.emplace_back(name, symbol);
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
    SmallVector<AffineExpr> lows, highs;
    if (parser.parseKeyword("interval", ", 'residue' or 'pow2'") ||
        parser.parseLess() || parseBounds(lows, "max") || parser.parseComma() ||
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
    if (uses(*bound, DimQ) || uses(*bound, DimK))
      return parser.emitError(loc)
             << "expected a bound that reads neither 'q' nor 'k'";
    bounds.push_back(*bound);
    return success();
  }

  /// `negated`: a leading minus was consumed; it binds to the first term.
  FailureOr<AffineExpr> parseExpr(bool negated = false) {
    SMLoc loc = parser.getCurrentLocation();
    AffineExpr expr;
    if (parser.parseAffineExpr(names, expr))
      return failure();
    if (negated)
      expr = negateFirstTerm(expr);
    bool pure = expr.isPureAffine();
    expr.walk([&](AffineExpr sub) {
      auto binary = dyn_cast<AffineBinaryOpExpr>(sub);
      if (!binary || sub.getKind() == AffineExprKind::Add ||
          sub.getKind() == AffineExprKind::Mul)
        return;
      auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
      pure = pure && divisor && divisor.getValue() > 0;
    });
    if (!pure) {
      parser.emitError(loc) << "expected products and divisions with constants "
                               "only, and positive divisors";
      return failure();
    }
    if (magnitude(expr) >= kExpressionLimit) {
      parser.emitError(loc) << "expected an expression that fits 58 bits for "
                               "coordinates below 2^31";
      return failure();
    }
    return expr;
  }

  static AffineExpr negateFirstTerm(AffineExpr expr) {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    if (binary && expr.getKind() == AffineExprKind::Add)
      return negateFirstTerm(binary.getLHS()) + binary.getRHS();
    return -expr;
  }

  AsmParser &parser;
  MLIRContext *context;
  SmallVector<std::string> paramNames;
  SmallVector<AffineExpr> paramSymbols;
  SmallVector<std::pair<StringRef, AffineExpr>> names;
};
} // namespace

Attribute FormulaAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<FormulaAttr> formula = FormulaParser(parser).parseFormula();
  if (failed(formula) || parser.parseGreater())
    return {};
  return *formula;
}
