// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TEST_UNIT_RUNTIME_LINEARSCENE_H
#define HEDDLE_TEST_UNIT_RUNTIME_LINEARSCENE_H

#include "FakeLinear.h"
#include "TestTensors.h"

namespace heddle::test::linear {

/// One problem with its tensors.
struct Scene {
  struct Options {
    std::vector<int64_t> Lengths; ///< Of queries, and of keys if not MoreKeys.
    bool Ragged = false;
    int64_t HeadsQ = 4, HeadsKv = 2, Segments = 1, Origin = 0;
    int64_t MoreKeys = 0; ///< Keys beyond the queries of every sequence.
    int64_t Window = 0;
    heddle_dtype In = HEDDLE_F32, Out = HEDDLE_F32;
    Layout Order = Layout::Bhsd;
  };

  explicit Scene(const Options &Given) : Of(Given) {
    for (int64_t Length : Of.Lengths) {
      OffsetsQ.push_back(OffsetsQ.back() + Length);
      OffsetsK.push_back(OffsetsK.back() + Length + Of.MoreKeys);
    }
    Q = sequences(Of.HeadsQ, OffsetsQ, Rows, Of.In).fillNormal(1);
    K = sequences(Of.HeadsKv, OffsetsK, Rows, Of.In).fillNormal(2);
    V = sequences(Of.HeadsKv, OffsetsK, ValueDim, Of.In).fillNormal(3);
    O = sequences(Of.HeadsQ, OffsetsQ, ValueDim, Of.Out).fill(77);
    StateIn = states(ValueDim, 4).fillNormal(4);
    SumsIn = states(1, 3).fillNormal(5);
    StateOut = states(ValueDim, 4).fill(77);
    SumsOut = states(1, 3).fill(77);
    Decay.resize(Of.HeadsQ * Positions);
    for (size_t I = 0; I < Decay.size(); ++I)
      Decay[I] = 1.0F - 0.1F * static_cast<float>(I % 7);
  }

  int64_t batch() const { return static_cast<int64_t>(Of.Lengths.size()); }

  /// The plan, or nothing and the error in `Error`.
  Owned<heddle_plan> plan(Kernel &Fake, heddle_error **Error) {
    int64_t Shape[] = {Of.HeadsQ, Positions};
    heddle_tensor Table = {Decay.data(), HEDDLE_F32, 2, Shape, nullptr};
    heddle_value Values[2] = {};
    Values[0].table = &Table;
    Values[1].integer = Of.Window;
    std::vector<int64_t> Origins(batch(), Of.Origin);
    heddle_problem Problem = plainProblem(
        batch(), Of.HeadsQ, Of.HeadsKv,
        Of.Ragged ? OffsetsQ.back() : OffsetsQ[1],
        Of.Ragged ? OffsetsK.back() : OffsetsK[1], Origins.data(), Values);
    if (Of.Ragged) {
      Problem.cu_seqlens_q = OffsetsQ.data();
      Problem.cu_seqlens_k = OffsetsK.data();
    }
    Problem.segments = Of.Segments;
    heddle_plan *Plan = nullptr;
    *Error = heddle_plan_create(Fake.get(), &Problem, &Plan);
    return Owned<heddle_plan>(Plan);
  }
  Owned<heddle_plan> plan(Kernel &Fake) {
    heddle_error *Error = nullptr;
    Owned<heddle_plan> Plan = plan(Fake, &Error);
    expectOk(Error);
    return Plan;
  }

  /// Which states a launch is given.
  struct States {
    bool In = true, Out = true, InPlace = false;
  };
  heddle_error *launch(Kernel &Fake, States Which, int32_t Threads = 3) {
    Owned<heddle_plan> Plan = plan(Fake);
    Owned<heddle_pool> Pool = makePool(Threads);
    heddle_tensor Tq = Q.view(), Tk = K.view(), Tv = V.view(), To = O.view(),
                  S0 = StateIn.view(), Z0 = SumsIn.view(), S1 = StateOut.view(),
                  Z1 = SumsOut.view();
    heddle_tensors All = {};
    All.q = &Tq;
    All.k = &Tk;
    All.v = &Tv;
    All.o = &To;
    if (Which.In) {
      All.state_in = &S0;
      All.sums_in = &Z0;
    }
    if (Which.Out) {
      All.state_out = Which.InPlace ? &S0 : &S1;
      All.sums_out = Which.InPlace ? &Z0 : &Z1;
    }
    TaskCalls = StateCalls = StepCalls = Broken = 0;
    heddle_error *Error = heddle_launch(Plan.get(), &All, Pool.get());
    EXPECT_EQ(Broken, 0);
    O.load();
    return Error;
  }

