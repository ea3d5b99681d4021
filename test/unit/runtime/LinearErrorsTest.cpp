// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "FakeLinear.h"
#include "TestTensors.h"

#include <functional>
#include <limits>

using namespace heddle;
using namespace heddle::test;
using namespace heddle::test::linear;

namespace {

/// A problem of 9 tokens and its tensors, to be made wrong in one thing.
struct Case {
  static constexpr int64_t Length = 9, HeadsQ = 2, HeadsKv = 1, Batch = 2;

  std::vector<float> Decay = std::vector<float>(HeadsQ * 20, 0.5F);
  int64_t TableShape[2] = {HeadsQ, 20};
  heddle_tensor Table = {Decay.data(), HEDDLE_F32, 2, TableShape, nullptr};
  heddle_value Values[2] = {};
  heddle_problem Problem =
      plainProblem(Batch, HeadsQ, HeadsKv, Length, Length, nullptr, Values);

  TestTensor Q = {{Batch, HeadsQ, Length, Rows}};
  TestTensor K = {{Batch, HeadsKv, Length, Rows}};
  TestTensor V = {{Batch, HeadsKv, Length, ValueDim}};
  TestTensor O = {{Batch, HeadsQ, Length, ValueDim}};
  TestTensor State0 = {{Batch, HeadsQ, Rows, ValueDim}}, State1 = State0;
  TestTensor Sums0 = {{Batch, HeadsQ, Rows, 1}, Layout::Bhsd, 3}, Sums1 = Sums0;
  heddle_tensor Tq = Q.view(), Tk = K.view(), Tv = V.view(), To = O.view(),
                S0 = State0.view(), S1 = State1.view(), Z0 = Sums0.view(),
                Z1 = Sums1.view();
  heddle_tensors All = {};

  Case() {
    Values[0].table = &Table;
    All.q = &Tq;
    All.k = &Tk;
    All.v = &Tv;
    All.o = &To;
    All.state_in = &S0;
    All.state_out = &S1;
    All.sums_in = &Z0;
    All.sums_out = &Z1;
    O.fill(77);
    State1.fill(77);
    Sums1.fill(77);
  }

  heddle_error *plan(Kernel &Fake) {
    heddle_plan *Plan = nullptr;
    heddle_error *Error = heddle_plan_create(Fake.get(), &Problem, &Plan);
    EXPECT_EQ(Plan == nullptr, Error != nullptr);
    heddle_plan_destroy(Plan);
    return Error;
  }
  heddle_error *launch(Kernel &Fake) {
    Owned<heddle_plan> Plan = makePlan(Fake.get(), Problem);
    Owned<heddle_pool> Pool = makePool(1);
    return heddle_launch(Plan.get(), &All, Pool.get());
  }
};

} // namespace

static Kernel causal() { return Kernel::make<HEDDLE_F32, HEDDLE_F32, true>(); }

TEST(LinearErrors, RefusesLengthsThatDontFit) {
  const int64_t Queries[] = {0, 4, 9}, Keys[] = {0, 5, 9};
  const struct {
    const char *Message;
    bool HasWindow;
    std::function<void(Case &)> Damage;
  } Cases[] = {
      {"there are 10 keys for 9 queries, expected as many: kernel 'fake' is a "
       "causal recurrence",
       false, [](Case &C) { C.Problem.seq_k = 10; }},
      {"there are 8 keys for 9 queries, expected at least as many: kernel "
       "'fake' is a causal recurrence with a window",
       true, [](Case &C) { C.Problem.seq_k = 8; }},
      {"sequence 0 has 5 keys for 4 queries, expected as many", false,
       [&](Case &C) {
         C.Problem.cu_seqlens_q = Queries;
         C.Problem.cu_seqlens_k = Keys;
       }},
      {"sequence 1 has 4 keys for 5 queries, expected at least as many", true,
       [&](Case &C) {
         C.Problem.cu_seqlens_q = Queries;
         C.Problem.cu_seqlens_k = Keys;
       }},
      {"parameter 'w' is -1, expected the width of a window, 0 or more", true,
       [](Case &C) { C.Values[1].integer = -1; }},
      {"'segments' is -1, expected 0 or more", false,
       [](Case &C) { C.Problem.segments = -1; }},
      {"'threads' is -1, expected 0 or more", false,
       [](Case &C) { C.Problem.threads = -1; }},
      {"table 'decay' is read at indices 0 to 8 along axis 1, which has 5 "
       "elements",
       false, [](Case &C) { C.TableShape[1] = 5; }},
  };
  for (const auto &Of : Cases) {
    Kernel Fake = Of.HasWindow ? Kernel::makeWindow() : causal();
    Case C;
    Of.Damage(C);
    expectError(C.plan(Fake), HEDDLE_INVALID_ARGUMENT, {Of.Message});
  }
  Kernel Huge = causal();
  Huge.entry().num_checks = 0;
  Case C;
  Huge.entry().state_rows = 400000000;
  C.Problem.batch = 8;
  C.Problem.heads_q = int64_t(1) << 31;
  C.Problem.seq_q = C.Problem.seq_k = 0;
  expectError(
      C.plan(Huge), HEDDLE_INVALID_ARGUMENT,
      {"the state has more than 2^63 - 1 elements", "400000000 rows of 3"});
}

