// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Support.h"
#include "TestTensors.h"

#include <algorithm>
#include <set>
#include <tuple>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;

namespace {

class PlanTest : public testing::Test {
protected:
  Owned<heddle_bundle> Bundle = openBundle("good");
  const heddle_kernel *Window = findKernel(Bundle, "window");
  const heddle_kernel *Growing = findKernel(Bundle, "growing");

  static int64_t cost(const heddle_plan &Plan, const Task &T) {
    KernelArgs Args = Plan.emptyArgs();
    int64_t Out[3];
    Plan.Code->count(&Args.Args, T.Batch, T.Head, T.Tile, 0, Out);
    return Out[0] + Out[1];
  }

  /// Every task once, and none before a longer one.
  static void expectSound(const heddle_plan &Plan) {
    std::set<std::tuple<int64_t, int64_t, int64_t>> Seen;
    int64_t Last = INT64_MAX;
    for (int64_t I = 0; I < Plan.numTasks(); ++I) {
      Task T = Plan.task(I);
      EXPECT_TRUE(Seen.insert({T.Batch, T.Head, T.Tile}).second);
      EXPECT_LT(T.Batch, Plan.Batch);
      EXPECT_LT(T.Head, Plan.HeadsQ);
      EXPECT_LT(T.Tile * 5, Plan.SeqQ);
      int64_t Cost = cost(Plan, T);
      EXPECT_LE(Cost, Last);
      Last = Cost;
    }
    EXPECT_EQ(static_cast<int64_t>(Seen.size()),
              Plan.Batch * Plan.HeadsQ * ((Plan.SeqQ + 4) / 5));
  }
};

} // namespace

TEST_F(PlanTest, HoldsEveryTaskLongestFirst) {
  for (heddle_value Width :
       {integerValue(1), integerValue(3), integerValue(12), integerValue(1000)})
    for (bool Equal : {true, false})
      for (const heddle_kernel *Kernel : {Window, Growing}) {
        int64_t Origin[] = {4, Equal ? 4 : 20, 4};
        heddle_problem Problem = plainProblem(3, 6, 2, 33, 40, Origin, &Width);
        Owned<heddle_plan> Plan = makePlan(Kernel, Problem);
        EXPECT_EQ(heddle_plan_num_tasks(Plan.get()), 3 * 6 * 7);
        expectSound(*Plan);
      }
}

TEST_F(PlanTest, StoresClassesOnly) {
  heddle_value Width = integerValue(10);
  heddle_problem Small = plainProblem(1, 1, 1, 500, 500, nullptr, &Width);
  heddle_problem Large = plainProblem(4, 8, 2, 500, 500, nullptr, &Width);
  Owned<heddle_plan> One = makePlan(Window, Small);
  Owned<heddle_plan> Many = makePlan(Window, Large);
  EXPECT_EQ(One->numClasses(), 100);
  EXPECT_EQ(Many->numClasses(), 100);
  EXPECT_EQ(Many->numTasks(), 3200);
  // A pattern that looks at batch and head has one class per task.
  Owned<heddle_plan> Different = makePlan(Growing, Large);
  EXPECT_EQ(Different->numClasses(), 3200);
  // Different origins tell batches apart, heads still not.
  int64_t Origin[] = {0, 0, 0, 1};
  Large.origin = Origin;
  EXPECT_EQ(makePlan(Window, Large)->numClasses(), 400);
}

/// Every head of every tile once, also where the heads of a task do not divide
/// a group, and never heads of two groups.
TEST_F(PlanTest, GivesTasksSeveralHeads) {
  heddle_value Width = integerValue(10);
  heddle_problem Problem = plainProblem(2, 10, 2, 33, 40, nullptr, &Width);
  Owned<heddle_plan> Plan = makePlan(Window, Problem);
  for (int64_t Heads : {1, 2, 3, 5}) {
    std::set<std::tuple<int64_t, int64_t, int64_t>> Seen;
    const int64_t NumTasks = Plan->numTasksOf(Heads);
    EXPECT_EQ(NumTasks, 2 * 2 * ((5 + Heads - 1) / Heads) * 7);
    for (int64_t I = 0; I < NumTasks; ++I) {
      const Task T = Plan->task(I, Heads);
      for (int64_t H = T.Head; H < T.Head + Heads && H / 5 == T.Head / 5; ++H)
        EXPECT_TRUE(Seen.insert({T.Batch, H, T.Tile}).second);
    }
    EXPECT_EQ(static_cast<int64_t>(Seen.size()), Plan->numTasks());
  }
}

