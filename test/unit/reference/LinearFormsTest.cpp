// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence token by token, pair by pair, and cut in two: one result.

#include "test/unit/reference/Recurrences.h"

#include <algorithm>
#include <functional>

using namespace heddle::attn;
using namespace heddle::attn::test;

namespace {

/// Clauses that may stand together, and values for their parameters.
struct Clauses {
  const char *Name;
  std::string Params;
  std::string Text;
  std::function<OperandList(int64_t Tokens, int64_t Mapped)> Values =
      [](int64_t, int64_t) { return OperandList(); };
  /// Whether q and k may have different lengths, and which may be longer.
  enum { Same, FewerQueries, Any } Lengths = Same;
};

std::string join(std::initializer_list<llvm::StringRef> Parts) {
  std::string Out;
  for (llvm::StringRef Part : Parts)
    Out += " " + Part.str();
  return Out;
}

OperandList perHead(int64_t, int64_t) { return {randomTable({2}, -0.7, 0)}; }
OperandList perToken(int64_t Tokens, int64_t) {
  return {randomTable({2, Tokens}, -0.7, 0)};
}
OperandList perChannel(int64_t Tokens, int64_t Mapped) {
  return {randomTable({2, Tokens, Mapped}, -0.7, 0)};
}
OperandList gateAndBeta(int64_t Tokens, int64_t) {
  return {randomTable({2, Tokens}, -0.7, 0),
          randomTable({2, Tokens}, 0, 0.9, 8)};
}

constexpr llvm::StringLiteral TwoFeatures = R"(
  query(%x, %b, %h, %i, %c) {
    %m = arith.negf %x : f32
    %up = math.exp %x : f32
    %down = math.exp %m : f32
    attn.features %up, %down
  } key(%x, %b, %h, %i, %c) {
    %m = attn.row_max %x
    %d = arith.subf %x, %m : f32
    %e = math.exp %d : f32
    %sum = attn.row_sum %e
    %y = arith.divf %e, %sum : f32
    attn.features %y, %e
  })";
constexpr llvm::StringLiteral ValueAndOutput = R"(
  value(%x, %b, %h, %i, %c) {
    %y = math.tanh %x : f32
    attn.features %y
  } output(%x, %b, %h, %i, %c) {
    %p = arith.index_cast %i : index to i64
    %r = arith.sitofp %p : i64 to f32
    %y = arith.addf %x, %r : f32
    attn.features %y
  })";
constexpr llvm::StringLiteral Gate1 = "(%gate: tensor<?xf32>)";
constexpr llvm::StringLiteral Gate2 = "(%gate: tensor<?x?xf32>)";
constexpr llvm::StringLiteral Gate3 = "(%gate: tensor<?x?x?xf32>)";
constexpr llvm::StringLiteral GateBeta =
    "(%gate: tensor<?x?xf32>, %beta: tensor<?x?xf32>)";

std::vector<Clauses> allClauses() {
  std::vector<Clauses> Out;
  auto Add = [&](const char *Name, llvm::StringRef Params, std::string Text,
                 auto Values) {
    Out.push_back({Name, Params.str(), std::move(Text), Values});
  };
  const auto None = [](int64_t, int64_t) { return OperandList(); };
  for (const char *Normalizer : {"", "normalize sum", "normalize magnitude"}) {
    Add("plain", "", join({ExpMaps, Normalizer}), None);
    Add("two features", "", join({TwoFeatures, ValueAndOutput, Normalizer}),
        None);
    Add("per head", Gate1, join({ExpMaps, HeadDecay, Normalizer}), perHead);
    Add("per token", Gate2,
        join({ExpMaps, ValueAndOutput, TokenDecay, Normalizer}), perToken);
    for (const char *Expand : {"expand power 2", "expand power 3",
                               "expand power 4", "expand taylor"})
      Add(Expand, Gate2, join({ExpMaps, TokenDecay, Expand, Normalizer}),
          perToken);
    Clauses Both = {
        "bidirectional", "",
        join({ExpMaps, ValueAndOutput, Normalizer, "bidirectional"})};
    Both.Lengths = Clauses::Any;
    Out.push_back(Both);
    Both.Name = "bidirectional powers";
    Both.Text = join({ExpMaps, "expand power 2", Normalizer, "bidirectional"});
    Out.push_back(Both);
  }
  for (const char *Normalizer : {"", "normalize sum"}) {
    Add("per channel", Gate3, join({ExpMaps, ChannelDecay, Normalizer}),
        perChannel);
    Add("per channel, two features", Gate3,
        join({TwoFeatures, ChannelDecay, Normalizer}), perChannel);
    for (int64_t Window : {0, 1, 3, 100}) {
      Clauses Near = {
          "window", "(%w: index)",
          join({ExpMaps, "expand taylor", Normalizer, "window(%w)"}),
          [Window](int64_t, int64_t) -> OperandList { return {Window}; }};
      Near.Lengths = Clauses::FewerQueries;
      Out.push_back(Near);
    }
  }
  Add("delta", "(%beta: tensor<?x?xf32>)", join({TokenDelta}),
      [](int64_t Tokens, int64_t) -> OperandList {
        return {randomTable({2, Tokens}, 0, 0.9)};
      });
  for (llvm::StringRef Maps : {llvm::StringRef(), llvm::StringRef(TwoFeatures)})
    for (llvm::StringRef Order : {"", "erase before decay"})
      Add("delta, per channel",
          "(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?xf32>)",
          join({Maps, ChannelDecay, TokenDelta, Order}),
          [](int64_t Tokens, int64_t Mapped) -> OperandList {
            return {randomTable({2, Tokens, Mapped}, -0.7, 0),
                    randomTable({2, Tokens}, 0, 0.9, 8)};
          });
  for (llvm::StringRef Order : {"", "erase before decay"})
    Add("gated delta", GateBeta,
        join({ValueAndOutput, TokenDecay, TokenDelta, Order}), gateAndBeta);
  return Out;
}

