// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "TestTensors.h"

#include <cmath>

using namespace heddle;
using namespace heddle::test;

namespace {

constexpr int64_t Batch = 2, Heads = 3, Rows = 50, Dim = 5, Keys = 12;

/// Softmax over a part of the keys of every row.
struct Partial {
  TestTensor O, Lse;
  heddle_tensor OView = {}, LseView = {};

  explicit Partial(heddle_dtype Dtype = HEDDLE_F32)
      : O({Batch, Heads, Rows, Dim}, Layout::Bshd, 4, Dtype),
        Lse({Batch, Heads, Rows, 1}, Layout::Bhsd, 3) {}
  heddle_part part() {
    OView = O.view();
    LseView = Lse.view();
    return {&OView, &LseView};
  }
};

class MergeTest : public testing::Test {
protected:
  MergeTest() {
    std::normal_distribution<float> Normal(0, 3);
    for (auto *Values : {&Scores, &Features})
      for (float &X : *Values)
        X = Normal(Random);
  }

  /// Row (b, h, s) over the keys whose part is `Which`; all of them for -1.
  void attend(const std::vector<int> &Parts, int Which, Partial &Out) {
    for (int64_t R = 0; R < Batch * Heads * Rows; ++R) {
      int64_t B = R / Rows / Heads, H = R / Rows % Heads, S = R % Rows;
      double Norm = 0, Sum[Dim] = {};
      for (int64_t K = 0; K < Keys; ++K) {
        if (Which >= 0 && Parts[R * Keys + K] != Which)
          continue;
        double Weight = std::exp(double(Scores[R * Keys + K]));
        Norm += Weight;
        for (int64_t F = 0; F < Dim; ++F)
          Sum[F] += Weight * double(Features[(R * Keys + K) * Dim + F]);
      }
      for (int64_t F = 0; F < Dim; ++F)
        // What a part without keys holds must not matter.
        Out.O.row(B, H, S)[F] =
            Norm > 0 ? static_cast<float>(Sum[F] / Norm) : NAN;
      *Out.Lse.row(B, H, S) = static_cast<float>(std::log(Norm));
    }
    Out.O.store();
  }

  /// Assigns every key of every row to one of `Count` parts; some get none.
  std::vector<int> split(int Count) {
    std::vector<int> Parts(Scores.size());
    for (int64_t R = 0; R < Batch * Heads * Rows; ++R) {
      int Used = std::uniform_int_distribution<int>(1, Count)(Random);
      for (int64_t K = 0; K < Keys; ++K)
        Parts[R * Keys + K] =
            std::uniform_int_distribution<int>(0, Used - 1)(Random);
    }
    return Parts;
  }

  void merge(std::vector<Partial> &Parts, Partial &Out) {
    std::vector<heddle_part> List;
    for (Partial &P : Parts)
      List.push_back(P.part());
    heddle_part To = Out.part();
    expectOk(heddle_merge(List.data(), static_cast<int64_t>(List.size()), To.o,
                          To.lse, Pool.get()));
    Out.O.load();
  }

  static void expectNear(Partial &A, Partial &B, float Tolerance) {
    for (int64_t I = 0; I < A.O.size(); ++I)
      EXPECT_NEAR(A.O.data()[I], B.O.data()[I],
                  Tolerance * (1 + std::fabs(B.O.data()[I])));
    for (int64_t I = 0; I < A.Lse.size(); ++I)
      EXPECT_NEAR(A.Lse.data()[I], B.Lse.data()[I],
                  1e-5 * (1 + std::fabs(B.Lse.data()[I])));
  }

  std::mt19937 Random{3};
  std::vector<float> Scores = std::vector<float>(Batch * Heads * Rows * Keys);
  std::vector<float> Features = std::vector<float>(Scores.size() * Dim);
  Owned<heddle_pool> Pool = makePool(3);
};

} // namespace

TEST_F(MergeTest, PartsMakeTheWhole) {
  for (int Count : {1, 2, 3, 7}) {
    std::vector<int> Assigned = split(Count);
    std::vector<Partial> Parts(Count);
    for (int P = 0; P < Count; ++P)
      attend(Assigned, P, Parts[P]);
    Partial Whole, Out;
    attend(Assigned, -1, Whole);
    merge(Parts, Out);
    expectNear(Out, Whole, 1e-5F);
  }
}

TEST_F(MergeTest, IsAssociativeUpToRounding) {
  std::vector<int> Assigned = split(3);
  std::vector<Partial> Parts(3), Left(2), Right(2);
  for (int P = 0; P < 3; ++P)
    attend(Assigned, P, Parts[P]);
  std::vector<Partial> FirstTwo = {Parts[0], Parts[1]};
  std::vector<Partial> LastTwo = {Parts[1], Parts[2]};
  merge(FirstTwo, Left[0]);
  Left[1] = Parts[2];
  Right[0] = Parts[0];
  merge(LastTwo, Right[1]);
  Partial OfLeft, OfRight;
  merge(Left, OfLeft);
  merge(Right, OfRight);
  expectNear(OfLeft, OfRight, 1e-5F);
}

TEST_F(MergeTest, EmptyPartsAreNeutral) {
  std::vector<int> Assigned = split(1);
  std::vector<Partial> Parts(3);
  attend(Assigned, -1, Parts[1]);
  Partial Whole = Parts[1], Out;
  for (int Empty : {0, 2}) {
    Parts[Empty].O.fill(NAN);
    Parts[Empty].Lse.fill(-INFINITY);
  }
  merge(Parts, Out);
  // Nothing is rounded: the weight is exactly one.
  for (int64_t I = 0; I < Out.O.size(); ++I)
    EXPECT_EQ(Out.O.data()[I], Whole.O.data()[I]);
  for (int64_t I = 0; I < Out.Lse.size(); ++I)
    EXPECT_EQ(Out.Lse.data()[I], Whole.Lse.data()[I]);
  // Empty parts alone, or none at all, make an empty row.
  for (std::vector<Partial> Nothing :
       {std::vector<Partial>{Parts[0], Parts[2]}, std::vector<Partial>{}}) {
    merge(Nothing, Out);
    EXPECT_TRUE(Out.O.holdsOnly(0));
    EXPECT_TRUE(Out.Lse.holdsOnly(-INFINITY));
  }
}

