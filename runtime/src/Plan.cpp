// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Pool.h"
#include "Problem.h"

#include <algorithm>
#include <memory>
#include <numeric>

using namespace heddle;
using namespace heddle::runtime;

int64_t heddle_plan::copies() const {
  if (Order.empty())
    return 0;
  return (Batch / ClassBatches) * (HeadsQ / ClassHeads);
}

Task heddle_plan::representative(int64_t Class) const {
  int64_t Row = Class / QueryTiles;
  return {Row / ClassHeads, Row % ClassHeads, Class % QueryTiles};
}

Task heddle_plan::task(int64_t Position) const {
  int64_t PerClass = copies();
  auto Next = std::upper_bound(Runs.begin(), Runs.end(), Position / PerClass);
  int64_t End = Next == Runs.end() ? numClasses() : int64_t(*Next);
  int64_t Begin = *std::prev(Next);
  // Inside the run: batch copies, then key heads, then classes, then the query
  // heads of one key head.
  int64_t Local = Position - Begin * PerClass;
  int64_t KvCopies = ClassHeads == 1 ? HeadsKv : 1;
  int64_t Group = ClassHeads == 1 ? HeadsQ / HeadsKv : 1;
  int64_t InGroup = Local % Group;
  Local /= Group;
  Task T = representative(Order[Begin + Local % (End - Begin)]);
  Local /= End - Begin;
  T.Head += (Local % KvCopies) * Group + InGroup;
  T.Batch += Local / KvCopies;
  return T;
}

heddle_args heddle_plan::emptyArgs() const {
  auto View = [](int64_t B, int64_t H, int64_t S, int64_t D) {
    return heddle_view{nullptr, {B, H, S, D}, {0, 0, 0, 1}};
  };
  heddle_args Args = {};
  Args.q = View(Batch, HeadsQ, SeqQ, Entry->d_qk);
  Args.k = View(Batch, HeadsKv, SeqK, Entry->d_qk);
  Args.v = View(Batch, HeadsKv, SeqK, Entry->d_v);
  Args.o = View(Batch, HeadsQ, SeqQ, Entry->d_v);
  Args.lse = View(Batch, HeadsQ, SeqQ, 1);
  Args.origin = Origin.data();
  Args.params = Params.data();
  Args.scale = 1;
  return Args;
}

/// Counts every class and sorts: more key tiles first, ties by number.
static void orderClasses(heddle_plan &Plan, int64_t NumClasses) {
  heddle_args Args = Plan.emptyArgs();
  std::vector<int64_t> Cost(NumClasses);
  for (int64_t Class = 0; Class < NumClasses; ++Class) {
    Task T = Plan.representative(Class);
    int64_t Out[3] = {0, 0, 0};
    Plan.Code->count(&Args, T.Batch, T.Head, T.Tile, 0, Out);
    Cost[Class] = Out[0] + Out[1];
  }
  Plan.Order.resize(NumClasses);
  std::iota(Plan.Order.begin(), Plan.Order.end(), 0U);
  std::sort(Plan.Order.begin(), Plan.Order.end(), [&](uint32_t A, uint32_t B) {
    return Cost[A] != Cost[B] ? Cost[A] > Cost[B] : A < B;
  });
  for (int64_t I = 0; I < NumClasses; ++I)
    if (I == 0 || Cost[Plan.Order[I]] != Cost[Plan.Order[I - 1]])
      Plan.Runs.push_back(static_cast<uint32_t>(I));
  Plan.Runs.shrink_to_fit();
}