  float *row(TestTensor &T, const std::vector<int64_t> &Offsets, int64_t B,
             int64_t H, int64_t I) const {
    return Of.Ragged ? T.row(0, H, Offsets[B] + I) : T.row(B, H, I);
  }

  /// Compares with the recurrence, key by key.
  void expectResults(bool Causal, States Which, double Tolerance);

  static constexpr int64_t Positions = 600;
  Options Of;
  std::vector<int64_t> OffsetsQ{0}, OffsetsK{0};
  TestTensor Q, K, V, O, StateIn, SumsIn, StateOut, SumsOut;
  std::vector<float> Decay;

private:
  TestTensor sequences(int64_t Heads, const std::vector<int64_t> &Offsets,
                       int64_t Width, heddle_dtype Dtype) const {
    return Of.Ragged ? TestTensor({1, Heads, Offsets.back(), Width}, Of.Order,
                                  4, Dtype)
                     : TestTensor({batch(), Heads, Offsets[1], Width}, Of.Order,
                                  4, Dtype);
  }
  TestTensor states(int64_t Width, int32_t Rank) const {
    return TestTensor({batch(), Of.HeadsQ, Rows, Width}, Of.Order, Rank);
  }
};

inline void Scene::expectResults(bool Causal, States Which, double Tolerance) {
  double Scale = 1 / std::sqrt(double(Rows));
  for (int64_t B = 0; B < batch(); ++B)
    for (int64_t H = 0; H < Of.HeadsQ; ++H) {
      int64_t Queries = OffsetsQ[B + 1] - OffsetsQ[B];
      int64_t Keys = OffsetsK[B + 1] - OffsetsK[B];
      int64_t Kv = H / (Of.HeadsQ / Of.HeadsKv);
      double S[Rows][ValueDim] = {}, Z[Rows] = {};
      for (int64_t R = 0; Which.In && R < Rows; ++R) {
        Z[R] = double(*SumsIn.row(B, H, R));
        for (int64_t F = 0; F < ValueDim; ++F)
          S[R][F] = double(StateIn.row(B, H, R)[F]);
      }
      auto ExpectOutput = [&](int64_t I) {
        for (int64_t F = 0; F < ValueDim; ++F) {
          double Want = 0;
          for (int64_t R = 0; R < Rows; ++R)
            Want += double(row(Q, OffsetsQ, B, H, I)[R]) * (S[R][F] + Z[R]);
          EXPECT_NEAR(double(row(O, OffsetsQ, B, H, I)[F]), Scale * Want,
                      Tolerance * (1 + std::fabs(Want)))
              << "row " << I << " of head " << H << " of sequence " << B;
        }
      };
      for (int64_t J = 0; J < Keys; ++J) {
        double A = Causal ? double(Decay[H * Positions + Of.Origin + J]) : 1;
        for (int64_t R = 0; R < Rows; ++R) {
          auto Key = double(row(K, OffsetsK, B, Kv, J)[R]);
          for (int64_t F = 0; F < ValueDim; ++F)
            S[R][F] = A * S[R][F] + Key * double(row(V, OffsetsK, B, Kv, J)[F]);
          Z[R] = A * Z[R] + Key;
        }
        if (Causal)
          ExpectOutput(J);
      }
      for (int64_t I = 0; !Causal && I < Queries; ++I)
        ExpectOutput(I);
      for (int64_t R = 0; Which.Out && R < Rows; ++R) {
        EXPECT_NEAR(double(*SumsOut.row(B, H, R)), Z[R],
                    1e-5 * (1 + std::fabs(Z[R])));
        for (int64_t F = 0; F < ValueDim; ++F)
          EXPECT_NEAR(double(StateOut.row(B, H, R)[F]), S[R][F],
                      1e-5 * (1 + std::fabs(S[R][F])));
      }
    }
}

} // namespace heddle::test::linear

#endif // HEDDLE_TEST_UNIT_RUNTIME_LINEARSCENE_H