TEST(LinearErrors, RefusesTensorsThatDontFit) {
  int64_t Short[] = {2, 2, 5, 3}, Zero[] = {0, 18, 3, 1};
  TestTensor Lse({2, 2, 9, 1}, Layout::Bhsd, 3);
  heddle_tensor LseView = Lse.view();
  const struct {
    const char *Message;
    std::function<void(Case &)> Damage;
  } Cases[] = {
      {"tensor 'q' is null", [](Case &C) { C.All.q = nullptr; }},
      {"tensor 'state_in' has shape (2, 2, 5, 3), expected (2, 2, 6, 3)",
       [&](Case &C) { C.S0.shape = Short; }},
      {"tensor 'state_out' has dtype f16, expected f32",
       [](Case &C) { C.S1.dtype = HEDDLE_F16; }},
      {"tensor 'sums_in' has rank 4, expected 3",
       [](Case &C) { C.Z0.rank = 4; }},
      {"tensor 'sums_out' of shape (2, 2, 6) has no data",
       [](Case &C) { C.Z1.data = nullptr; }},
      {"tensor 'sums_in' is null though 'state_in' is not; give both",
       [](Case &C) { C.All.sums_in = nullptr; }},
      {"tensor 'state_in' is null though 'sums_in' is not; give both",
       [](Case &C) { C.All.state_in = nullptr; }},
      {"tensor 'lse' is given, but kernel 'fake' does not compute it",
       [&](Case &C) { C.All.lse = &LseView; }},
      {"tensor 'block_max' is given, but kernel 'fake' does not compute it",
       [&](Case &C) { C.All.block_max = &LseView; }},
      {"'scale' is inf",
       [](Case &C) { C.All.scale = std::numeric_limits<float>::infinity(); }},
      // Sharing.
      {"tensor 'state_out' is written but has stride 0 on axis 0",
       [&](Case &C) { C.S1.strides = Zero; }},
      {"tensor 'state_out' is written but shares memory with tensor "
       "'state_in'",
       [](Case &C) { C.S1.data = static_cast<float *>(C.S0.data) + 3; }},
      {"tensor 'sums_out' is written but shares memory with tensor 'state_in'",
       [](Case &C) { C.Z1.data = C.S0.data; }},
      {"tensor 'state_out' is written but shares memory with tensor 'sums_in'",
       [](Case &C) { C.Z0.data = C.S1.data; }},
      {"tensor 'state_out' is written but shares memory with tensor "
       "'sums_out'",
       [](Case &C) { C.Z1.data = C.S1.data; }},
      {"tensor 'o' is written but shares memory with tensor 'state_in'",
       [](Case &C) { C.To.data = C.S0.data; }},
  };
  for (const auto &Of : Cases) {
    Kernel Fake = causal();
    Case C;
    Of.Damage(C);
    expectError(C.launch(Fake), HEDDLE_INVALID_ARGUMENT, {Of.Message});
    EXPECT_TRUE(C.O.holdsOnly(77) && C.State1.holdsOnly(77) &&
                C.Sums1.holdsOnly(77));
  }
  // The same memory in another order is not the same tensor.
  int64_t Turned[] = {18, 36, 3, 1};
  Case C;
  C.S1.data = C.S0.data;
  C.S1.strides = Turned;
  Kernel Fake = causal();
  expectError(C.launch(Fake), HEDDLE_INVALID_ARGUMENT,
              {"'state_out'", "shares memory with tensor 'state_in'"});
}

TEST(LinearErrors, KnowsWhatAKernelWithoutSumsTakes) {
  Kernel Fake = causal();
  Fake.entry().has_sums = 0;
  Case C;
  expectError(C.launch(Fake), HEDDLE_INVALID_ARGUMENT,
              {"tensor 'sums_in' is given, but kernel 'fake' does not take "
               "it; leave it null"});
  C.All.sums_in = nullptr;
  expectError(C.launch(Fake), HEDDLE_INVALID_ARGUMENT,
              {"tensor 'sums_out' is given, but kernel 'fake' does not "
               "compute it; leave it null"});
  C.All.sums_out = nullptr;
  expectOk(C.launch(Fake));
}

