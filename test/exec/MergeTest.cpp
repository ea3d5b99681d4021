// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The merge law of every normaliser (see #attn.normalizer): the keys cut at
// random points, computed piece by piece and merged, give what they give in one
// piece.

#include "test/exec/Kernels.h"

#include <cmath>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr int64_t Queries = 70, Keys = 190, Heads = 3, Width = 24;

/// Keys of [lo, hi) that are not after the query.
std::string pieceText(const std::string &Params, const std::string &Normalize) {
  return "attn.pattern @piece(%lo: index, %hi: index" + Params +
         ") keep(%b, %h, %q, %k) {\n"
         "  %d = arith.subi %q, %k : index\n"
         "  %past = attn.in %d, #attn.interval<0, inf>\n"
         "  %from = arith.cmpi sge, %k, %lo : index\n"
         "  %to = arith.cmpi slt, %k, %hi : index\n"
         "  %inside = arith.andi %from, %to : i1\n"
         "  %kept = arith.andi %past, %inside : i1\n"
         "  attn.keep %kept\n"
         "} " +
         Normalize + "\n";
}

class Merge : public testing::Test {
protected:
  struct Compiled {
    Pattern What;
    Program Kernel;
  };
  Compiled make(const std::string &Text) {
    auto What = Pattern::parse(Host, Text, "piece.mlir");
    EXPECT_TRUE(What) << What.failure().str();
    std::optional<Program> Made = compile(Host, *What, Spec);
    EXPECT_TRUE(Made);
    return {std::move(*What), std::move(*Made)};
  }

  /// Launches for keys [Lo, Hi); the inputs are the same every time.
  Operands run(const Compiled &With, int64_t Lo, int64_t Hi,
               const std::vector<Value> &More = {}) {
    std::vector<Value> Params = {Value(Lo), Value(Hi)};
    Params.insert(Params.end(), More.begin(), More.end());
    const Sizes Of = {1, Heads, 1, Queries, Keys, {Keys - Queries}, Params};
    Operands Data(Of, Spec);
    EXPECT_TRUE(launchAndCompare(With.What, Spec, With.Kernel, Of, Data, 1));
    return Data;
  }

  /// Ends of pieces in ascending order, multiples of `Step`; pieces may be
  /// empty.
  std::vector<int64_t> cut(int64_t Step) {
    std::vector<int64_t> Ends;
    for (uint64_t Cuts = Random() % 5; Cuts > 0; --Cuts)
      Ends.push_back(static_cast<int64_t>(Random() % (Keys / Step + 1)) * Step);
    Ends.push_back(Keys);
    std::sort(Ends.begin(), Ends.end());
    return Ends;
  }

  static void expectNear(const Operands &Found, const Operands &Whole,
                         bool HasLse) {
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t I = 0; I < Queries; ++I) {
        for (int64_t T = 0; T < Width; ++T)
          ASSERT_NEAR(Found.O.at(0, H, I, T), Whole.O.at(0, H, I, T),
                      2e-5 * std::max(1.0F, std::fabs(Whole.O.at(0, H, I, T))))
              << "head " << H << " row " << I;
        if (HasLse) {
          const float Lse = Whole.Lse.at(0, H, I, 0);
          if (std::isinf(Lse))
            ASSERT_EQ(Found.Lse.at(0, H, I, 0), Lse);
          else
            ASSERT_NEAR(Found.Lse.at(0, H, I, 0), Lse, 1e-5);
        }
      }
  }

  /// By log-sum-exp, with the runtime.
  Operands mergeByLse(const std::vector<Operands> &Pieces) {
    const Sizes Of = {1, Heads, 1, Queries, Keys, {}, {}};
    Operands Result(Of, Spec);
    std::vector<heddle_tensor> Tensors;
    Tensors.reserve(2 * Pieces.size());
    std::vector<heddle_part> Parts;
    for (const Operands &Piece : Pieces) {
      Tensors.push_back(Piece.O.handle());
      Tensors.push_back(Piece.Lse.handle(3));
      Parts.push_back({&Tensors[Tensors.size() - 2], &Tensors.back()});
    }
    const heddle_tensor O = Result.O.handle(), Lse = Result.Lse.handle(3);
    EXPECT_TRUE(succeeded(heddle_merge(
        Parts.data(), static_cast<int64_t>(Parts.size()), &O, &Lse, pool(1))));
    return Result;
  }

  Compiler Host;
  KernelSpec Spec = [] {
    KernelSpec S;
    S.HeadDim = S.ValueDim = Width;
    return S;
  }();
  std::mt19937_64 Random{11};
};

TEST_F(Merge, SoftmaxByLogSumExp) {
  const Compiled Kernel = make(pieceText("", ""));
  const Operands Whole = run(Kernel, 0, Keys);
  for (int Repeat = 0; Repeat < 12; ++Repeat) {
    std::vector<Operands> Pieces;
    int64_t From = 0;
    for (int64_t End : cut(1)) {
      Pieces.push_back(run(Kernel, From, End));
      From = End;
    }
    expectNear(mergeByLse(Pieces), Whole, /*HasLse=*/true);
    // Merging is associative up to rounding: first some, then the rest.
    if (Pieces.size() > 2) {
      std::vector<Operands> Left;
      Left.push_back(mergeByLse({Pieces.begin() + 1, Pieces.end()}));
      Left.push_back(Pieces.front());
      expectNear(mergeByLse(Left), Whole, /*HasLse=*/true);
    }
  }
}

