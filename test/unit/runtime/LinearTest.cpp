// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LinearScene.h"

#include <cstring>

using namespace heddle;
using namespace heddle::test;
using namespace heddle::test::linear;

/// True if two tensors have the same bits.
static bool equal(TestTensor &A, TestTensor &B) {
  return A.size() == B.size() &&
         std::memcmp(A.data(), B.data(), A.size() * sizeof(float)) == 0;
}

TEST(Linear, ComputesPlainAndRaggedBatchesInAnySegments) {
  Kernel Causal = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Kernel All = Kernel::make<HEDDLE_F32, HEDDLE_F32, false>();
  for (bool Ragged : {false, true})
    for (Layout Order : {Layout::Bhsd, Layout::Bshd})
      for (int64_t Segments : {0, 1, 2, 3, 100})
        for (bool In : {false, true}) {
          Scene::Options Of;
          Of.Lengths = Ragged ? std::vector<int64_t>{30, 1, 0, 2, 5, 17}
                              : std::vector<int64_t>{29, 29};
          Of.Ragged = Ragged;
          Of.Order = Order;
          Of.Segments = Segments;
          Of.Origin = 3;
          Scene S(Of);
          Scene::States Which{In, true, false};
          expectOk(S.launch(Causal, Which));
          S.expectResults(true, Which, 1e-5);
          // As many keys as queries, and more of them.
          for (int64_t More : {0, 9}) {
            Of.MoreKeys = More;
            Scene Both(Of);
            expectOk(Both.launch(All, Which));
            Both.expectResults(false, Which, 1e-5);
          }
          Of.MoreKeys = 0;
        }
}

TEST(Linear, CutsSequencesIntoWholeChunks) {
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  const struct {
    int64_t Length, Segments, Want;
  } Cases[] = {{29, 1, 1}, {29, 2, 2}, {29, 3, 3},   {29, 5, 4},
               {29, 8, 8}, {32, 8, 8}, {29, 100, 8}, {4, 2, 1},
               {5, 2, 2},  {1, 9, 1},  {0, 3, 1}};
  for (const auto &Case : Cases) {
    Scene::Options Of;
    Of.Lengths = {Case.Length};
    Of.Segments = Case.Segments;
    Scene S(Of);
    EXPECT_EQ(heddle_plan_num_tasks(S.plan(Fake).get()), Case.Want * Of.HeadsQ)
        << Case.Length << " in " << Case.Segments;
    expectOk(S.launch(Fake, {}));
    int64_t Cut = Case.Want > 1 ? Case.Want : 0;
    EXPECT_EQ(StateCalls, std::max<int64_t>(0, Cut - 1) * Of.HeadsQ);
  }
  // What is not to be cut.
  Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Fake.entry().can_scan = 0;
  Fake.code().state = nullptr;
  Scene::Options Of;
  Of.Lengths = {29};
  Of.Segments = 5;
  Scene S(Of);
  expectOk(S.launch(Fake, {}));
  EXPECT_EQ(TaskCalls, Of.HeadsQ);
  S.expectResults(true, {}, 1e-5);
}

TEST(Linear, CutsOfItsOwnAccordWhereFewHeadsMeetManyTokens) {
  auto Segments = [](int64_t Batch, int64_t Heads, int64_t Length,
                     int64_t Threads = 0) {
    Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, false>();
    Fake.entry().num_checks = 0;
    float One = 1;
    int64_t Shape[] = {1, 1};
    heddle_tensor Table = {&One, HEDDLE_F32, 2, Shape, nullptr};
    heddle_value Values[2] = {};
    Values[0].table = &Table;
    heddle_problem Problem =
        plainProblem(Batch, Heads, 1, Length, Length, nullptr, Values);
    Problem.threads = Threads;
    Owned<heddle_plan> Plan = makePlan(Fake.get(), Problem);
    return heddle_plan_num_tasks(Plan.get()) / Batch / Heads;
  };
  EXPECT_EQ(Segments(1, 1, 100000), 16);
  EXPECT_EQ(Segments(1, 4, 100000), 4);
  EXPECT_EQ(Segments(2, 2, 100000), 4);
  EXPECT_EQ(Segments(1, 5, 100000), 1);
  EXPECT_EQ(Segments(64, 8, 100000), 1);
  // Too short for as many.
  EXPECT_EQ(Segments(1, 1, 4096), 8);
  EXPECT_EQ(Segments(1, 1, 2000), 1);
  // For so many threads.
  EXPECT_EQ(Segments(1, 1, 100000, 1), 1);
  EXPECT_EQ(Segments(1, 1, 100000, 2), 2);
  EXPECT_EQ(Segments(1, 1, 100000, 64), 64);
  EXPECT_EQ(Segments(2, 2, 100000, 4), 1);
  EXPECT_EQ(Segments(2, 2, 100000, 7), 1);
  EXPECT_EQ(Segments(2, 2, 100000, 8), 2);
}

