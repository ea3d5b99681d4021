// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a plan refuses of sequences, grids, tables and sets, and how tasks on
// grids are counted.

#include "FakeKernel.h"
#include "Plan.h"
#include "TestTensors.h"

#include <set>

using namespace heddle;
using namespace heddle::runtime;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

/// A problem of two sequences, valid until a test changes it.
class ProblemTest : public testing::Test {
protected:
  ProblemTest() {
    Values[0].table = &Doc;
    Values[1].sets = &Sets;
    Problem = plainProblem(2, 2, 1, 9, 8, nullptr, Values);
  }

  void expectRefused(std::initializer_list<const char *> Parts,
                     heddle_code_kind Kind = HEDDLE_INVALID_ARGUMENT) {
    heddle_plan *Plan = nullptr;
    expectError(heddle_plan_create(Fake.get(), &Problem, &Plan), Kind, Parts);
    EXPECT_EQ(Plan, nullptr);
  }
  Owned<heddle_plan> plan() { return makePlan(Fake.get(), Problem); }

  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>();
  std::vector<int32_t> Ids = std::vector<int32_t>(2 * 9);
  std::vector<int32_t> Members = {1, 4, 6};
  int64_t DocShape[2] = {2, 9}, ListShape[3] = {1, 1, 3};
  heddle_tensor Doc = {Ids.data(), HEDDLE_I32, 2, DocShape, nullptr};
  heddle_tensor List = {Members.data(), HEDDLE_I32, 3, ListShape, nullptr};
  heddle_sets Sets = {HEDDLE_LISTS, 9, &List, nullptr, nullptr, nullptr};
  heddle_value Values[2] = {};
  heddle_problem Problem = {};
};

} // namespace

TEST_F(ProblemTest, ReportsIndexTimeAndBytes) {
  Owned<heddle_plan> Plan = plan();
  EXPECT_GT(heddle_plan_index_time(Plan.get()), 0);
  EXPECT_LT(heddle_plan_index_time(Plan.get()), 1000);
  int64_t Small = heddle_plan_bytes(Plan.get());
  // The universe counts with its bits and ranks.
  Sets.size = 64 * 1000;
  EXPECT_GE(heddle_plan_bytes(plan().get()), Small + 12 * 990);
  EXPECT_EQ(heddle_plan_index_time(nullptr), 0);
}

TEST_F(ProblemTest, RefusesOddSequences) {
  int64_t Queries[] = {0, 4, 9}, Keys[] = {0, 5, 8};
  Problem.cu_seqlens_q = Queries;
  expectRefused({"'cu_seqlens_k' is null though 'cu_seqlens_q' is not"});
  Problem.cu_seqlens_k = Keys;
  EXPECT_TRUE(plan());
  Problem.cu_seqlens_q = nullptr;
  expectRefused({"'cu_seqlens_q' is null though 'cu_seqlens_k' is not"});
  Problem.cu_seqlens_q = Queries;
  Queries[0] = 1;
  expectRefused({"'cu_seqlens_q' begins with 1, expected 0"});
  Queries[0] = 0;
  Queries[1] = 10;
  expectRefused({"'cu_seqlens_q' has 9 after 10 at sequence 1", "overlap"});
  Queries[1] = 4;
  Keys[2] = 7;
  expectRefused({"'cu_seqlens_k' ends with 7, expected 'seq_k', which is 8"});
  // Offsets are read when the plan is made, whoever vouches for them.
  Problem.trusted = 1;
  expectRefused({"'cu_seqlens_k' ends with 7"});
}

TEST_F(ProblemTest, RefusesOddSources) {
  Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 2>();
  expectRefused({"'more_seq_k' is null, expected 1 for the further sources of "
                 "kernel 'fake'"});
  int64_t More = -3;
  Problem.more_seq_k = &More;
  expectRefused({"'more_seq_k[0]' is -3"});
  More = (int64_t(1) << 31) + 1;
  expectRefused({"'more_seq_k[0]' is 2147483649"});
  More = 5;
  EXPECT_TRUE(plan());
}