/// As many heads as the code takes, in equal parts; fewer where threads would
/// wait, and one where kept pairs differ from head to head.
TEST_F(PlanTest, ChoosesHeadsPerTask) {
  heddle_value Width = integerValue(10);
  auto Choose = [&](const heddle_kernel *Kernel, int64_t Most, int64_t Group,
                    int64_t Queries, int64_t Threads) {
    heddle_problem Problem =
        plainProblem(1, 2 * Group, 2, Queries, 40, nullptr, &Width);
    Owned<heddle_plan> Plan = makePlan(Kernel, Problem);
    heddle_code Code = *Plan->Code;
    Code.heads = Most;
    Plan->Code = &Code;
    return Plan->headsPerTask(Threads);
  };
  EXPECT_EQ(Choose(Window, 1, 4, 500, 1), 1);
  EXPECT_EQ(Choose(Window, 4, 1, 500, 1), 1);
  EXPECT_EQ(Choose(Window, 4, 3, 500, 1), 3);
  EXPECT_EQ(Choose(Window, 4, 4, 500, 1), 4);
  EXPECT_EQ(Choose(Window, 4, 6, 500, 1), 3);
  EXPECT_EQ(Choose(Window, 4, 8, 500, 2), 4);
  // 2 x 2 tiles: four tasks of two heads are too few for two threads.
  EXPECT_EQ(Choose(Window, 4, 4, 10, 1), 4);
  EXPECT_EQ(Choose(Window, 4, 4, 10, 2), 1);
  // 2 x 6 tiles: tasks of two heads are enough.
  EXPECT_EQ(Choose(Window, 4, 4, 30, 2), 2);
  EXPECT_EQ(Choose(Growing, 4, 4, 500, 1), 1);
  EXPECT_EQ(Choose(Window, 4, 4, 0, 2), 1);
}

TEST_F(PlanTest, MemoryDoesNotGrowWithKeys) {
  heddle_value Width = integerValue(10);
  heddle_problem Short = plainProblem(1, 1, 1, 500, 500, nullptr, &Width);
  heddle_problem Long = plainProblem(1, 1, 1, 500, 50000, nullptr, &Width);
  EXPECT_EQ(heddle_plan_bytes(makePlan(Window, Short).get()),
            heddle_plan_bytes(makePlan(Window, Long).get()));
}

TEST_F(PlanTest, PutsTasksOfEqualKeysSideBySide) {
  // All rows keep everything before them and all of one class of tiles costs
  // the same: heads of a group follow each other.
  heddle_value Width = integerValue(5);
  heddle_problem Problem = plainProblem(2, 6, 2, 200, 200, nullptr, &Width);
  Owned<heddle_plan> Plan = makePlan(Window, Problem);
  int64_t Changes = 0;
  for (int64_t I = 1; I < Plan->numTasks(); ++I) {
    Task A = Plan->task(I - 1), B = Plan->task(I);
    Changes += A.Batch != B.Batch || A.Head / 3 != B.Head / 3;
  }
  // Each run walks the four (batch, key head) pairs once.
  EXPECT_LE(Changes, 4 * static_cast<int64_t>(Plan->Runs.size()));
}

TEST_F(PlanTest, IsDeterministic) {
  heddle_value Width = integerValue(17);
  heddle_problem Problem = plainProblem(2, 4, 2, 100, 90, nullptr, &Width);
  Owned<heddle_plan> A = makePlan(Growing, Problem);
  Owned<heddle_plan> B = makePlan(Growing, Problem);
  EXPECT_EQ(A->Order, B->Order);
  EXPECT_EQ(A->Runs, B->Runs);
}

TEST_F(PlanTest, CountsExactly) {
  heddle_value Width = integerValue(4);
  for (const heddle_kernel *Kernel : {Window, Growing})
    for (int32_t Threads : {1, 3}) {
      int64_t Origin[] = {0, 7};
      heddle_problem Problem = plainProblem(2, 4, 2, 23, 31, Origin, &Width);
      Owned<heddle_plan> Plan = makePlan(Kernel, Problem);
      Owned<heddle_pool> Pool = makePool(Threads);
      heddle_stats Stats = {};
      expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Stats));
      int64_t Kept = 0;
      for (int64_t B = 0; B < 2; ++B)
        for (int64_t H = 0; H < 4; ++H)
          for (int64_t Q = 0; Q < 23; ++Q)
            for (int64_t K = 0; K < 31; ++K) {
              int64_t Distance = Q + Origin[B] - K;
              int64_t W = Width.integer + (Kernel == Growing ? H + 10 * B : 0);
              Kept += Distance >= 0 && Distance < W;
            }
      EXPECT_EQ(Stats.kept_pairs, Kept);
      EXPECT_EQ(Stats.tiles_full + Stats.tiles_partial + Stats.tiles_empty,
                2 * 4 * 5 * 5);
      EXPECT_GT(Stats.tiles_partial, 0);
    }
}