TEST(Linear, ReadsAndWritesOtherTypes) {
  for (bool Ragged : {false, true}) {
    Scene::Options Of;
    Of.Lengths =
        Ragged ? std::vector<int64_t>{7, 22} : std::vector<int64_t>{21, 21};
    Of.Ragged = Ragged;
    Of.Segments = 3;
    Of.In = HEDDLE_BF16;
    Kernel Mixed = Kernel::make<HEDDLE_BF16, HEDDLE_F32, true>();
    Scene S(Of);
    expectOk(S.launch(Mixed, {}));
    S.expectResults(true, {}, 1e-5);
    Of.In = HEDDLE_F32;
    Of.Out = HEDDLE_F16;
    Kernel Narrow = Kernel::make<HEDDLE_F32, HEDDLE_F16, true>();
    Scene T(Of);
    expectOk(T.launch(Narrow, {}));
    T.expectResults(true, {}, 4e-3);
  }
}

TEST(Linear, GivesTheSameBitsOnAnyNumberOfThreads) {
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Scene::Options Of;
  Of.Lengths = {50, 3, 33};
  Of.Ragged = true;
  Of.Segments = 5;
  Scene S(Of);
  expectOk(S.launch(Fake, {}, 1));
  TestTensor O = S.O, State = S.StateOut, Sums = S.SumsOut;
  for (int32_t Threads : {2, 3, 7}) {
    expectOk(S.launch(Fake, {}, Threads));
    EXPECT_TRUE(equal(O, S.O) && equal(State, S.StateOut) &&
                equal(Sums, S.SumsOut));
  }
}

TEST(Linear, AdvancesStatesInPlace) {
  Kernel Causal = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Kernel All = Kernel::make<HEDDLE_F32, HEDDLE_F32, false>();
  for (Kernel *Fake : {&Causal, &All})
    for (int64_t Segments : {1, 4}) {
      Scene::Options Of;
      Of.Lengths = {20, 0, 2, 31};
      Of.Ragged = true;
      Of.Segments = Segments;
      Scene Apart(Of), Same(Of);
      expectOk(Apart.launch(*Fake, {}));
      expectOk(Same.launch(*Fake, {true, true, true}));
      EXPECT_TRUE(equal(Apart.O, Same.O));
      EXPECT_TRUE(equal(Apart.StateOut, Same.StateIn));
      EXPECT_TRUE(equal(Apart.SumsOut, Same.SumsIn));
      EXPECT_TRUE(Same.StateOut.holdsOnly(77));
    }
}