TEST(LinearErrors, RefusesStatesOfAttention) {
  auto Fake = fake::Kernel::make<HEDDLE_F32, HEDDLE_F32, 1>();
  std::vector<int32_t> Doc(9, 0);
  int64_t DocShape[] = {1, 9}, MapShape[] = {1, 1, 9};
  std::vector<unsigned char> Map(9);
  heddle_tensor DocTensor = {Doc.data(), HEDDLE_I32, 2, DocShape, nullptr};
  heddle_tensor MapTensor = {Map.data(), HEDDLE_BOOL, 3, MapShape, nullptr};
  heddle_sets Sets = {HEDDLE_MAP, 9, nullptr, nullptr, nullptr, &MapTensor};
  heddle_value Values[2] = {};
  Values[0].table = &DocTensor;
  Values[1].sets = &Sets;
  Owned<heddle_plan> Plan =
      makePlan(Fake.get(), plainProblem(1, 1, 1, 9, 9, nullptr, Values));
  Owned<heddle_pool> Pool = makePool(1);
  TestTensor Q({1, 1, 9, fake::HeadDim}), V({1, 1, 9, fake::ValueDim}), O = V;
  heddle_tensor Tq = Q.view(), Tv = V.view(), To = O.view();
  heddle_tensors All = {};
  All.q = All.k = &Tq;
  All.v = &Tv;
  All.o = &To;
  expectOk(heddle_launch(Plan.get(), &All, Pool.get()));
  const struct {
    const char *Name;
    const heddle_tensor *heddle_tensors::*Field;
  } States[] = {{"'state_in'", &heddle_tensors::state_in},
                {"'sums_in'", &heddle_tensors::sums_in},
                {"'state_out'", &heddle_tensors::state_out},
                {"'sums_out'", &heddle_tensors::sums_out}};
  for (const auto &Of : States) {
    heddle_tensors More = All;
    More.*Of.Field = &Tv;
    expectError(heddle_launch(Plan.get(), &More, Pool.get()),
                HEDDLE_INVALID_ARGUMENT, {Of.Name, "leave it null"});
  }
}

TEST(LinearErrors, RefusesDamagedDescriptors) {
  const struct {
    const char *Message;
    std::function<void(Kernel &)> Damage;
  } Cases[] = {
      {"has the form 7", [](Kernel &K) { K.entry().form = 7; }},
      {"0 rows of state", [](Kernel &K) { K.entry().state_rows = 0; }},
      {"4294967296 rows of state",
       [](Kernel &K) { K.entry().state_rows = int64_t(1) << 32; }},
      {"window parameter 2", [](Kernel &K) { K.entry().window_param = 2; }},
      // A table.
      {"window parameter 0", [](Kernel &K) { K.entry().window_param = 0; }},
      {"window parameter 1",
       [](Kernel &K) {
         K.entry().window_param = 1;
         K.entry().is_causal = 0;
       }},
      {"parts of attention", [](Kernel &K) { K.entry().has_lse = 1; }},
      {"parts of attention", [](Kernel &K) { K.entry().num_sources = 2; }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().key_tile = 8; }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().state = nullptr; }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().step_tokens = -1; }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().slice_values = 1; }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().slice = K.code().task; }},
      {"linear code that cannot be run",
       [](Kernel &K) {
         K.code().slice = K.code().task;
         K.code().slice_values = K.entry().d_v - 1;
       }},
      {"linear code that cannot be run",
       [](Kernel &K) { K.code().packed = &K.code(); }},
      {"no entry points", [](Kernel &K) { K.code().task = nullptr; }},
  };
  for (const auto &Of : Cases) {
    Kernel Fake = causal();
    Of.Damage(Fake);
    heddle_bundle *Bundle = nullptr;
    expectError(heddle_bundle_from_descriptor(&Fake.descriptor(), &Bundle),
                HEDDLE_INVALID_BUNDLE, {"damaged", Of.Message});
  }
}

TEST(LinearErrors, CountsChunksAndPairs) {
  Owned<heddle_pool> Pool = makePool(2);
  auto Stats = [&](Kernel &&Fake, const heddle_problem &Problem) {
    Owned<heddle_plan> Plan = makePlan(Fake.get(), Problem);
    heddle_stats Result;
    expectOk(heddle_plan_stats(Plan.get(), Pool.get(), &Result));
    return Result;
  };
  Case C;
  C.Problem.segments = 2;
  heddle_stats Plain = Stats(causal(), C.Problem);
  EXPECT_EQ(Plain.tiles_full, 2 * 2 * 3);
  EXPECT_EQ(Plain.kept_pairs, 2 * 2 * 45);
  EXPECT_EQ(Plain.tiles_partial + Plain.tiles_empty, 0);
  C.Problem.seq_k = 13;
  heddle_stats All =
      Stats(Kernel::make<HEDDLE_F32, HEDDLE_F32, false>(), C.Problem);
  EXPECT_EQ(All.tiles_full, 2 * 2 * 4);
  EXPECT_EQ(All.kept_pairs, 2 * 2 * 9 * 13);
  // Query i of a window stands at key i + 4.
  heddle_stats Window = Stats(Kernel::makeWindow(), C.Problem);
  EXPECT_EQ(Window.kept_pairs, 2 * 2 * (9 * 4 + 45));
  const int64_t Offsets[] = {0, 2, 9};
  C.Problem.seq_k = 9;
  C.Problem.cu_seqlens_q = C.Problem.cu_seqlens_k = Offsets;
  heddle_stats Ragged = Stats(causal(), C.Problem);
  EXPECT_EQ(Ragged.tiles_full, 2 * (1 + 2));
  EXPECT_EQ(Ragged.kept_pairs, 2 * (3 + 28));
}