/// What `attn-fuse-merge` rests on: merging attentions over several sources is
/// one attention over their combination.
TEST_F(Merge, OfAttentionsIsTheirCombination) {
  const std::string Patterns =
      "attn.pattern @near(%w: index) keep(%b, %h, %q, %k) {\n"
      "  %d = arith.subi %q, %k : index\n"
      "  %near = arith.cmpi slt, %d, %w : index\n"
      "  attn.keep %near\n"
      "}\n"
      "attn.pattern @some(%n: index) keep(%b, %h, %q, %k) {\n"
      "  %some = arith.cmpi slt, %k, %n : index\n"
      "  attn.keep %some\n"
      "}\n";
  const Compiled Near =
      make(Patterns.substr(0, Patterns.find("attn.pattern", 1)));
  const Compiled Some = make(Patterns.substr(Patterns.find("attn.pattern", 1)));
  const Compiled Both = make(Patterns + "attn.combine @both [@near, @some]\n");
  constexpr int64_t Window = 30;
  for (const int64_t MoreKeys : {0, 1, 65, 130}) {
    SCOPED_TRACE(MoreKeys);
    const int64_t Limit = MoreKeys / 2;
    const Sizes Of = {
        1,  Heads, 1,         Queries, Keys, {Keys - Queries}, {Window, Limit},
        {}, {},    {MoreKeys}};
    Operands Whole(Of, Spec);
    ASSERT_TRUE(launchAndCompare(Both.What, Spec, Both.Kernel, Of, Whole, 1));
    // The same tensors, one source at a time.
    std::vector<Operands> Parts;
    Sizes First = Of, Second = Of;
    First.MoreKeys = Second.MoreKeys = {};
    First.Params = {Window};
    Second.Params = {Limit};
    Second.SeqK = MoreKeys;
    Parts.emplace_back(First, Spec);
    Parts.emplace_back(Second, Spec);
    auto Copy = [](const Tensor &From, Tensor &To, int64_t Rows) {
      for (int64_t S = 0; S < Rows; ++S)
        for (int64_t T = 0; T < Width; ++T)
          To.at(0, 0, S, T) = From.at(0, 0, S, T);
    };
    Copy(Whole.MoreK[0], Parts[1].K, MoreKeys);
    Copy(Whole.MoreV[0], Parts[1].V, MoreKeys);
    ASSERT_TRUE(
        launchAndCompare(Near.What, Spec, Near.Kernel, First, Parts[0], 1));
    ASSERT_TRUE(
        launchAndCompare(Some.What, Spec, Some.Kernel, Second, Parts[1], 1));
    expectNear(mergeByLse(Parts), Whole, /*HasLse=*/true);
  }
}

/// A sink counts once: it is a part of its own, with no value.
TEST_F(Merge, SinkIsAPartOfItsOwn) {
  const Compiled Plain = make(pieceText("", ""));
  const Compiled WithSink = make(
      pieceText(", %sink: tensor<?xf32>", "normalize softmax sink(%sink)"));
  const Value Sink =
      Value::table({Heads}, std::vector<float>{-1.5F, 0.25F, 3.0F});
  const Operands Whole = run(WithSink, 0, Keys, {Sink});
  for (int Repeat = 0; Repeat < 6; ++Repeat) {
    std::vector<Operands> Pieces;
    Pieces.push_back(run(WithSink, 0, 0, {Sink})); // nothing but the sink
    int64_t From = 0;
    for (int64_t End : cut(1)) {
      Pieces.push_back(run(Plain, From, End));
      From = End;
    }
    expectNear(mergeByLse(Pieces), Whole, /*HasLse=*/true);
  }
}

TEST_F(Merge, GroupedByLogSumExpBetweenGroups) {
  const Compiled Kernel = make(pieceText("", "normalize grouped 16"));
  const Operands Whole = run(Kernel, 0, Keys);
  for (int Repeat = 0; Repeat < 8; ++Repeat) {
    std::vector<Operands> Pieces;
    int64_t From = 0;
    for (int64_t End : cut(16)) {
      Pieces.push_back(run(Kernel, From, End));
      From = End;
    }
    expectNear(mergeByLse(Pieces), Whole, /*HasLse=*/true);
  }
}

class SumMerge : public Merge,
                 public testing::WithParamInterface<const char *> {};

TEST_P(SumMerge, OfWeightsThatAreNoShares) {
  const Compiled Kernel =
      make(pieceText("", std::string("normalize ") + GetParam()));
  const Operands Whole = run(Kernel, 0, Keys);
  for (int Repeat = 0; Repeat < 6; ++Repeat) {
    Operands Sum = run(Kernel, 0, 0); // no key: the neutral part
    int64_t From = 0;
    for (int64_t End : cut(1)) {
      const Operands Piece = run(Kernel, From, End);
      From = End;
      for (int64_t H = 0; H < Heads; ++H)
        for (int64_t I = 0; I < Queries; ++I)
          for (int64_t T = 0; T < Width; ++T)
            Sum.O.at(0, H, I, T) += Piece.O.at(0, H, I, T);
    }
    expectNear(Sum, Whole, /*HasLse=*/false);
  }
}

INSTANTIATE_TEST_SUITE_P(Normalizers, SumMerge,
                         testing::Values("sigmoid", "relu", "relu2",
                                         "identity"),
                         [](const auto &Info) {
                           return std::string(Info.param);
                         });

} // namespace
