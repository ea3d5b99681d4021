// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"
#include "TestTensors.h"

#include <cfloat>
#include <cmath>
#include <cstring>
#include <thread>

using namespace heddle;
using namespace heddle::test;

namespace {

constexpr int64_t HeadDim = 8, ValueDim = 4;

struct Sizes {
  int64_t Batch, HeadsQ, HeadsKv, SeqQ, SeqK;
};

struct Operands {
  TestTensor Q, K, V, O, Lse;
};

/// One problem with tensors, ready to launch.
class LaunchTest : public testing::TestWithParam<Layout> {
protected:
  void SetUp() override { make({2, 4, 2, 13, 17}); }

  TestTensor tensor(int64_t Heads, int64_t Length, int64_t Features,
                    int32_t Rank = 4) const {
    return TestTensor({Size.Batch, Heads, Length, Features}, GetParam(), Rank);
  }

  void make(Sizes NewSizes) {
    Size = NewSizes;
    Data.Q = tensor(Size.HeadsQ, Size.SeqQ, HeadDim).fillNormal(1);
    Data.K = tensor(Size.HeadsKv, Size.SeqK, HeadDim).fillNormal(2);
    Data.V = tensor(Size.HeadsKv, Size.SeqK, ValueDim).fillNormal(3);
    Data.O = tensor(Size.HeadsQ, Size.SeqQ, ValueDim);
    Data.Lse = tensor(Size.HeadsQ, Size.SeqQ, 1, 3);
    Q = Data.Q.view();
    K = Data.K.view();
    V = Data.V.view();
    O = Data.O.view();
    Lse = Data.Lse.view();
    Tensors = {};
    Tensors.q = &Q;
    Tensors.k = &K;
    Tensors.v = &V;
    Tensors.o = &O;
    Tensors.lse = &Lse;
    Origins.assign(Size.Batch, 1);
    Plan = plan("window");
    fillOutputs();
  }

  Owned<heddle_plan> plan(const char *Kernel) {
    heddle_value Value = integerValue(Width);
    return makePlan(findKernel(Bundle, Kernel),
                    plainProblem(Size.Batch, Size.HeadsQ, Size.HeadsKv,
                                 Size.SeqQ, Size.SeqK, Origins.data(), &Value));
  }

  void fillOutputs() {
    Data.O.fill(77);
    Data.Lse.fill(77);
  }

  bool outputsUntouched() {
    return Data.O.holdsOnly(77) && Data.Lse.holdsOnly(77);
  }

  void expectRefused(std::initializer_list<const char *> Parts) {
    expectError(heddle_launch(Plan.get(), &Tensors, Pool.get()),
                HEDDLE_INVALID_ARGUMENT, Parts);
    EXPECT_TRUE(outputsUntouched());
  }

  /// Row by row, straight from the definition, in f64.
  void expectResults(double Scale) {
    for (int64_t B = 0; B < Size.Batch; ++B)
      for (int64_t H = 0; H < Size.HeadsQ; ++H)
        for (int64_t I = 0; I < Size.SeqQ; ++I) {
          int64_t Kv = H / (Size.HeadsQ / Size.HeadsKv);
          double Norm = 0, Want[ValueDim] = {};
          for (int64_t J = 0; J < Size.SeqK; ++J) {
            int64_t Distance = I + Origins[B] - J;
            if (Distance < 0 || Distance >= Width)
              continue;
            double Score = 0;
            for (int64_t F = 0; F < HeadDim; ++F)
              Score += double(Data.Q.row(B, H, I)[F]) *
                       double(Data.K.row(B, Kv, J)[F]);
            double Weight = std::exp(Score * Scale);
            Norm += Weight;
            for (int64_t F = 0; F < ValueDim; ++F)
              Want[F] += Weight * double(Data.V.row(B, Kv, J)[F]);
          }
          for (int64_t F = 0; F < ValueDim; ++F)
            EXPECT_NEAR(Data.O.row(B, H, I)[F], Norm > 0 ? Want[F] / Norm : 0,
                        1e-5);
          if (Norm > 0)
            EXPECT_NEAR(*Data.Lse.row(B, H, I), std::log(Norm), 1e-5);
          else
            EXPECT_EQ(*Data.Lse.row(B, H, I), -INFINITY);
        }
  }