/// Views of rows [First, Last).
heddle_view slice(heddle_view View, int64_t First, int64_t Last) {
  View.data = static_cast<float *>(View.data) + First * View.stride[2];
  View.shape[2] = Last - First;
  return View;
}

Tensor asTensor(const std::vector<double> &Values, int64_t Batch, int64_t Heads,
                int64_t Rows, int64_t Width) {
  Tensor Out(Batch, Heads, Rows, Width);
  std::copy(Values.begin(), Values.end(), Out.Data.begin());
  return Out;
}

/// Closer than f32 states and sums are to doubles.
testing::AssertionResult near(double Found, double Expected, double Scale) {
  if (std::fabs(Found - Expected) <= 2e-6 * Scale + 1e-300)
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "found " << Found << ", expected " << Expected;
}

class LinearFormsTest : public testing::Test, protected Recurrences {};

TEST_F(LinearFormsTest, PairsAreTheRecurrence) {
  for (const Clauses &C : allClauses()) {
    const Recurrence What = recurrence(C.Params, C.Text);
    for (auto [Queries, Keys] : {std::pair<int64_t, int64_t>(0, 0),
                                 {1, 1},
                                 {7, 7},
                                 {3, 8},
                                 {0, 5},
                                 {9, 2}}) {
      if (Queries != Keys &&
          (C.Lengths == Clauses::Same ||
           (C.Lengths == Clauses::FewerQueries && Queries > Keys)))
        continue;
      SCOPED_TRACE(C.Text + " with " + std::to_string(Queries) +
                   " queries and " + std::to_string(Keys) + " keys");
      LinearRows Rows(2, 2, 1, Queries, Keys, 4, 3);
      const int64_t Mapped = What.numMapped(4);
      LinearProblem Problem = Rows.problem(0.4, C.Values(Keys + 5, Mapped));
      // Regions see absolute positions.
      const std::vector<int64_t> Origin = {5, 5};
      Problem.Origin = Origin;
      EXPECT_TRUE(agree(evaluate(What, Problem),
                        evaluate(What, Problem, LinearForm::Quadratic)));
      const int64_t StateRows = What.numStateRows(4);
      Tensor State(2, 2, StateRows, 3), Sums(2, 2, StateRows, 1);
      State.randomise(11);
      Sums.randomise(12);
      for (float &X : Sums.Data)
        X += 2;
      Problem.StateIn = State.view();
      if (What.hasSums())
        Problem.SumsIn = Sums.view();
      EXPECT_TRUE(agree(evaluate(What, Problem),
                        evaluate(What, Problem, LinearForm::Quadratic)));
    }
  }
}

