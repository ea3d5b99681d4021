// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of bits against the formula's plain meaning: run-time sets and tables,
// boxes, listed keys.

#include "KernelSupport.h"

#include <functional>
#include <random>

using namespace heddle;

namespace {

constexpr int64_t Queries = 48, Keys = 16;

int64_t moved(int64_t I, int64_t Extent) {
  return std::max<int64_t>(std::min(I, Extent - 1), 0);
}

int64_t floorDiv(int64_t X, int64_t Y) { return X / Y - (X % Y < 0 ? 1 : 0); }

/// Random sets, one per value of the indices, every second number a member.
class RandomSets {
public:
  RandomSets(std::mt19937_64 &Random, int64_t Size,
             const std::vector<int64_t> &Shape) {
    Set.size = Size;
    Set.rank = static_cast<int32_t>(Shape.size());
    int64_t Rows = 1;
    for (size_t Axis = Shape.size(); Axis-- > 0;) {
      Set.shape[Axis] = Shape[Axis];
      Set.stride[Axis] = Rows;
      Rows *= Shape[Axis];
    }
    Set.words_per_row = (Size + 63) / 64;
    Words.assign(static_cast<size_t>(Rows * Set.words_per_row + 1), 0);
    for (int64_t Row = 0; Row < Rows; ++Row)
      for (int64_t X = 0; X < Size; ++X)
        word(Row, X) |= uint64_t(Random() % 2) << (X % 64);
    Set.words = Words.data();
  }
  RandomSets(const RandomSets &) = delete;
  RandomSets &operator=(const RandomSets &) = delete;

  bool has(const std::vector<int64_t> &Indices, int64_t X) {
    if (X < 0 || X >= Set.size)
      return false;
    int64_t Row = 0;
    for (size_t Axis = 0; Axis < Indices.size(); ++Axis)
      Row += Set.stride[Axis] * moved(Indices[Axis], Set.shape[Axis]);
    return (word(Row, X) >> (X % 64) & 1) != 0;
  }

  heddle_set Set = {};

private:
  uint64_t &word(int64_t Row, int64_t X) {
    return Words[static_cast<size_t>(Row * Set.words_per_row + X / 64)];
  }
  std::vector<uint64_t> Words;
};

/// A table (batch, position) of small integers.
struct RandomTable {
  RandomTable(std::mt19937_64 &Random, int64_t Batch, int64_t Length)
      : Elements(static_cast<size_t>(Batch * Length)) {
    for (int32_t &X : Elements)
      X = static_cast<int32_t>(Random() % 5) - 1;
    Table.data = Elements.data();
    Table.rank = 2;
    Table.shape[0] = Batch;
    Table.shape[1] = Table.stride[0] = Length;
    Table.stride[1] = 1;
  }
  RandomTable(const RandomTable &) = delete;
  RandomTable &operator=(const RandomTable &) = delete;

  int64_t at(int64_t B, int64_t I) const {
    return Elements[static_cast<size_t>(
        moved(B, Table.shape[0]) * Table.stride[0] + moved(I, Table.shape[1]))];
  }

  std::vector<int32_t> Elements;
  heddle_table Table = {};
};

/// The operands of every kernel here: p0 a table, p1 and p2 sets with two and
/// three indices, p3 a set without any, p4 an integer.
struct Problem {
  explicit Problem(uint64_t Seed)
      : Random(Seed), Table(Random, 2, draw(1, 90)),
        ByHead(Random, draw(0, 3) == 0 ? draw(0, 2) : draw(1, 150), {2, 3}),
        ByRow(Random, draw(1, 20), {2, 3, draw(1, 12)}),
        Plain(Random, draw(0, 90), {}), Limit(draw(0, 12)), B(draw(0, 2)),
        H(draw(0, 3)), FirstQuery(draw(0, 60)), FirstKey(draw(0, 60)),
        NumKeys(draw(1, 80)), Kept(2, 3, Queries, Keys),
        NoKeys(2, 3, NumKeys, 1) {
    A.operand(0).table = &Table.Table;
    A.operand(1).set = &ByHead.Set;
    A.operand(2).set = &ByRow.Set;
    A.operand(3).set = &Plain.Set;
    A.operand(4).integer = Limit;
    A.operand(5).integer = FirstKey;
    A.Args.o = Kept.view();
    A.Source.k = NoKeys.view();
    std::fill(A.Origins.begin(), A.Origins.end(), FirstQuery);
  }