TEST_F(MergeTest, TakesEveryStorageType) {
  std::vector<int> Assigned = split(3);
  Partial Whole;
  attend(Assigned, -1, Whole);
  for (heddle_dtype To : {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16}) {
    std::vector<Partial> Parts = {Partial(HEDDLE_F16), Partial(HEDDLE_BF16),
                                  Partial(HEDDLE_F32)};
    for (int P = 0; P < 3; ++P)
      attend(Assigned, P, Parts[P]);
    Partial Out(To);
    merge(Parts, Out);
    expectNear(Out, Whole, 3e-2F);
  }
}

TEST_F(MergeTest, NanSpreadsAndHugeValuesDoNot) {
  std::vector<Partial> Parts(2);
  Partial Out;
  Parts[0].O.fill(1);
  Parts[1].O.fill(3);
  Parts[0].Lse.fill(3e38F);
  Parts[1].Lse.fill(-3e38F);
  merge(Parts, Out);
  EXPECT_TRUE(Out.O.holdsOnly(1));
  EXPECT_TRUE(Out.Lse.holdsOnly(3e38F));
  Parts[1].Lse.fill(NAN);
  merge(Parts, Out);
  EXPECT_TRUE(std::isnan(Out.O.data()[0]));
  EXPECT_TRUE(std::isnan(Out.Lse.data()[0]));
}

TEST_F(MergeTest, WorksInPlace) {
  std::vector<int> Assigned = split(2);
  std::vector<Partial> Parts(2);
  for (int P = 0; P < 2; ++P)
    attend(Assigned, P, Parts[P]);
  Partial Out;
  merge(Parts, Out);
  heddle_part List[] = {Parts[0].part(), Parts[1].part()};
  expectOk(heddle_merge(List, 2, List[1].o, List[1].lse, Pool.get()));
  for (int64_t I = 0; I < Out.O.size(); ++I)
    EXPECT_EQ(Out.O.data()[I], Parts[1].O.data()[I]);
  for (int64_t I = 0; I < Out.Lse.size(); ++I)
    EXPECT_EQ(Out.Lse.data()[I], Parts[1].Lse.data()[I]);
}

TEST_F(MergeTest, RefusesOddTensors) {
  std::vector<Partial> Parts(2);
  Partial Out;
  Out.O.fill(77);
  heddle_part List[] = {Parts[0].part(), Parts[1].part()};
  heddle_part To = Out.part();
  auto Refused = [&](std::initializer_list<const char *> Texts) {
    expectError(heddle_merge(List, 2, To.o, To.lse, Pool.get()),
                HEDDLE_INVALID_ARGUMENT, Texts);
    EXPECT_TRUE(Out.O.holdsOnly(77));
  };
  int64_t Short[] = {Batch, Heads, Rows - 1, Dim};
  Parts[1].OView.shape = Short;
  Refused({"'parts[1].o' has shape (2, 3, 49, 5), expected (2, 3, 50, 5)"});
  Parts[1].part();
  Parts[0].LseView.dtype = HEDDLE_F16;
  Refused({"'parts[0].lse' has dtype f16, expected f32"});
  Parts[0].part();
  Out.OView.dtype = HEDDLE_I32;
  Refused({"'out_o' has dtype i32, expected f32, f16 or bf16"});
  int64_t Endless[] = {int64_t(1) << 31, int64_t(1) << 31, 2, 1};
  Out.part();
  Out.OView.shape = Endless;
  Refused({"'out_o' has shape", "2^63 - 1"});
  Out.part();
  To.lse = &Parts[0].OView;
  Refused({"'out_lse' has rank 4, expected 3"});
  Out.LseView.data = Out.O.data();
  To.lse = &Out.LseView;
  Refused({"'out_o' is written but shares memory with tensor 'out_lse'"});
  To = Out.part();
  // An output is larger than an lse: behind this one there is nothing else.
  std::vector<float> Room(4 * Out.O.size());
  Parts[1].LseView.data = Room.data();
  Out.OView.data = Room.data();
  Refused({"'out_o' is written but shares memory with tensor 'parts[1].lse'"});
  Parts[1].part();
  To = Out.part();
  // The memory of one part with other strides is not that part.
  Out.OView.data = Parts[0].O.data();
  Out.OView.strides = nullptr;
  Refused({"'out_o' is written but shares memory with tensor 'parts[0].o'"});
  To = Out.part();
  List[1].o = nullptr;
  Refused({"'parts[1].o' is null"});
  expectError(heddle_merge(List, -1, To.o, nullptr, Pool.get()),
              HEDDLE_INVALID_ARGUMENT, {"'num_parts' is -1"});
  expectError(heddle_merge(nullptr, 2, To.o, nullptr, Pool.get()),
              HEDDLE_INVALID_ARGUMENT, {"list of parts is null"});
  expectError(heddle_merge(List, 1, To.o, nullptr, nullptr),
              HEDDLE_INVALID_ARGUMENT, {"pool is null"});
  expectError(heddle_merge(List, 1, nullptr, nullptr, Pool.get()),
              HEDDLE_INVALID_ARGUMENT, {"'out_o' is null"});
}
