// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recurrences from text, and tensors for them.

#ifndef HEDDLE_TEST_UNIT_REFERENCE_RECURRENCES_H
#define HEDDLE_TEST_UNIT_REFERENCE_RECURRENCES_H

#include "dialect/attn/reference/CompareLinear.h"
#include "test/unit/reference/Patterns.h"

#include <cmath>

namespace heddle::attn::test {

/// exp on query and key rows, so that all weights are positive.
inline constexpr llvm::StringLiteral ExpMaps = R"(
  query(%x, %b, %h, %i, %c) {
    %y = math.exp %x : f32
    attn.features %y
  } key(%x, %b, %h, %i, %c) {
    %y = math.exp %x : f32
    attn.features %y
  })";

/// A factor per head, token and channel from tables of that rank.
inline constexpr llvm::StringLiteral HeadDecay = R"(
  decay(%b, %h, %i) {
    %g = attn.at %gate[%h] : tensor<?xf32>
    attn.decay %g
  })";
inline constexpr llvm::StringLiteral TokenDecay = R"(
  decay(%b, %h, %i) {
    %g = attn.at %gate[%h, %i] : tensor<?x?xf32>
    attn.decay %g
  })";
inline constexpr llvm::StringLiteral ChannelDecay = R"(
  decay(%b, %h, %i, %c) {
    %g = attn.at %gate[%h, %i, %c] : tensor<?x?x?xf32>
    attn.decay %g
  })";
inline constexpr llvm::StringLiteral TokenDelta = R"(
  delta(%b, %h, %i) {
    %t = attn.at %beta[%h, %i] : tensor<?x?xf32>
    attn.delta %t
  })";

class Recurrences : protected Patterns {
protected:
  /// "@r" with a parameter list, "(%w: index)" or "", and clauses.
  Recurrence recurrence(llvm::StringRef Params, llvm::StringRef Clauses) {
    return recurrence(("attn.recurrence @r" + Params + " " + Clauses).str());
  }

  /// The last operation of `Text`.
  Recurrence recurrence(llvm::StringRef Text) {
    Module = mlir::parseSourceString<mlir::ModuleOp>(
        Text, mlir::ParserConfig(&Context), "test.mlir");
    EXPECT_TRUE(Module) << (Errors.empty() ? "" : Errors.front());
    mlir::FailureOr<Recurrence> Out = Recurrence::compile(
        mlir::cast<RecurrenceOp>(Module->getBody()->back()));
    EXPECT_TRUE(mlir::succeeded(Out)) << (Errors.empty() ? "" : Errors.front());
    return *Out;
  }

private:
  mlir::OwningOpRef<mlir::ModuleOp> Module;
};

/// Random rows of q, k and v.
struct LinearRows {
  LinearRows(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Queries,
             int64_t Keys, int64_t Depth, int64_t Width, uint64_t Seed = 1)
      : Q(Batch, HeadsQ, Queries, Depth), K(Batch, HeadsKv, Keys, Depth),
        V(Batch, HeadsKv, Keys, Width) {
    Q.randomise(Seed);
    K.randomise(Seed + 1);
    V.randomise(Seed + 2);
  }

  LinearProblem problem(double Scale = 1, OperandList Params = {}) {
    LinearProblem Out;
    Out.Q = Q.view();
    Out.K = K.view();
    Out.V = V.view();
    Out.Scale = Scale;
    Out.Params = std::move(Params);
    return Out;
  }

  Tensor Q, K, V;
};

/// A table of numbers in [Low, High).
inline Operand randomTable(std::vector<int64_t> Shape, double Low, double High,
                           uint64_t Seed = 7) {
  int64_t Count = 1;
  for (int64_t Extent : Shape)
    Count *= Extent;
  Tensor Numbers(1, 1, 1, Count);
  Numbers.randomise(Seed);
  std::vector<double> Values;
  for (float X : Numbers.Data)
    Values.push_back(Low + (High - Low) * (static_cast<double>(X) + 1) / 2);
  return Operand::reals(std::move(Shape), std::move(Values));
}

/// The result on one thread; an empty one, and a failed test, when there is
/// none.
inline LinearResult evaluate(const Recurrence &What,
                             const LinearProblem &Problem,
                             LinearForm Form = LinearForm::Recurrent) {
  llvm::Expected<LinearResult> Result =
      evaluateLinear(What, Problem, {Form, 1});
  if (Result)
    return std::move(*Result);
  ADD_FAILURE() << llvm::toString(Result.takeError());
  return {};
}

inline std::string failure(const Recurrence &What,
                           const LinearProblem &Problem) {
  llvm::Expected<LinearResult> Result = evaluateLinear(What, Problem);
  return Result ? "" : llvm::toString(Result.takeError());
}

/// Whether numbers are equal but for the rounding of doubles, relative to
/// scales of rows of `Width` of them.
inline testing::AssertionResult agree(const std::vector<double> &A,
                                      const std::vector<double> &B,
                                      const std::vector<double> &Scales,
                                      size_t Width) {
  if (A.size() != B.size() || A.size() != Scales.size() * Width)
    return testing::AssertionFailure() << "sizes differ";
  for (size_t I = 0; I < A.size(); ++I)
    if (!(std::fabs(A[I] - B[I]) <= 1e-11 * Scales[I / Width] + 1e-300))
      return testing::AssertionFailure()
             << "element " << I << " is " << A[I] << " and " << B[I];
  return testing::AssertionSuccess();
}

/// Everything but the scales.
inline testing::AssertionResult agree(const LinearResult &A,
                                      const LinearResult &B) {
  const size_t Width = static_cast<size_t>(A.Width);
  if (testing::AssertionResult O = agree(A.O, B.O, A.OScale, Width); !O)
    return O << " of o";
  if (testing::AssertionResult S = agree(A.State, B.State, A.StateScale, Width);
      !S)
    return S << " of the state";
  if (testing::AssertionResult S = agree(A.Sums, B.Sums, A.SumsScale, 1); !S)
    return S << " of the sums";
  if (A.KeptPairs != B.KeptPairs)
    return testing::AssertionFailure() << "pairs differ";
  return testing::AssertionSuccess();
}

} // namespace heddle::attn::test

#endif // HEDDLE_TEST_UNIT_REFERENCE_RECURRENCES_H
