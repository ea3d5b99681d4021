// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns from text, for the tests of this folder.

#ifndef HEDDLE_TEST_UNIT_REFERENCE_PATTERNS_H
#define HEDDLE_TEST_UNIT_REFERENCE_PATTERNS_H

#include "dialect/attn/reference/Reference.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

#include <limits>
#include <string>
#include <vector>

namespace heddle::attn::test {

inline constexpr double Infinity = std::numeric_limits<double>::infinity();
inline constexpr float NotANumber = std::numeric_limits<float>::quiet_NaN();

/// A context with the dialects of patterns that collects diagnostics.
class Patterns {
public:
  Patterns()
      : Handler(&Context, [this](mlir::Diagnostic &Diag) {
          std::string Text;
          llvm::raw_string_ostream Stream(Text);
          Stream << Diag.getLocation() << ": " << Diag;
          Errors.push_back(Text);
        }) {
    Context.loadDialect<AttnDialect, mlir::arith::ArithDialect,
                        mlir::math::MathDialect>();
  }

  /// The first pattern of `Text`; null, with `Errors` filled, when it is
  /// refused.
  PatternOp parse(llvm::StringRef Text, bool Verify = true) {
    mlir::ParserConfig Config(&Context, Verify);
    Modules.push_back(
        mlir::parseSourceString<mlir::ModuleOp>(Text, Config, "test.mlir"));
    if (!Modules.back())
      return nullptr;
    auto Found = Modules.back()->getOps<PatternOp>();
    return Found.empty() ? nullptr : *Found.begin();
  }

  /// A pattern with the given parameter list, for example "(%w: index)", keep
  /// region, and clauses after it.
  PatternOp pattern(llvm::StringRef Params, llvm::StringRef Body,
                    llvm::StringRef Clauses = "") {
    return parse(("attn.pattern @p" + Params + " keep(%b, %h, %q, %k) {\n" +
                  Body + "\n} " + Clauses)
                     .str());
  }

  Predicate compile(llvm::StringRef Params, llvm::StringRef Body) {
    PatternOp Pattern = pattern(Params, Body);
    EXPECT_TRUE(Pattern) << (Errors.empty() ? "" : Errors.front());
    mlir::FailureOr<Predicate> Out = Predicate::compile(Pattern);
    EXPECT_TRUE(mlir::succeeded(Out));
    return *Out;
  }

  /// Everything that a pattern says, written as above.
  Variant variant(llvm::StringRef Params, llvm::StringRef Body,
                  llvm::StringRef Clauses = "") {
    return compile(pattern(Params, Body, Clauses));
  }

  /// The last operation of `Text`, a pattern or a combination.
  Variant variant(llvm::StringRef Text) {
    EXPECT_TRUE(parse(Text)) << (Errors.empty() ? "" : Errors.front());
    return compile(&Modules.back()->getBody()->back());
  }

  Variant compile(mlir::Operation *Op) {
    EXPECT_TRUE(Op) << (Errors.empty() ? "" : Errors.front());
    mlir::FailureOr<Variant> Out = Variant::compile(Op);
    EXPECT_TRUE(mlir::succeeded(Out)) << (Errors.empty() ? "" : Errors.front());
    return *Out;
  }

  mlir::MLIRContext Context;
  std::vector<std::string> Errors;

private:
  mlir::ScopedDiagnosticHandler Handler;
  std::vector<mlir::OwningOpRef<mlir::ModuleOp>> Modules;
};

/// An f32 tensor with axes (batch, head, position, feature).
struct Tensor {
  Tensor(int64_t B, int64_t H, int64_t S, int64_t D)
      : Shape{B, H, S, D}, Data(static_cast<size_t>(B * H * S * D)) {}

  float &at(int64_t B, int64_t H, int64_t S, int64_t D) {
    return Data[static_cast<size_t>(
        ((B * Shape[1] + H) * Shape[2] + S) * Shape[3] + D)];
  }

  /// Numbers in [-1, 1) that repeat from run to run.
  Tensor &randomise(uint64_t Seed) {
    for (float &X : Data) {
      Seed = Seed * 6364136223846793005ULL + 1442695040888963407ULL;
      X = static_cast<float>(static_cast<int64_t>(Seed >> 40)) / 8388608.0F -
          1.0F;
    }
    return *this;
  }

  heddle_view view() {
    return {Data.data(),
            {Shape[0], Shape[1], Shape[2], Shape[3]},
            {Shape[1] * Shape[2] * Shape[3], Shape[2] * Shape[3], Shape[3], 1},
            nullptr};
  }

  int64_t Shape[4];
  std::vector<float> Data;
};

inline constexpr llvm::StringLiteral CausalBody = R"(
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past)";

inline constexpr llvm::StringLiteral DenseBody = R"(
  %t = arith.constant true
  attn.keep %t)";

inline AttentionProblem problem(Tensor &Q, Tensor &K, Tensor &V,
                                double Scale = 1.0) {
  AttentionProblem Out;
  Out.Q = Q.view();
  Out.K = K.view();
  Out.V = V.view();
  Out.Scale = Scale;
  return Out;
}

/// The answer on one thread; an empty one, and a failed test, when there is
/// none.
inline ReferenceResult compute(const Variant &Pattern,
                               const AttentionProblem &Problem,
                               ReferenceOptions Options = {}) {
  if (Options.Threads == 0)
    Options.Threads = 1;
  llvm::Expected<ReferenceResult> Result =
      computeReference(Pattern, Problem, Options);
  if (Result)
    return std::move(*Result);
  ADD_FAILURE() << llvm::toString(Result.takeError());
  return {};
}

/// The message of the error; empty when there is none.
inline std::string failure(const Variant &Pattern,
                           const AttentionProblem &Problem,
                           const ReferenceOptions &Options = {}) {
  llvm::Expected<ReferenceResult> Result =
      computeReference(Pattern, Problem, Options);
  return Result ? "" : llvm::toString(Result.takeError());
}

} // namespace heddle::attn::test

#endif // HEDDLE_TEST_UNIT_REFERENCE_PATTERNS_H