  int64_t draw(int64_t From, int64_t To) {
    return From +
           static_cast<int64_t>(Random() % static_cast<uint64_t>(To - From));
  }
  /// Runs the kernel and compares the bits, for query i and key j of the tile.
  void expect(const LoadedKernel &Kernel, const std::string &Formula,
              const std::function<bool(int64_t, int64_t)> &Keeps) {
    Kernel.run(A.Args, B, H, 0);
    for (int64_t I = 0; I < Queries; ++I)
      for (int64_t J = 0; J < Keys; ++J)
        ASSERT_EQ(Kept.at(I, J, H, B) == 0, Keeps(I, J))
            << Formula << ", query " << I << ", key " << J << ", first "
            << FirstQuery << " and " << FirstKey;
  }

  std::mt19937_64 Random;
  RandomTable Table;
  RandomSets ByHead, ByRow, Plain;
  int64_t Limit, B, H, FirstQuery, FirstKey, NumKeys;
  Data<float> Kept, NoKeys;
  Arguments A;
};

/// Writes 0 where a pair is kept, -inf elsewhere. `Where` are the coordinates,
/// `Extra` the boxes.
LoadedKernel kernel(const std::string &Level, const std::string &Formula,
                    const std::string &Where, const std::string &Extra = "") {
  return LoadedKernel(
      Level, "1xf32;1xf32;1xf32;16xf32",
      ", %p0: tensor<?x?xindex>, %p1: !attn.set, %p2: !attn.set, "
      "%p3: !attn.set, %p4: index, %k0: index",
      R"(
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %n = tile.dim position of %k : !attn.view<1xf32>
  %partial = arith.constant 1 : i32
  %keys = tile.positions at(%c3, %k0) of(%n, %c4) box [4, 4] : tensor<16xindex>
  %bits = tile.bits #attn.formula<)" +
          Formula + "> at(%b, %h) " + Where + R"( of %n status(%partial)
    params(%p0, %p1, %p2, %p3, %p4 : tensor<?x?xindex>, !attn.set, !attn.set,
           !attn.set, index) )" +
          Extra + R"( : tensor<48x16xi1>
  %s = tile.fill 0.0 : tensor<48x16xf32>
  %w = tile.mask %s, %bits : tensor<48x16xf32>, tensor<48x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<48x16xf32>, !attn.view<16xf32>
  return)");
}

class Masks : public OnEveryLevel {};

using Keep = bool (*)(Problem &, int64_t Q, int64_t K);

/// Formulas over positions and their meaning.
const std::pair<const char *, Keep> Formulas[] = {
    {"q - k in p1[b, h]",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.ByHead.has({P.B, P.H}, Q - K);
     }},
    {"k - q + 7 in p1[b, h]",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.ByHead.has({P.B, P.H}, K - Q + 7);
     }},
    {"k in p1[b, h]", [](Problem &P, int64_t,
                         int64_t K) { return P.ByHead.has({P.B, P.H}, K); }},
    {"q * 2 - k in p1[b, h]",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.ByHead.has({P.B, P.H}, 2 * Q - K);
     }},
    {"k floordiv 4 in p2[b, h, q floordiv 4]",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.ByRow.has({P.B, P.H, floorDiv(Q, 4)}, floorDiv(K, 4));
     }},
    {"q - k not in p3[]",
     [](Problem &P, int64_t Q, int64_t K) { return !P.Plain.has({}, Q - K); }},
    {"p0[b, q] - p0[b, k] in interval<0, 1>",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.Table.at(P.B, Q) == P.Table.at(P.B, K);
     }},
    {"p0[b, q] in p1[b, p0[b, k]]",
     [](Problem &P, int64_t Q, int64_t K) {
       return P.ByHead.has({P.B, P.Table.at(P.B, K)}, P.Table.at(P.B, Q));
     }},
};

/// Formulas over coordinates of a grid with two axes.
using KeepBox = bool (*)(Problem &, int64_t Q1, int64_t Q, int64_t K1,
                         int64_t K);
