// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Dense.h"

#include "test/exec/Values.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace heddle::exec;
namespace exec = heddle::exec;

std::vector<std::vector<int64_t>> exec::randomSets(std::mt19937_64 &Random,
                                                   int64_t Rows, int64_t Size,
                                                   int64_t Most) {
  std::vector<std::vector<int64_t>> All;
  for (int64_t I = 0; I < Rows; ++I)
    All.push_back(chooseMembers(
        Random, Size,
        std::min(Size, static_cast<int64_t>(Random() %
                                            static_cast<uint64_t>(Most + 1)))));
  return All;
}

bool exec::contains(const std::vector<int64_t> &Ascending, int64_t X) {
  return std::binary_search(Ascending.begin(), Ascending.end(), X);
}

static std::vector<float> normal(std::mt19937_64 &Random, int64_t Count) {
  std::normal_distribution<float> Numbers;
  std::vector<float> Made(static_cast<size_t>(Count));
  for (float &X : Made)
    X = Numbers(Random);
  return Made;
}

Inputs::Inputs(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Queries,
               int64_t Keys, uint64_t Seed, int64_t Depth)
    : Batch(Batch), HeadsQ(HeadsQ), HeadsKv(HeadsKv), Queries(Queries),
      Depth(Depth), Origin(static_cast<size_t>(Batch)), Random(Seed) {
  Q = normal(Random, Batch * HeadsQ * Queries * Depth);
  add(Keys);
}

Inputs &Inputs::add(int64_t Keys) {
  const int64_t Count = Batch * HeadsKv * Keys * Depth;
  std::vector<float> K = normal(Random, Count), V = normal(Random, Count);
  Sources.push_back({Keys, std::move(K), std::move(V)});
  return *this;
}

double Inputs::score(int64_t B, int64_t H, int64_t I, int64_t J,
                     size_t From) const {
  const float *Left = query(B, H, I);
  const float *Right = Sources[From].K.data() + row(B, H, J, From);
  double Sum = 0;
  for (int64_t D = 0; D < Depth; ++D)
    Sum += static_cast<double>(Left[D]) * static_cast<double>(Right[D]);
  return Sum / std::sqrt(static_cast<double>(Depth));
}

namespace {
struct Kept {
  double Score, Factor;
  const float *Value;
};
} // namespace

static void attendRow(const std::vector<Kept> &Row, int64_t Width, float *O,
                      float &Lse) {
  double Max = -std::numeric_limits<double>::infinity(), Sum = 0;
  for (const Kept &One : Row)
    Max = std::max(Max, One.Score);
  std::vector<double> Result(static_cast<size_t>(Width));
  if (!std::isinf(Max))
    for (const Kept &One : Row) {
      const double Weight = std::exp(One.Score - Max);
      Sum += Weight;
      for (size_t D = 0; D < Result.size(); ++D)
        Result[D] += Weight * One.Factor * static_cast<double>(One.Value[D]);
    }
  Lse = static_cast<float>(Sum > 0 ? Max + std::log(Sum) : Max);
  for (size_t D = 0; D < Result.size(); ++D)
    O[D] = static_cast<float>(Sum > 0 ? Result[D] / Sum : 0);
}

Outputs exec::attend(const Inputs &In, const Keep &Keeps, const Change &Score,
                     const Change &Factor) {
  Outputs Out;
  Out.O.resize(In.Q.size());
  Out.Lse.resize(static_cast<size_t>(In.Batch * In.HeadsQ * In.Queries));
  size_t Number = 0;
  for (int64_t B = 0; B < In.Batch; ++B)
    for (int64_t H = 0; H < In.HeadsQ; ++H)
      for (int64_t I = 0; I < In.Queries; ++I, ++Number) {
        std::vector<Kept> Row;
        for (size_t From = 0; From < In.Sources.size(); ++From)
          for (int64_t J = 0; J < In.Sources[From].Keys; ++J) {
            const Pair At = {B, H, In.Origin[static_cast<size_t>(B)] + I, J,
                             From};
            if (!Keeps(At))
              continue;
            const double S = In.score(B, H, I, J, From);
            Row.push_back({Score ? Score(S, At) : S, Factor ? Factor(1, At) : 1,
                           In.Sources[From].V.data() + In.row(B, H, J, From)});
          }
        Out.KeptPairs += static_cast<int64_t>(Row.size());
        attendRow(Row, In.Depth,
                  Out.O.data() + Number * static_cast<size_t>(In.Depth),
                  Out.Lse[Number]);
      }
  return Out;
}