TEST_F(ProblemTest, LetsTheKernelCheckItsOperands) {
  DocShape[1] = 7;
  expectRefused({"table 'doc' is read at indices 0 to 8 along axis 1, which "
                 "has 7 elements; give an element for each index"});
  // One for all.
  DocShape[0] = DocShape[1] = 1;
  EXPECT_TRUE(plan());
  Sets.size = 8;
  expectRefused({"'keys' is smaller than the sequence"});
  Fake.code().check = [](const heddle_args *, int64_t *) { return int64_t(3); };
  expectRefused({"kernel 'fake' reports check 3, expected at most 2"},
                HEDDLE_INVALID_BUNDLE);
  // Without a query nothing is read.
  Problem.seq_q = 0;
  EXPECT_TRUE(plan());
}

/// Every sequence that a check was asked about: queries, keys, origin.
static std::vector<std::array<int64_t, 3>> Asked;

TEST_F(ProblemTest, ChecksEveryLengthAndOriginOnce) {
  Asked.clear();
  Fake.code().check = [](const heddle_args *Args, int64_t *) {
    const heddle_source &Source = Args->sources[0];
    for (const heddle_view *View : {&Args->q, &Args->o, &Args->lse, &Source.k,
                                    &Source.v, &Source.column_sums}) {
      EXPECT_EQ(View->offsets, nullptr);
      EXPECT_EQ(View->shape[0], 5);
    }
    EXPECT_EQ(Args->o.shape[2], Args->q.shape[2]);
    EXPECT_EQ(Source.v.shape[2], Source.k.shape[2]);
    Asked.push_back({Args->q.shape[2], Source.k.shape[2], *Args->origin});
    return int64_t(0);
  };
  DocShape[0] = 1;
  // Equal lengths with equal origins are one; no queries are none.
  int64_t Queries[] = {0, 2, 4, 4, 6, 9}, Keys[] = {0, 3, 6, 7, 7, 8};
  int64_t Origin[] = {5, 5, 5, 6, 5};
  Problem.batch = 5;
  Problem.origin = Origin;
  Problem.cu_seqlens_q = Queries;
  Problem.cu_seqlens_k = Keys;
  EXPECT_TRUE(plan());
  EXPECT_EQ(Asked, (std::vector<std::array<int64_t, 3>>{
                       {2, 3, 5}, {2, 0, 6}, {3, 1, 5}}));
}

TEST_F(ProblemTest, RefusesOddOperands) {
  Ids.resize(1);
  Members = {1, 4, 4};
  expectRefused({"set 'keys'(0, 0) has member 4 twice"});
  Problem.trusted = 1;
  EXPECT_TRUE(plan());
  List.rank = 2;
  expectRefused({"'indices' of set 'keys' has 2 axes, expected 3"});
  Doc.dtype = HEDDLE_F32;
  expectRefused({"table 'doc' has dtype f32"});
  Values[0].table = nullptr;
  expectRefused({"table 'doc' is null"});
  Problem.params = nullptr;
  expectRefused({"'params' is null, expected 2 values for kernel 'fake'"});
}

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

static void boxCount(const heddle_args *, int64_t, int64_t, int64_t Tile,
                     int32_t, int64_t Out[3]) {
  Out[0] = Tile % 3;
  Out[1] = Out[2] = 0;
}

namespace {

/// A kernel on a grid of 3 x 4 boxes for queries and 2 x 5 ones for keys.
class GridTest : public testing::Test {
protected:
  GridTest() {
    heddle_entry &Entry = Fake.entry();
    Entry.params = Params;
    Entry.num_params = 4;
    Entry.num_checks = 0;
    Entry.uses_batch = Entry.uses_head = 0;
    Entry.grid_axes = 2;
    for (int64_t Axis = 0; Axis < 2; ++Axis) {
      Entry.query_grid[Axis] = Axis;
      Entry.key_grid[Axis] = 2 + Axis;
    }
    heddle_code &Code = Fake.code();
    Code.count = boxCount;
    Code.query_tile = 12;
    Code.key_tile = 10;
    Code.query_box[0] = 3;
    Code.query_box[1] = 4;
    Code.key_box[0] = 2;
    Code.key_box[1] = 5;
  }