TEST_F(PlanTest, AcceptsZeroSizes) {
  heddle_value Width = integerValue(3);
  const heddle_problem Problems[] = {
      plainProblem(0, 4, 2, 10, 10, nullptr, &Width),
      plainProblem(2, 0, 0, 10, 10, nullptr, &Width),
      plainProblem(2, 4, 2, 0, 10, nullptr, &Width),
      plainProblem(2, 4, 2, 10, 0, nullptr, &Width)};
  Owned<heddle_pool> Pool = makePool(2);
  for (const heddle_kernel *Kernel : {Window, Growing})
    for (const heddle_problem &Problem : Problems) {
      Owned<heddle_plan> Plan = makePlan(Kernel, Problem);
      heddle_stats Stats = {1, 1, 1, 1};
      expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Stats));
      EXPECT_EQ(Stats.kept_pairs, 0);
      EXPECT_EQ(Stats.tiles_full + Stats.tiles_partial + Stats.tiles_empty, 0);
      // Without keys there is still output to write.
      EXPECT_EQ(heddle_plan_num_tasks(Plan.get()),
                Problem.seq_k == 0 ? 2 * 4 * 2 : 0);
    }
}

TEST_F(PlanTest, RefusesOddProblems) {
  constexpr int64_t Beyond = (int64_t(1) << 31) + 1;
  heddle_value Width = integerValue(3), WideWidth = integerValue(-Beyond);
  int64_t FarOrigin[] = {0, Beyond};
  const struct {
    heddle_problem Problem;
    std::initializer_list<const char *> Parts;
  } Cases[] = {
      {plainProblem(-1, 1, 1, 1, 1, nullptr, &Width), {"'batch' is -1"}},
      {plainProblem(1, -4, 1, 1, 1, nullptr, &Width), {"'heads_q' is -4"}},
      {plainProblem(1, 1, -1, 1, 1, nullptr, &Width), {"'heads_kv' is -1"}},
      {plainProblem(1, 1, 1, -5, 1, nullptr, &Width), {"'seq_q' is -5"}},
      {plainProblem(1, 1, 1, 1, INT64_MIN, nullptr, &Width), {"'seq_k'"}},
      {plainProblem(1, 1, 1, 1, Beyond, nullptr, &Width), {"'seq_k'", "2^31"}},
      {plainProblem(1, 3, 2, 1, 1, nullptr, &Width),
       {"'heads_q' is 3", "which is 2"}},
      {plainProblem(1, 3, 0, 1, 1, nullptr, &Width),
       {"'heads_kv', which is 0"}},
      {plainProblem(1024, 8, 8, Beyond - 1, Beyond - 1, nullptr, &Width),
       {"2^63 - 1 (query, key) pairs"}},
      {plainProblem(Beyond - 1, Beyond - 1, Beyond - 1, 2, 1, nullptr, &Width),
       {"2^63 - 1"}},
      {plainProblem(2, 1, 1, 1, 1, FarOrigin, &Width),
       {"'origin' of sequence 1"}},
      {plainProblem(1, 1, 1, 1, 1), {"'params' is null"}},
      {plainProblem(1, 1, 1, 1, 1, nullptr, &WideWidth),
       {"'window'", "-2147483649"}},
  };
  for (const auto &Case : Cases) {
    heddle_plan *Plan = nullptr;
    expectError(heddle_plan_create(Window, &Case.Problem, &Plan),
                HEDDLE_INVALID_ARGUMENT, Case.Parts);
    EXPECT_EQ(Plan, nullptr);
  }
}

TEST_F(PlanTest, RefusesStrangeCode) {
  heddle_value Width = integerValue(3);
  heddle_problem Problem = plainProblem(1, 1, 1, 1, 1, nullptr, &Width);
  heddle_code Foreign = heddle_kernel_entry(Window)->codes[0];
  heddle_plan *Plan = nullptr;
  expectError(heddle_plan_create_with(Window, &Foreign, &Problem, &Plan),
              HEDDLE_INVALID_ARGUMENT, {"not one of kernel 'window'"});
  expectError(heddle_plan_create(nullptr, &Problem, &Plan),
              HEDDLE_INVALID_ARGUMENT, {"kernel is null"});
  expectError(heddle_plan_create(Window, nullptr, &Plan),
              HEDDLE_INVALID_ARGUMENT, {"problem is null"});
}