  Owned<heddle_bundle> Bundle = openBundle("good");
  Owned<heddle_pool> Pool = makePool(2);
  Sizes Size = {};
  Operands Data;
  std::vector<int64_t> Origins;
  int64_t Width = 5;
  Owned<heddle_plan> Plan;
  heddle_tensor Q, K, V, O, Lse;
  heddle_tensors Tensors;
};

INSTANTIATE_TEST_SUITE_P(Layouts, LaunchTest,
                         testing::Values(Layout::Bhsd, Layout::Bshd),
                         [](const auto &Info) {
                           return std::string(
                               Info.param == Layout::Bhsd ? "bhsd" : "bshd");
                         });

} // namespace

TEST_P(LaunchTest, ComputesTheDefinition) {
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(1 / std::sqrt(double(HeadDim)));
  Tensors.scale = 0.25F;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(0.25);
}

TEST_P(LaunchTest, GivesEmptyRowsZeroAndMinusInfinity) {
  // With origin 1 and more queries than keys, the last rows keep nothing.
  make({1, 2, 1, 30, 10});
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(1 / std::sqrt(double(HeadDim)));
  EXPECT_EQ(*Data.Lse.row(0, 0, 29), -INFINITY);
  EXPECT_EQ(Data.O.row(0, 1, 29)[0], 0);
}

TEST_P(LaunchTest, WithoutKeysWritesEmptyRows) {
  make({1, 2, 1, 7, 0});
  K.data = V.data = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(1);
}

TEST_P(LaunchTest, WithoutQueriesDoesNothing) {
  make({1, 2, 1, 0, 7});
  Q.data = O.data = Lse.data = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
}

TEST_P(LaunchTest, LseIsOptional) {
  Tensors.lse = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  for (int64_t I = 0; I < Data.Lse.size(); ++I)
    EXPECT_EQ(Data.Lse.data()[I], 77);
  EXPECT_NE(Data.O.data()[0], 77);
}

TEST_P(LaunchTest, IsBitEqualForAnyThreadsAndReruns) {
  std::vector<float> First;
  for (int32_t Threads : {1, 2, 3, 7, 7}) {
    Owned<heddle_pool> Other = makePool(Threads);
    fillOutputs();
    expectOk(heddle_launch(Plan.get(), &Tensors, Other.get()));
    std::vector<float> Now(Data.O.data(), Data.O.data() + Data.O.size());
    if (First.empty())
      First = Now;
    EXPECT_EQ(std::memcmp(First.data(), Now.data(), 4 * Now.size()), 0);
  }
}

TEST_P(LaunchTest, SeveralHostThreadsShareAPool) {
  std::vector<std::thread> Hosts;
  std::vector<TestTensor> Outputs(4), Lses(4);
  for (int Host = 0; Host < 4; ++Host) {
    Outputs[Host] = tensor(Size.HeadsQ, Size.SeqQ, ValueDim);
    Lses[Host] = tensor(Size.HeadsQ, Size.SeqQ, 1, 3);
    Hosts.emplace_back([this, &Out = Outputs[Host], &OutLse = Lses[Host]] {
      heddle_tensor MyO = Out.view(), MyLse = OutLse.view();
      heddle_tensors Mine = Tensors;
      Mine.o = &MyO;
      Mine.lse = &MyLse;
      for (int Round = 0; Round < 20; ++Round)
        expectOk(heddle_launch(Plan.get(), &Mine, Pool.get()));
    });
  }
  for (std::thread &Host : Hosts)
    Host.join();
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  for (int Host = 0; Host < 4; ++Host)
    EXPECT_EQ(
        std::memcmp(Outputs[Host].data(), Data.O.data(), 4 * Data.O.size()), 0);
}

TEST_P(LaunchTest, KernelsFlushDenormalResultsAndTheCallerDoesNot) {
  Owned<heddle_plan> State = plan("state");
  for (int32_t Threads : {1, 3}) {
    Owned<heddle_pool> Other = makePool(Threads);
    expectOk(heddle_launch(State.get(), &Tensors, Other.get()));
    for (int64_t B = 0; B < Size.Batch; ++B)
      for (int64_t H = 0; H < Size.HeadsQ; ++H)
        for (int64_t I = 0; I < Size.SeqQ; ++I) {
#if defined(__SSE2__)
          EXPECT_EQ(Data.O.row(B, H, I)[0], 1) << "a denormal result survives";
#endif
          EXPECT_EQ(Data.O.row(B, H, I)[1], 1) << "a denormal operand is lost";
        }
    volatile float Small = FLT_MIN, Half = 0.5F;
    EXPECT_NE(Small * Half, 0.0F);
  }
}

