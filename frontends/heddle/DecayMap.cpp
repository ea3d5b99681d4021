// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/heddle/DecayMap.h"

#include <algorithm>

using namespace heddle;
using attn::DecayKind;

const char *heddle::decayKindName(DecayKind Kind) {
  switch (Kind) {
  case DecayKind::None:
    return "none";
  case DecayKind::Constant:
    return "constant";
  case DecayKind::PerToken:
    return "token";
  case DecayKind::PerChannel:
    return "channel";
  }
  return "";
}

/// Where cells begin, and the end: whole tiles each.
static std::vector<int64_t> cutTokens(int64_t Tokens, int64_t Tile,
                                      int64_t MaxCells, bool &IsReduced) {
  const int64_t Tiles = (Tokens + Tile - 1) / Tile;
  const int64_t Cells = std::min(Tiles, std::max<int64_t>(1, MaxCells));
  IsReduced |= Cells < Tiles;
  std::vector<int64_t> Starts;
  for (int64_t I = 0; I <= Cells; ++I)
    Starts.push_back(
        std::min(Tokens, Cells == 0 ? 0 : I * Tiles / Cells * Tile));
  return Starts;
}

namespace {

/// Stretches of positions between which nothing changes rows or columns of the
/// picture, and sums over each, one per channel. With P(i, j) the product of
/// the factors of tokens j + 1 … i:
struct Stretch {
  int64_t First = 0, End = 0;
  /// The cells that hold it; a row of -1 has no query.
  int64_t Row = -1, Col = 0;
  /// Sum over i of P(i, First - 1); over j of P(End - 1, j); over i >= j of
  /// P(i, j); and P(End - 1, First - 1).
  std::vector<double> FromStart, ToEnd, Inside, Total;
};

/// Adds up a picture of keys and queries at positions of keys.
class Shader {
public:
  Shader(const DecayProblem &Of, DecayGrid &Out)
      : Of(Of), Out(Out), Shift(Of.Keys - Of.Queries),
        Channels(static_cast<size_t>(Of.Channels)) {}

  llvm::Error run() {
    cut();
    for (Stretch &S : Stretches)
      if (llvm::Error Bad = sum(S))
        return Bad;
    for (size_t C = 0; C < Channels; ++C)
      addChannel(C);
    return llvm::Error::success();
  }

  /// Of all tokens and channels.
  double FactorSum = 0;

private:
  void cut() {
    std::vector<int64_t> Starts = Out.Key;
    for (int64_t Query : Out.Query)
      Starts.push_back(Query + Shift);
    std::sort(Starts.begin(), Starts.end());
    Starts.erase(std::unique(Starts.begin(), Starts.end()), Starts.end());
    auto Find = [](const std::vector<int64_t> &In, int64_t X) {
      return std::upper_bound(In.begin(), In.end(), X) - In.begin() - 1;
    };
    for (size_t I = 0; I + 1 < Starts.size(); ++I) {
      Stretch S;
      S.First = Starts[I];
      S.End = Starts[I + 1];
      S.Col = Find(Out.Key, S.First);
      if (S.First >= Shift)
        S.Row = Find(Out.Query, S.First - Shift);
      Stretches.push_back(std::move(S));
    }
  }

  llvm::Error sum(Stretch &S) {
    S.FromStart.assign(Channels, 0);
    S.ToEnd.assign(Channels, 0);
    S.Inside.assign(Channels, 0);
    S.Total.assign(Channels, 1);
    std::vector<double> Factors(Channels, 1);
    for (int64_t I = S.First; I < S.End; ++I) {
      if (Of.Factors)
        if (llvm::Error Bad = Of.Factors(Of.Origin + I - Shift, Factors))
          return Bad;
      for (size_t C = 0; C < Channels; ++C) {
        const double A = Factors[C];
        FactorSum += A;
        Out.Least = std::min(Out.Least, A);
        Out.Most = std::max(Out.Most, A);
        S.Total[C] *= A;
        S.FromStart[C] += S.Total[C];
        S.ToEnd[C] = S.ToEnd[C] * A + 1;
        S.Inside[C] += S.ToEnd[C];
      }
    }
    return llvm::Error::success();
  }

