// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TEST_UNIT_ATTN_SUPPORT_H
#define HEDDLE_TEST_UNIT_ATTN_SUPPORT_H

#include "dialect/attn/Formula.h"
#include "dialect/attn/Normalize.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

namespace heddle::attn {

/// A context with the dialects of patterns, and short ways to write formulas.
class FormulaFixture : public testing::Test {
protected:
  FormulaFixture() {
    Context.loadDialect<AttnDialect, mlir::arith::ArithDialect>();
  }

  /// The formula written as in `#attn.formula<…>`, without the brackets.
  FormulaAttr formula(const std::string &Text) {
    auto Parsed = mlir::parseAttribute("#attn.formula<" + Text + ">", &Context);
    return llvm::cast<FormulaAttr>(Parsed);
  }

  /// Its text, without the brackets.
  static std::string text(FormulaAttr Formula) {
    std::string Result;
    llvm::raw_string_ostream Os(Result);
    Os << Formula;
    constexpr llvm::StringLiteral Prefix = "#attn.formula<";
    return Result.substr(Prefix.size(), Result.size() - Prefix.size() - 1);
  }

  /// The text of the formula of a keep region over %p0 and %p1, or the first
  /// error message.
  std::string normalized(const std::string &Region) {
    std::string Message;
    mlir::ScopedDiagnosticHandler Handler(
        &Context, [&](mlir::Diagnostic &Diagnostic) {
          if (Message.empty())
            Message = "error: " + Diagnostic.str();
        });
    std::string Text = "attn.pattern @p(%p0: index, %p1: index) "
                       "keep(%b, %h, %q, %k) {\n" +
                       Region + "\n}";
    auto Module = mlir::parseSourceString<mlir::ModuleOp>(Text, &Context);
    if (!Module)
      return Message;
    auto Formula = normalize(*Module->getOps<PatternOp>().begin());
    return failed(Formula) ? Message : text(*Formula);
  }

  mlir::MLIRContext Context{mlir::MLIRContext::Threading::DISABLED};
};

} // namespace heddle::attn

#endif // HEDDLE_TEST_UNIT_ATTN_SUPPORT_H