TEST(Linear, ContinuesWhereAnotherLaunchEnded) {
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Scene::Options Of;
  Of.Lengths = {24};
  Of.Origin = 5;
  Scene Whole(Of);
  expectOk(Whole.launch(Fake, {}));
  TestTensor State = Whole.StateIn, Sums = Whole.SumsIn;
  int64_t Done = 0;
  for (int64_t Length : {7, 1, 2, 13, 1}) {
    Of.Lengths = {Length};
    Of.Origin = 5 + Done;
    Scene Part(Of);
    for (int64_t H = 0; H < Of.HeadsQ; ++H)
      for (int64_t I = 0; I < Length; ++I) {
        std::copy_n(Whole.Q.row(0, H, Done + I), Rows, Part.Q.row(0, H, I));
        int64_t Kv = H / 2;
        std::copy_n(Whole.K.row(0, Kv, Done + I), Rows, Part.K.row(0, Kv, I));
        std::copy_n(Whole.V.row(0, Kv, Done + I), ValueDim,
                    Part.V.row(0, Kv, I));
      }
    Part.StateIn = State;
    Part.SumsIn = Sums;
    expectOk(Part.launch(Fake, {true, true, true}));
    EXPECT_EQ(StepCalls, Length <= StepTokens ? Of.HeadsQ : 0);
    EXPECT_EQ(TaskCalls, Length <= StepTokens ? 0 : Of.HeadsQ);
    State = Part.StateIn;
    Sums = Part.SumsIn;
    for (int64_t H = 0; H < Of.HeadsQ; ++H)
      for (int64_t I = 0; I < Length; ++I)
        for (int64_t F = 0; F < ValueDim; ++F)
          EXPECT_NEAR(Part.O.row(0, H, I)[F], Whole.O.row(0, H, Done + I)[F],
                      1e-4);
    Done += Length;
  }
  for (int64_t I = 0; I < State.size(); ++I)
    EXPECT_NEAR(State.data()[I], Whole.StateOut.data()[I], 1e-4);
  for (int64_t I = 0; I < Sums.size(); ++I)
    EXPECT_NEAR(Sums.data()[I], Whole.SumsOut.data()[I], 1e-4);
}

TEST(Linear, StepsWhereTokensAreFew) {
  Kernel Causal = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Kernel All = Kernel::make<HEDDLE_F32, HEDDLE_F32, false>();
  Scene::Options Of;
  Of.Lengths = {3, 1, 2};
  Of.Ragged = true;
  Scene S(Of);
  expectOk(S.launch(Causal, {}));
  EXPECT_EQ(StepCalls, 2 * Of.HeadsQ);
  EXPECT_EQ(TaskCalls, Of.HeadsQ);
  expectOk(S.launch(All, {}));
  EXPECT_EQ(StepCalls, 2 * Of.HeadsQ);
  // Few queries of many keys are no step where all keys are looked at.
  Of.MoreKeys = 1;
  Scene More(Of);
  expectOk(More.launch(All, {}));
  EXPECT_EQ(StepCalls, Of.HeadsQ);
  EXPECT_EQ(TaskCalls, 2 * Of.HeadsQ);
  // Nor are segments.
  Of.MoreKeys = 0;
  Of.Lengths = {5};
  Of.Ragged = false;
  Of.Segments = 2;
  Scene Cut(Of);
  expectOk(Cut.launch(Causal, {}));
  EXPECT_EQ(StepCalls, 0);
  EXPECT_EQ(TaskCalls, 2 * Of.HeadsQ);
}

TEST(Linear, PassesStatesOverEmptySequences) {
  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  Scene::Options Of;
  Of.Lengths = {0, 0};
  Of.Ragged = true;
  Scene S(Of);
  expectOk(S.launch(Fake, {}));
  EXPECT_TRUE(equal(S.StateOut, S.StateIn) && equal(S.SumsOut, S.SumsIn));
  expectOk(S.launch(Fake, {false, true, false}));
  EXPECT_TRUE(S.StateOut.holdsOnly(0) && S.SumsOut.holdsOnly(0));
  EXPECT_EQ(TaskCalls + StepCalls + StateCalls, 0);
  expectOk(S.launch(Fake, {true, false, false}));
}

TEST(Linear, KeepsAWindowOutOfTheState) {
  Kernel Fake = Kernel::makeWindow();
  Scene::Options Of;
  Of.Lengths = {9};
  Of.MoreKeys = 4;
  Of.Window = 4;
  Scene S(Of);
  expectOk(S.launch(Fake, {}));
  // The state that comes out covers all keys but the last four.
  Scene::Options Less = Of;
  Less.Window = 0;
  Less.MoreKeys = 0;
  Scene Covered(Less);
  for (int64_t H = 0; H < Of.HeadsKv; ++H)
    for (int64_t J = 0; J < 9; ++J) {
      std::copy_n(S.K.row(0, H, J), Rows, Covered.K.row(0, H, J));
      std::copy_n(S.V.row(0, H, J), ValueDim, Covered.V.row(0, H, J));
    }
  Kernel Plain = Kernel::make<HEDDLE_F32, HEDDLE_F32, true>();
  expectOk(Covered.launch(Plain, {}));
  EXPECT_TRUE(equal(S.StateOut, Covered.StateOut));
  EXPECT_TRUE(equal(S.O, Covered.O));
}