TEST_F(LinearFormsTest, CutAnywhereIsUncut) {
  constexpr int64_t Tokens = 9;
  for (const Clauses &C : allClauses()) {
    const Recurrence What = recurrence(C.Params, C.Text);
    if (What.isBidirectional())
      continue;
    LinearRows Rows(1, 2, 2, Tokens, Tokens, 4, 3);
    const LinearProblem Whole =
        Rows.problem(0.4, C.Values(Tokens, What.numMapped(4)));
    const LinearResult Uncut = evaluate(What, Whole);
    const int64_t Window =
        What.window() ? Whole.Params[*What.window()].integer() : 0;
    const int64_t StateRows = What.numStateRows(4);
    for (int64_t Cut = 0; Cut <= Tokens; ++Cut) {
      SCOPED_TRACE(C.Text + " cut at " + std::to_string(Cut));
      LinearProblem First = Whole, Second = Whole;
      First.Q = slice(Whole.Q, 0, Cut);
      First.K = slice(Whole.K, 0, Cut);
      First.V = slice(Whole.V, 0, Cut);
      const LinearResult A = evaluate(What, First);
      Tensor State = asTensor(A.State, 1, 2, StateRows, 3),
             Sums = asTensor(A.Sums.empty() ? A.StateScale : A.Sums, 1, 2,
                             StateRows, 1);
      // The keys of the window again.
      const int64_t FirstKey = std::max<int64_t>(0, Cut - Window);
      Second.Q = slice(Whole.Q, Cut, Tokens);
      Second.K = slice(Whole.K, FirstKey, Tokens);
      Second.V = slice(Whole.V, FirstKey, Tokens);
      Second.StateIn = State.view();
      if (What.hasSums())
        Second.SumsIn = Sums.view();
      const std::vector<int64_t> Origin = {Cut};
      Second.Origin = Origin;
      const LinearResult B = evaluate(What, Second);
      for (int64_t H = 0; H < 2; ++H) {
        for (int64_t I = 0; I < Tokens; ++I)
          for (int64_t T = 0; T < 3; ++T)
            EXPECT_TRUE(near(
                I < Cut ? A.output(0, H, I)[T] : B.output(0, H, I - Cut)[T],
                Uncut.output(0, H, I)[T], Uncut.OScale[Uncut.row(0, H, I)]))
                << "row " << I;
        for (int64_t F = 0; F < StateRows; ++F) {
          const size_t Row = Uncut.stateRow(0, H, F);
          for (size_t T = 0; T < 3; ++T)
            EXPECT_TRUE(near(B.State[Row * 3 + T], Uncut.State[Row * 3 + T],
                             Uncut.StateScale[Row]));
          if (What.hasSums())
            EXPECT_TRUE(
                near(B.Sums[Row], Uncut.Sums[Row], Uncut.SumsScale[Row]));
        }
      }
      EXPECT_EQ(A.KeptPairs + B.KeptPairs +
                    2 * (Tokens - Cut) * (Cut - FirstKey > 0 ? FirstKey : Cut),
                Uncut.KeptPairs);
    }
  }
}

TEST_F(LinearFormsTest, SequencesOfARaggedBatchAreAlone) {
  const std::vector<int64_t> Offsets = {0, 3, 3, 8};
  for (const Clauses &C : allClauses()) {
    SCOPED_TRACE(C.Text);
    const Recurrence What = recurrence(C.Params, C.Text);
    LinearRows Rows(1, 2, 1, 8, 8, 4, 3);
    LinearProblem All = Rows.problem(0.4, C.Values(8, What.numMapped(4)));
    LinearProblem Ragged = All;
    for (heddle_view *View : {&Ragged.Q, &Ragged.K, &Ragged.V}) {
      View->shape[0] = 3;
      View->offsets = Offsets.data();
    }
    const LinearResult Together = evaluate(What, Ragged);
    ASSERT_EQ(Together.Batch, 3);
    for (int64_t B = 0; B < 3; ++B) {
      const size_t N = static_cast<size_t>(B);
      LinearProblem One = All;
      One.Q = slice(All.Q, Offsets[N], Offsets[N + 1]);
      One.K = slice(All.K, Offsets[N], Offsets[N + 1]);
      One.V = slice(All.V, Offsets[N], Offsets[N + 1]);
      const LinearResult Alone = evaluate(What, One);
      for (int64_t H = 0; H < 2; ++H) {
        for (int64_t I = 0; I < Alone.Rows; ++I)
          for (int64_t T = 0; T < 3; ++T)
            EXPECT_EQ(Together.output(B, H, I)[T], Alone.output(0, H, I)[T]);
        for (int64_t F = 0; F < Alone.StateRows; ++F)
          for (size_t T = 0; T < 3; ++T)
            EXPECT_EQ(Together.State[Together.stateRow(B, H, F) * 3 + T],
                      Alone.State[Alone.stateRow(0, H, F) * 3 + T]);
      }
    }
  }
}

TEST_F(LinearFormsTest, ThreadsDoNotMatter) {
  const Recurrence What =
      recurrence(Gate2, join({ExpMaps, TokenDecay, "normalize sum"}));
  LinearRows Rows(3, 2, 2, 20, 20, 4, 3);
  const LinearProblem Problem = Rows.problem(1, perToken(20, 4));
  const LinearResult One = evaluate(What, Problem);
  llvm::Expected<LinearResult> Five =
      evaluateLinear(What, Problem, {LinearForm::Recurrent, 5});
  ASSERT_TRUE(static_cast<bool>(Five));
  EXPECT_EQ(One.O, Five->O);
  EXPECT_EQ(One.State, Five->State);
  EXPECT_EQ(One.Sums, Five->Sums);
}

} // namespace
