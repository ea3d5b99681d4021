// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scores of any finite size, in whatever order they come: a kernel measures
// weights from a reference that it moves only when it must, and nobody should
// see where that was.

#include "test/exec/Kernels.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

using namespace heddle;
using namespace heddle::exec;

namespace {

constexpr float MinusInfinity = -std::numeric_limits<float>::infinity();

struct Profile {
  const char *Name;
  /// Most of the score of a key, for all queries.
  std::function<float(int64_t Key)> Score;
  /// What keys and queries add to it: 0 for scores that are equal.
  float Noise;
};

constexpr int64_t NumScores = 650;

std::vector<Profile> profiles() {
  auto Along = [](float End) {
    return [End](int64_t Key) {
      return End * static_cast<float>(Key) / static_cast<float>(NumScores);
    };
  };
  return {
      {"rising by 8", Along(8), 1},
      {"rising by 60", Along(60), 1},
      {"rising by 600", Along(600), 1},
      {"falling by 600", Along(-600), 1},
      {"of both signs", [](int64_t Key) { return Key % 7 == 3 ? 1e4F : -1e4F; },
       1},
      {"all the same", [](int64_t) { return 0.37F; }, 0},
      {"all the same and large", [](int64_t) { return -1e4F; }, 0},
      {"with one that is huge",
       [](int64_t Key) { return Key == 500 ? 1e4F : 0.0F; }, 1},
      {"in steps of 10",
       [](int64_t Key) {
         const int64_t Tile = Key / 64;
         return 10 * static_cast<float>(Tile);
       },
       1},
      {"that end far up, once",
       [](int64_t Key) { return Key < 640 ? 0.0F : 90.0F; }, 1},
      {"of which some are -infinity",
       [](int64_t Key) { return Key % 3 == 0 ? MinusInfinity : 1.0F; }, 1},
      {"that begin with -infinity",
       [](int64_t Key) { return Key < 200 ? MinusInfinity : 1.0F; }, 1},
      {"of denormal numbers", [](int64_t) { return 1e-40F; }, 0},
  };
}

struct Row {
  std::vector<double> O;
  double Lse = 0, Largest = MinusInfinity;
};

Row expected(const Operands &Data, const KernelSpec &Spec, int64_t Query) {
  std::vector<double> Scores(NumScores);
  for (int64_t J = 0; J < NumScores; ++J) {
    for (int64_t T = 0; T < Spec.HeadDim; ++T)
      Scores[J] +=
          double(Data.Q.at(0, 0, Query, T)) * double(Data.K.at(0, 0, J, T));
    Scores[J] *= scaleOf(Spec, Data.Scale);
  }
  Row Result;
  Result.O.resize(Spec.valueDim());
  Result.Largest = *std::max_element(Scores.begin(), Scores.end());
  double Sum = 0;
  for (int64_t J = 0; J < NumScores; ++J) {
    const double Weight = std::exp(Scores[J] - Result.Largest);
    Sum += Weight;
    for (int64_t T = 0; T < Spec.valueDim(); ++T)
      Result.O[T] += Weight * double(Data.V.at(0, 0, J, T));
  }
  for (double &O : Result.O)
    O /= Sum;
  Result.Lse = Result.Largest + std::log(Sum);
  return Result;
}

/// An error of half a unit in the last place of a score, in units of log2 and
/// twice, is one of the weight.
double allowed(const Profile &P) {
  double Size = 0;
  for (int64_t J = 0; J < NumScores; ++J)
    if (std::isfinite(P.Score(J)))
      Size = std::max<double>(Size, std::abs(P.Score(J)));
  return 2e-5 + 2 * 0x1p-23 * Size;
}

class ScoreSizes : public testing::TestWithParam<std::string> {};

TEST_P(ScoreSizes, DoNotMatter) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "dense");
  for (bool WantsLargest : {false, true}) {
    KernelSpec Spec;
    Spec.HeadDim = 16;
    Spec.ValueDim = 9;
    Spec.Level = GetParam();
    Spec.Outputs.RowMax = WantsLargest;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const Sizes Of = {1, 1, 1, 70, NumScores, {}, {}};
    for (const Profile &P : profiles()) {
      Operands Data(Of, Spec);
      Data.Scale = 0.25F;
      for (int64_t I = 0; I < Of.SeqQ; ++I)
        for (int64_t T = 0; T < Spec.HeadDim; ++T)
          Data.Q.at(0, 0, I, T) = T == 0 ? 4 : P.Noise * Data.Q.at(0, 0, I, T);
      for (int64_t J = 0; J < NumScores; ++J)
        Data.K.at(0, 0, J, 0) = P.Score(J);
      ASSERT_TRUE(launch(*Kernel, Of, Data));
      const double Allowed = allowed(P);
      for (int64_t I = 0; I < Of.SeqQ; ++I) {
        const Row Right = expected(Data, Spec, I);
        ASSERT_NEAR(Data.Lse.at(0, 0, I, 0), Right.Lse,
                    Allowed * std::max(1.0, std::abs(Right.Lse)))
            << "scores " << P.Name << ", row " << I;
        if (WantsLargest)
          ASSERT_NEAR(Data.RowMax->at(0, 0, I, 0), Right.Largest,
                      Allowed * std::max(1.0, std::abs(Right.Largest)))
              << "scores " << P.Name << ", row " << I;
        for (int64_t T = 0; T < Spec.valueDim(); ++T)
          ASSERT_NEAR(Data.O.at(0, 0, I, T), Right.O[T], 4 * Allowed)
              << "scores " << P.Name << ", row " << I << ", feature " << T;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Host, ScoreSizes, testing::ValuesIn(hostLevels()),
                         [](const auto &Info) {
                           std::string Name = Info.param;
                           std::replace(Name.begin(), Name.end(), '-', '_');
                           return Name;
                         });

} // namespace