  void addChannel(size_t C) {
    for (size_t I = 0; I < Stretches.size(); ++I) {
      const Stretch &Queries = Stretches[I];
      if (Queries.Row < 0)
        continue;
      Out.Factor[Out.at(Queries.Row, Queries.Col)] += Queries.Inside[C];
      double Between = 1;
      for (size_t J = I; J-- > 0 && Between > 0;) {
        const Stretch &Keys = Stretches[J];
        Out.Factor[Out.at(Queries.Row, Keys.Col)] +=
            Queries.FromStart[C] * Between * Keys.ToEnd[C];
        Between *= Keys.Total[C];
      }
    }
  }

  const DecayProblem &Of;
  DecayGrid &Out;
  /// The key at which query 0 stands.
  int64_t Shift;
  size_t Channels;
  std::vector<Stretch> Stretches;
};

} // namespace

/// Pairs of a cell whose key is at or before the query.
static int64_t countSeen(int64_t FirstQuery, int64_t EndQuery, int64_t FirstKey,
                         int64_t EndKey) {
  const int64_t Keys = EndKey - FirstKey;
  // Queries from here on see all keys, those before them one fewer each.
  const int64_t All = std::clamp(EndKey - 1, FirstQuery, EndQuery);
  const int64_t Some = std::clamp(FirstKey, FirstQuery, All);
  const int64_t First = Some - FirstKey + 1, Last = All - FirstKey;
  const int64_t Rising =
      All > Some ? (First + Last) * (All - Some) / 2 : int64_t(0);
  return Rising + (EndQuery - All) * Keys;
}

llvm::Expected<DecayGrid> heddle::shadeDecay(const DecayProblem &Of,
                                             int64_t MaxRows, int64_t MaxCols) {
  DecayGrid Out;
  Out.Query = cutTokens(Of.Queries, Of.QueryTile, MaxRows, Out.IsReduced);
  Out.Key = cutTokens(Of.Keys, Of.KeyTile, MaxCols, Out.IsReduced);
  const auto Cells = static_cast<size_t>(Out.rows() * Out.cols());
  Out.Pairs.assign(Cells, 0);
  Out.Factor.assign(Cells, 0);
  Out.InWindow.assign(Cells, false);
  const int64_t Shift = Of.Keys - Of.Queries;
  for (int64_t Row = 0; Row < Out.rows(); ++Row)
    for (int64_t Col = 0; Col < Out.cols(); ++Col) {
      const size_t Cell = Out.at(Row, Col);
      const int64_t Q0 = Out.Query[Row], Q1 = Out.Query[Row + 1];
      const int64_t K0 = Out.Key[Col], K1 = Out.Key[Col + 1];
      Out.Pairs[Cell] = Of.IsCausal ? countSeen(Q0 + Shift, Q1 + Shift, K0, K1)
                                    : (Q1 - Q0) * (K1 - K0);
      Out.AllPairs += Out.Pairs[Cell];
      Out.InWindow[Cell] = Of.Window && Q1 - 1 + Shift >= K0 &&
                           Q0 + Shift - (K1 - 1) < *Of.Window;
    }
  double Sum = 0;
  if (!Of.Factors) {
    Out.Least = Out.Most = 1;
    for (size_t Cell = 0; Cell < Cells; ++Cell)
      Out.Factor[Cell] = Out.Pairs[Cell] > 0 ? 1 : 0;
    Sum = static_cast<double>(Out.AllPairs);
  } else {
    Shader Adds(Of, Out);
    if (llvm::Error Bad = Adds.run())
      return Bad;
    const auto Channels = static_cast<double>(Of.Channels);
    for (size_t Cell = 0; Cell < Cells; ++Cell) {
      Sum += Out.Factor[Cell] / Channels;
      if (Out.Pairs[Cell] > 0)
        Out.Factor[Cell] /= Channels * static_cast<double>(Out.Pairs[Cell]);
    }
    if (Of.Keys > 0)
      Out.Mean = Adds.FactorSum / (Channels * static_cast<double>(Of.Keys));
  }
  if (Out.AllPairs > 0)
    Out.MeanFactor = Sum / static_cast<double>(Out.AllPairs);
  return Out;
}