/// Calls the function with the first query and key of every tile.
static void
forEachTile(const Inputs &In, const Outputs &Of,
            const std::function<void(int64_t, int64_t, int64_t, int64_t)> &Do) {
  for (int64_t B = 0; B < In.Batch; ++B)
    for (int64_t H = 0; H < In.HeadsQ; ++H)
      for (int64_t I = 0; I < In.Queries; I += Of.QueryTile)
        for (int64_t J = 0; J < In.Sources[0].Keys; J += Of.KeyTile)
          Do(B, H, I, J);
}

/// How many pairs of the tile are kept, and how many there are.
static std::pair<int64_t, int64_t> countPairs(const Inputs &In,
                                              const Outputs &Of,
                                              const Keep &Kept, int64_t B,
                                              int64_t H, int64_t I, int64_t J) {
  int64_t Count = 0, All = 0;
  for (int64_t Q = I; Q < std::min(I + Of.QueryTile, In.Queries); ++Q)
    for (int64_t K = J; K < std::min(J + Of.KeyTile, In.Sources[0].Keys); ++K) {
      Count += Kept({B, H, In.Origin[static_cast<size_t>(B)] + Q, K});
      ++All;
    }
  return {Count, All};
}

TileCount exec::countTiles(const Inputs &In, const Outputs &Of,
                           const Keep &Kept) {
  TileCount Tiles;
  forEachTile(In, Of, [&](int64_t B, int64_t H, int64_t I, int64_t J) {
    const auto [Count, All] = countPairs(In, Of, Kept, B, H, I, J);
    Tiles.Live += Count > 0;
    Tiles.Full += Count == All && J + Of.KeyTile <= In.Sources[0].Keys;
  });
  return Tiles;
}

int64_t exec::countTiles(const Inputs &In, const Outputs &Of, const Keep &First,
                         const Keep &Second) {
  int64_t Tiles = 0;
  forEachTile(In, Of, [&](int64_t B, int64_t H, int64_t I, int64_t J) {
    Tiles += countPairs(In, Of, First, B, H, I, J).first > 0 &&
             countPairs(In, Of, Second, B, H, I, J).first > 0;
  });
  return Tiles;
}

Outputs exec::pickRow(const Inputs &In, const Outputs &From, int64_t H,
                      int64_t I) {
  Outputs Out;
  const int64_t Row = H * In.Queries + I;
  Out.O.assign(From.O.begin() + Row * In.Depth,
               From.O.begin() + (Row + 1) * In.Depth);
  Out.Lse = {From.Lse[static_cast<size_t>(Row)]};
  return Out;
}

static testing::AssertionResult agree(const char *What,
                                      const std::vector<float> &Found,
                                      const std::vector<float> &Expected,
                                      double Tolerance) {
  if (Found.size() != Expected.size())
    return testing::AssertionFailure()
           << What << ": found " << Found.size() << " elements, expected "
           << Expected.size();
  for (size_t I = 0; I < Found.size(); ++I) {
    const double X = Found[I], Y = Expected[I];
    const bool Good =
        std::isfinite(Y)
            ? std::abs(X - Y) <= Tolerance * std::max(1.0, std::abs(Y))
            : X == Y;
    if (!Good)
      return testing::AssertionFailure()
             << What << ", element " << I << ": found " << X << ", expected "
             << Y;
  }
  return testing::AssertionSuccess();
}

testing::AssertionResult
exec::agree(const Outputs &Found, const Outputs &Expected, double Tolerance) {
  if (auto Good = ::agree("o", Found.O, Expected.O, Tolerance); !Good)
    return Good;
  return ::agree("lse", Found.Lse, Expected.Lse, Tolerance);
}