TEST_P(LaunchTest, AcceptsStridedViews) {
  // Rows of q, k and v side by side in one packed buffer of four slots.
  constexpr int64_t Slot = HeadDim + HeadDim + ValueDim;
  int64_t Heads = 2, Length = 9;
  std::vector<float> Packed(2 * Heads * Length * Slot);
  for (size_t I = 0; I < Packed.size(); ++I)
    Packed[I] = std::sin(static_cast<float>(I));
  make({2, Heads, Heads, Length, Length});
  int64_t Strides[] = {Heads * Length * Slot, Slot, Heads * Slot, 1};
  Q.strides = K.strides = V.strides = Strides;
  Q.data = Packed.data();
  K.data = Packed.data() + HeadDim;
  V.data = Packed.data() + 2 * HeadDim;
  for (int64_t B = 0; B < 2; ++B)
    for (int64_t H = 0; H < Heads; ++H)
      for (int64_t I = 0; I < Length; ++I) {
        const float *Row =
            &Packed[B * Strides[0] + H * Strides[1] + I * Strides[2]];
        std::copy_n(Row, HeadDim, Data.Q.row(B, H, I));
        std::copy_n(Row + HeadDim, HeadDim, Data.K.row(B, H, I));
        std::copy_n(Row + 2 * HeadDim, ValueDim, Data.V.row(B, H, I));
      }
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(1 / std::sqrt(double(HeadDim)));
}

TEST_P(LaunchTest, RowMajorIsTheDefault) {
  // With one head both layouts are row major.
  make({2, 1, 1, 13, 17});
  Q.strides = K.strides = V.strides = O.strides = Lse.strides = nullptr;
  expectOk(heddle_launch(Plan.get(), &Tensors, Pool.get()));
  expectResults(1 / std::sqrt(double(HeadDim)));
}

TEST_P(LaunchTest, RefusesOddTensors) {
  int64_t Wrong[] = {2, 4, 13, 9};
  int64_t Strides[] = {1000, 100, 10, 2};
  heddle_tensor Good = Q;

  Tensors.k = nullptr;
  expectRefused({"tensor 'k' is null"});
  Tensors.k = &K;
  Q.rank = 3;
  expectRefused({"tensor 'q' has rank 3, expected 4"});
  Q = Good;
  Q.dtype = 9;
  expectRefused({"tensor 'q' has dtype 9, expected f32"});
  Q = Good;
  Q.shape = nullptr;
  expectRefused({"tensor 'q' has no shape"});
  Q.shape = Wrong;
  expectRefused({"shape (2, 4, 13, 9), expected (2, 4, 13, 8)"});
  Q = Good;
  Q.data = nullptr;
  expectRefused({"tensor 'q'", "has no data"});
  Q.data = static_cast<char *>(Good.data) + 1;
  expectRefused({"not aligned"});
  Q = Good;
  Q.strides = Strides;
  expectRefused({"feature stride 2, expected 1"});
  int64_t Endless[] = {INT64_MAX, 100, 10, 1};
  Q.strides = Endless;
  expectRefused({"leaves the address space"});
  Q = Good;
  Lse.rank = 4;
  expectRefused({"tensor 'lse' has rank 4, expected 3"});
}

TEST_P(LaunchTest, RefusesPlainSharing) {
  heddle_tensor Good = O;
  int64_t Repeated[] = {52, 13, 0, 1};
  O.strides = Repeated;
  expectRefused({"'o'", "stride 0 on axis 2"});
  O = Good;
  V.data = O.data;
  expectRefused({"'o' is written but shares memory with tensor 'v'"});
  V = Data.V.view();
  Lse.data = Data.O.data() + 5;
  expectRefused({"shares memory with tensor"});
}

TEST_P(LaunchTest, RefusesOddScalars) {
  for (float Scale : {NAN, INFINITY, -INFINITY}) {
    Tensors.scale = Scale;
    expectRefused({"'scale' is", "finite"});
  }
  Tensors.scale = 1;
  expectError(heddle_launch(nullptr, &Tensors, Pool.get()),
              HEDDLE_INVALID_ARGUMENT, {"plan is null"});
  expectError(heddle_launch(Plan.get(), nullptr, Pool.get()),
              HEDDLE_INVALID_ARGUMENT, {"list of tensors is null"});
  expectError(heddle_launch(Plan.get(), &Tensors, nullptr),
              HEDDLE_INVALID_ARGUMENT, {"pool is null"});
}