heddle_error *heddle_plan_create_with(const heddle_kernel *kernel,
                                      const heddle_code *code,
                                      const heddle_problem *problem,
                                      heddle_plan **out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = nullptr;
    if (!kernel || !code || !problem)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       !kernel ? "kernel"
                       : !code ? "code"
                               : "problem");
    const heddle_entry &Entry = *kernel->Entry;
    if (code < Entry.codes || code >= Entry.codes + Entry.num_codes)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "the code is not one of kernel '{}'", Entry.name);
    if (heddle_error *E = checkProblem(Entry, *problem))
      return E;
    auto Plan = std::make_unique<heddle_plan>();
    Plan->Entry = &Entry;
    Plan->Code = code;
    Plan->Batch = problem->batch;
    Plan->HeadsQ = problem->heads_q;
    Plan->HeadsKv = problem->heads_kv;
    Plan->SeqQ = problem->seq_q;
    Plan->SeqK = problem->seq_k;
    if (problem->origin)
      Plan->Origin.assign(problem->origin, problem->origin + problem->batch);
    else
      Plan->Origin.assign(problem->batch, 0);
    Plan->Params.assign(problem->params, problem->params + Entry.num_params);
    auto Tiles = [](int64_t Length, int64_t Tile) {
      return Length / Tile + (Length % Tile != 0);
    };
    Plan->QueryTiles = Tiles(Plan->SeqQ, code->query_tile);
    Plan->KeyTiles = Tiles(Plan->SeqK, code->key_tile);

    bool SameOrigin =
        std::adjacent_find(Plan->Origin.begin(), Plan->Origin.end(),
                           std::not_equal_to<>()) == Plan->Origin.end();
    Plan->ClassBatches =
        Entry.uses_batch || !SameOrigin ? Plan->Batch : Plan->Batch > 0;
    Plan->ClassHeads = Entry.uses_head ? Plan->HeadsQ : Plan->HeadsQ > 0;
    int64_t NumClasses = 0;
    if (__builtin_mul_overflow(Plan->ClassBatches, Plan->ClassHeads,
                               &NumClasses) ||
        __builtin_mul_overflow(NumClasses, Plan->QueryTiles, &NumClasses) ||
        NumClasses > int64_t(UINT32_MAX))
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "the problem has {} batches x {} heads x {} query tiles "
                       "of different work, expected at most {} in all",
                       Plan->ClassBatches, Plan->ClassHeads, Plan->QueryTiles,
                       UINT32_MAX);
    orderClasses(*Plan, NumClasses);
    *out = Plan.release();
    return nullptr;
  });
}

heddle_error *heddle_plan_create(const heddle_kernel *kernel,
                                 const heddle_problem *problem,
                                 heddle_plan **out) {
  if (out)
    *out = nullptr;
  const heddle_code *Code = nullptr;
  if (heddle_error *E = heddle_kernel_code(kernel, &Code))
    return E;
  return heddle_plan_create_with(kernel, Code, problem, out);
}

void heddle_plan_destroy(heddle_plan *plan) { delete plan; }

const heddle_code *heddle_plan_code(const heddle_plan *plan) {
  return plan ? plan->Code : nullptr;
}

int64_t heddle_plan_num_tasks(const heddle_plan *plan) {
  return plan ? plan->numTasks() : 0;
}

int64_t heddle_plan_bytes(const heddle_plan *plan) {
  if (!plan)
    return 0;
  return static_cast<int64_t>(
      (plan->Order.capacity() + plan->Runs.capacity()) * sizeof(uint32_t) +
      (plan->Origin.capacity() + plan->Params.capacity()) * sizeof(int64_t));
}

heddle_error *heddle_plan_stats(const heddle_plan *plan, heddle_pool *pool,
                                heddle_stats *out) {
  return guarded([&]() -> heddle_error * {
    if (!out)
      return makeError(HEDDLE_INVALID_ARGUMENT, "'out' is null");
    *out = {};
    if (!plan || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       plan ? "pool" : "plan");
    heddle_args Args = plan->emptyArgs();
    std::atomic<int64_t> Next{0}, Full{0}, Partial{0}, Kept{0};
    int64_t NumClasses = plan->numClasses();
    pool->run(NumClasses, 0, [&](int32_t, void *) {
      int64_t Sum[3] = {0, 0, 0};
      for (int64_t I = 0; (I = Next.fetch_add(1)) < NumClasses;) {
        Task T = plan->representative(plan->Order[I]);
        int64_t One[3] = {0, 0, 0};
        plan->Code->count(&Args, T.Batch, T.Head, T.Tile, 1, One);
        for (int Which = 0; Which < 3; ++Which)
          Sum[Which] += One[Which];
      }
      Full += Sum[0];
      Partial += Sum[1];
      Kept += Sum[2];
    });
    int64_t Copies = plan->copies();
    out->tiles_full = Full * Copies;
    out->tiles_partial = Partial * Copies;
    out->kept_pairs = Kept * Copies;
    out->tiles_empty = plan->numTasks() * plan->KeyTiles - out->tiles_full -
                       out->tiles_partial;
    return nullptr;
  });
}