const std::pair<const char *, KeepBox> BoxFormulas[] = {
    {"all(q - k in interval<-1, 3>, q1 - k1 in interval<-2, 2>, "
     "k1 in interval<0, p4>)",
     [](Problem &P, int64_t Q1, int64_t Q, int64_t K1, int64_t K) {
       return Q - K >= -1 && Q - K < 3 && Q1 - K1 >= -2 && Q1 - K1 < 2 &&
              K1 >= 0 && K1 < P.Limit;
     }},
    {"q1 * 5 + q - k in p1[b, h]",
     [](Problem &P, int64_t Q1, int64_t Q, int64_t, int64_t K) {
       return P.ByHead.has({P.B, P.H}, 5 * Q1 + Q - K);
     }},
    {"q1 - k1 in p3[]", [](Problem &P, int64_t Q1, int64_t, int64_t K1,
                           int64_t) { return P.Plain.has({}, Q1 - K1); }},
    {"q1 in interval<20, inf>",
     [](Problem &, int64_t Q1, int64_t, int64_t, int64_t) { return Q1 >= 20; }},
};

} // namespace

INSTANTIATE_TEST_SUITE_P(Levels, Masks, testing::ValuesIn(hostLevels()),
                         OnEveryLevel::name);

TEST_P(Masks, ConsecutiveKeys) {
  for (const auto &[Formula, Keeps] : Formulas) {
    LoadedKernel Kernel =
        kernel(GetParam(), Formula, "queries(%origin) keys(%k0)");
    ASSERT_TRUE(Kernel) << Formula;
    for (uint64_t Seed = 0; Seed < 40; ++Seed) {
      Problem P(Seed);
      P.expect(Kernel, Formula, [&, Keeps = Keeps](int64_t I, int64_t J) {
        int64_t Key = P.FirstKey + J;
        return Key < P.NumKeys && Keeps(P, P.FirstQuery + I, Key);
      });
    }
  }
}

TEST_P(Masks, ListedKeys) {
  for (const auto &[Formula, Keeps] : Formulas) {
    LoadedKernel Kernel =
        kernel(GetParam(), Formula,
               "queries(%origin) listed(%keys : tensor<16xindex>)");
    ASSERT_TRUE(Kernel) << Formula;
    for (uint64_t Seed = 0; Seed < 40; ++Seed) {
      Problem P(Seed);
      // Start inside of the four columns.
      P.FirstKey %= 4;
      P.A.operand(5).integer = P.FirstKey;
      P.expect(Kernel, Formula, [&, Keeps = Keeps](int64_t I, int64_t J) {
        int64_t Column = P.FirstKey + J % 4;
        int64_t Key = (3 + J / 4) * 4 + Column;
        return Column < 4 && 3 + J / 4 < P.NumKeys && Key < P.NumKeys &&
               Keeps(P, P.FirstQuery + I, Key);
      });
    }
  }
}

TEST_P(Masks, Boxes) {
  // Rows of the query box that are whole vectors, and some that are not.
  struct Boxes {
    int64_t QueryWidth, KeyWidth;
  };
  for (auto [QueryWidth, KeyWidth] :
       {Boxes{16, 4}, Boxes{4, 8}, Boxes{6, 1}, Boxes{48, 16}}) {
    std::string Extra = "boxes [" + std::to_string(Queries / QueryWidth) +
                        ", " + std::to_string(QueryWidth) + "] [" +
                        std::to_string(Keys / KeyWidth) + ", " +
                        std::to_string(KeyWidth) + "]";
    for (const auto &[Formula, Keeps] : BoxFormulas) {
      LoadedKernel Kernel = kernel(
          GetParam(), Formula, "queries(%origin, %c3) keys(%c3, %k0)", Extra);
      ASSERT_TRUE(Kernel) << Formula;
      for (uint64_t Seed = 0; Seed < 20; ++Seed) {
        Problem P(Seed);
        P.expect(Kernel, Formula + (" " + Extra),
                 [&, QueryWidth = QueryWidth, KeyWidth = KeyWidth,
                  Keeps = Keeps](int64_t I, int64_t J) {
                   return Keeps(P, P.FirstQuery + I / QueryWidth,
                                3 + I % QueryWidth, 3 + J / KeyWidth,
                                P.FirstKey + J % KeyWidth);
                 });
      }
    }
  }
}