  void setExtents(int64_t H, int64_t W, int64_t KeyH, int64_t KeyW) {
    Values[0] = integerValue(H);
    Values[1] = integerValue(W);
    Values[2] = integerValue(KeyH);
    Values[3] = integerValue(KeyW);
    Problem = plainProblem(2, 3, 3, H * W, KeyH * KeyW, nullptr, Values);
  }
  void expectRefused(std::initializer_list<const char *> Parts) {
    heddle_plan *Plan = nullptr;
    expectError(heddle_plan_create(Fake.get(), &Problem, &Plan),
                HEDDLE_INVALID_ARGUMENT, Parts);
  }

  Kernel Fake = Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>();
  heddle_param Params[4] = {{"H", {}, 0, HEDDLE_INTEGER, 0, 0},
                            {"W", {}, 0, HEDDLE_INTEGER, 0, 0},
                            {"h", {}, 0, HEDDLE_INTEGER, 0, 0},
                            {"w", {}, 0, HEDDLE_INTEGER, 0, 0}};
  heddle_value Values[4] = {};
  heddle_problem Problem = {};
};

} // namespace

TEST_F(GridTest, HasOneTaskPerBox) {
  for (auto [H, W, Boxes] : {std::array<int64_t, 3>{3, 4, 1},
                             {4, 4, 2},
                             {4, 5, 4},
                             {1, 30, 8},
                             {7, 9, 9},
                             {0, 5, 0}}) {
    setExtents(H, W, 5, 6);
    Owned<heddle_plan> Plan = makePlan(Fake.get(), Problem);
    ASSERT_EQ(heddle_plan_num_tasks(Plan.get()), 2 * 3 * Boxes);
    std::set<std::tuple<int64_t, int64_t, int64_t>> Seen;
    for (int64_t I = 0; I < 2 * 3 * Boxes; ++I) {
      Task T = Plan->task(I);
      EXPECT_LT(T.Tile, Boxes);
      Seen.insert({T.Batch, T.Head, T.Tile});
    }
    EXPECT_EQ(static_cast<int64_t>(Seen.size()), 2 * 3 * Boxes);
    Owned<heddle_pool> Pool = makePool(1);
    heddle_stats Stats;
    expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Stats));
    // 5 x 6 keys lie in 3 x 2 boxes.
    EXPECT_EQ(Stats.tiles_full + Stats.tiles_empty, 2 * 3 * Boxes * 6);
  }
}

TEST_F(GridTest, RefusesOddGrids) {
  setExtents(4, 5, 3, 6);
  Problem.seq_q = 21;
  expectRefused({"the token grid 'H' 4 x 'W' 5 does not have 'seq_q' tokens, "
                 "which is 21"});
  setExtents(4, 5, 3, 6);
  Values[3].integer = 7;
  expectRefused({"'h' 3 x 'w' 7", "'seq_k' tokens, which is 18"});
  setExtents(4, 5, 3, 6);
  Values[0].integer = Values[1].integer = -2;
  expectRefused({"parameter 'H' is -2", "extent of a token grid"});
  setExtents(4, 5, 3, 6);
  int64_t Origin[] = {0, 3};
  Problem.origin = Origin;
  expectRefused({"'origin' of sequence 1 is 3, expected 0"});
  setExtents(4, 5, 3, 6);
  int64_t Offsets[] = {0, 10, 20};
  Problem.cu_seqlens_q = Problem.cu_seqlens_k = Offsets;
  expectRefused({"token grid, which has no ragged batches"});
}
