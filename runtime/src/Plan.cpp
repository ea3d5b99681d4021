// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Plan.h"
#include "Checks.h"
#include "Problem.h"
#include "Tiling.h"
#include "heddle/index.h"

#include <algorithm>
#include <memory>
#include <numeric>

using namespace heddle;
using namespace heddle::runtime;

/// Of a large device: what plans are for that do not know theirs.
static constexpr int64_t UsualMultiprocessors = 128;

int64_t heddle_plan::copies() const {
  if (Order.empty())
    return 0;
  return (Batch / ClassBatches) * (HeadsQ / ClassHeads);
}

Task heddle_plan::representative(int64_t Class) const {
  auto Next = std::upper_bound(TileStarts.begin(), TileStarts.end(),
                               Class / ClassHeads);
  int64_t B = std::distance(TileStarts.begin(), Next) - 1;
  int64_t Local = Class - TileStarts[B] * ClassHeads;
  int64_t Tiles = TileStarts[B + 1] - TileStarts[B];
  return {B, Local / Tiles, Local % Tiles};
}

int64_t heddle_plan::tasksOfGroup(int64_t Heads) const {
  return ClassHeads == 1 ? ceilDivide(HeadsQ / HeadsKv, Heads) : 1;
}

int64_t heddle_plan::numTasksOf(int64_t Heads) const {
  int64_t Group = ClassHeads == 1 ? HeadsQ / HeadsKv : 1;
  return numClasses() * (copies() / Group) * tasksOfGroup(Heads);
}

int64_t heddle_plan::headsPerTask(int64_t Threads) const {
  // So many tasks per thread that none waits long for the last one, or all of
  // them end together.
  constexpr int64_t Enough = 8, Share = 50;
  if (Code->heads <= 1 || ClassHeads != 1)
    return 1;
  const int64_t Group = HeadsQ / HeadsKv;
  for (int64_t Tasks = tasksOfGroup(Code->heads); Tasks < Group; ++Tasks) {
    const int64_t Heads = ceilDivide(Group, Tasks);
    const int64_t All = numTasksOf(Heads);
    const int64_t Idle = ceilDivide(All, Threads) * Threads - All;
    if (Threads <= 1 || (All >= Enough * Threads && Idle * Share <= All))
      return Heads;
  }
  return 1;
}

Task heddle_plan::task(int64_t Position, int64_t Heads) const {
  int64_t Group = ClassHeads == 1 ? HeadsQ / HeadsKv : 1;
  int64_t PerGroup = tasksOfGroup(Heads);
  int64_t PerClass = copies() / Group * PerGroup;
  auto Next = std::upper_bound(Runs.begin(), Runs.end(), Position / PerClass);
  int64_t End = Next == Runs.end() ? numClasses() : int64_t(*Next);
  int64_t Begin = *std::prev(Next);
  // Inside the run: batch copies, then key heads, then classes, then the query
  // heads of one key head.
  int64_t Local = Position - Begin * PerClass;
  int64_t KvCopies = ClassHeads == 1 ? HeadsKv : 1;
  int64_t InGroup = Local % PerGroup * Heads;
  Local /= PerGroup;
  Task T = representative(Order[Begin + Local % (End - Begin)]);
  Local /= End - Begin;
  T.Head += (Local % KvCopies) * Group + InGroup;
  T.Batch += Local / KvCopies;
  return T;
}

KernelArgs heddle_plan::emptyArgs() const {
  const int64_t *Queries = isRagged() ? OffsetsQ.data() : nullptr;
  const int64_t *Keys = isRagged() ? OffsetsK.data() : nullptr;
  auto View = [&](int64_t H, int64_t S, int64_t D, const int64_t *Offsets) {
    return heddle_view{nullptr, {Batch, H, S, D}, {0, 0, 0, 1}, Offsets};
  };
  KernelArgs Result;
  heddle_args &Args = Result.Args;
  Args.q = View(HeadsQ, SeqQ, Entry->d_qk, Queries);
  Args.o = View(HeadsQ, SeqQ, Entry->d_v, Queries);
  Args.lse = Args.row_max = View(HeadsQ, SeqQ, 1, Queries);
  Args.state_in = Args.state_out =
      View(HeadsQ, Entry->state_rows, Entry->d_v, nullptr);
  Args.sums_in = Args.sums_out = Args.factor =
      View(HeadsQ, Entry->state_rows, 1, nullptr);
  auto AddSource = [&](int64_t Length, const int64_t *Offsets) {
    // Of no use to a kernel without block maxima, which has no columns of them.
    int64_t Columns =
        BlockColumns.empty() ? 0 : BlockColumns[Result.Sources.size()];
    Result.Sources.push_back(
        {View(HeadsKv, Length, Entry->d_qk, Offsets),
         View(HeadsKv, Length, Entry->d_v, Offsets),
         View(HeadsQ, Length, 1, Offsets),
         View(HeadsQ, BlockRows, Columns,
              isRagged() ? OffsetsBlock.data() : nullptr)});
  };
  AddSource(SeqK, Keys);
  // Further sources have one length for all sequences of a batch, as tensors of
  // a plain batch.
  for (int64_t Length : MoreSeqK)
    AddSource(Length, nullptr);
  Args.sources = Result.Sources.data();
  Args.origin = Origin.data();
  Args.operands = Operands.operands();
  Args.index = heddle_index_functions();
  Args.scale = 1;
  Args.heads = 1;
  return Result;
}

/// Counts every class and sorts: more key tiles first, ties by number.
static Visits orderClasses(heddle_plan &Plan, int64_t NumClasses) {
  KernelArgs Args = Plan.emptyArgs();
  std::vector<int64_t> Cost(NumClasses);
  for (int64_t Class = 0; Class < NumClasses; ++Class) {
    Task T = Plan.representative(Class);
    int64_t Out[3] = {0, 0, 0};
    Plan.Code->count(&Args.Args, T.Batch, T.Head, T.Tile, 0, Out);
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
  Visits Result;
  Result.All = std::accumulate(Cost.begin(), Cost.end(), 0.0) *
               static_cast<double>(Plan.copies());
  if (NumClasses > 0)
    Result.Longest = Cost[Plan.Order.front()];
  return Result;
}

/// Takes packed code where it is less work than the classes.
static void pack(heddle_plan &Plan, const Visits &OfClasses) {
  Plan.Packed = packHeads(Plan, OfClasses);
  if (!Plan.Packed)
    return;
  Plan.Order = {};
  Plan.Runs = {};
}

/// Boxes that cover a token grid.
static int64_t numBoxes(const heddle_plan &Plan, const int64_t (&Grid)[3],
                        const int64_t (&Box)[3]) {
  int64_t Count = 1;
  for (int64_t Axis = 0; Axis < Plan.Entry->grid_axes; ++Axis)
    Count *=
        ceilDivide(Plan.Operands.operands()[Grid[Axis]].integer, Box[Axis]);
  return Count;
}

int64_t heddle_plan::numQueryTiles(int64_t B) const {
  if (Entry->grid_axes > 0)
    return numBoxes(*this, Entry->query_grid, Code->query_box);
  return ceilDivide(numQueries(B), Code->query_tile);
}

int64_t heddle_plan::numKeyTiles(int64_t B, size_t Source) const {
  if (Entry->grid_axes > 0)
    return numBoxes(*this, Entry->key_grid, Code->key_box);
  return ceilDivide(numKeys(B, Source), Code->key_tile);
}

/// Fills in how many tiles and blocks every sequence has.
static void countTiles(heddle_plan &Plan) {
  const heddle_entry &Entry = *Plan.Entry;
  Plan.TileStarts.assign(1, 0);
  int64_t Copies = Plan.ClassBatches > 0 ? Plan.Batch / Plan.ClassBatches : 0;
  for (int64_t B = 0; B < Plan.ClassBatches; ++B) {
    int64_t Tiles = Plan.numQueryTiles(B), KeyTiles = 0;
    for (size_t Source = 0; Source <= Plan.MoreSeqK.size(); ++Source)
      KeyTiles += Plan.numKeyTiles(B, Source);
    Plan.TileStarts.push_back(Plan.TileStarts.back() + Tiles);
    Plan.TilesPerHead += Copies * Tiles * KeyTiles;
  }
  if (!Entry.has_block_max)
    return;
  Plan.OffsetsBlock.assign(1, 0);
  Plan.BlockColumns.assign(1, 0);
  int64_t &First = Plan.BlockColumns.front();
  for (int64_t B = 0; B < (Plan.isRagged() ? Plan.Batch : 1); ++B) {
    Plan.OffsetsBlock.push_back(Plan.OffsetsBlock.back() +
                                ceilDivide(Plan.numQueries(B), Entry.block_q));
    First = std::max(First, ceilDivide(Plan.numKeys(B), Entry.block_k));
  }
  Plan.BlockRows = Plan.OffsetsBlock.back();
  for (int64_t Length : Plan.MoreSeqK)
    Plan.BlockColumns.push_back(ceilDivide(Length, Entry.block_k));
}

/// Copies sizes, and prepares and checks operands.
static heddle_error *adopt(const heddle_problem &Problem, heddle_plan &Plan) {
  const heddle_entry &Entry = *Plan.Entry;
  Plan.Batch = Problem.batch;
  Plan.HeadsQ = Problem.heads_q;
  Plan.HeadsKv = Problem.heads_kv;
  Plan.SeqQ = Problem.seq_q;
  Plan.SeqK = Problem.seq_k;
  if (Problem.origin)
    Plan.Origin.assign(Problem.origin, Problem.origin + Problem.batch);
  else
    Plan.Origin.assign(Problem.batch, 0);
  if (Problem.cu_seqlens_q) {
    Plan.OffsetsQ.assign(Problem.cu_seqlens_q,
                         Problem.cu_seqlens_q + Problem.batch + 1);
    Plan.OffsetsK.assign(Problem.cu_seqlens_k,
                         Problem.cu_seqlens_k + Problem.batch + 1);
  }
  if (Entry.num_sources > 1)
    Plan.MoreSeqK.assign(Problem.more_seq_k,
                         Problem.more_seq_k + Entry.num_sources - 1);
  if (ErrorText Bad = Plan.Operands.prepare(
          Entry.params, Entry.num_params, Problem.params, Problem.trusted != 0))
    return makeError(HEDDLE_INVALID_ARGUMENT, "{}", *Bad);
  return checkGrid(Entry, Problem);
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
    if (code->device)
      Plan->Multiprocessors = problem->multiprocessors > 0
                                  ? problem->multiprocessors
                                  : UsualMultiprocessors;
    if (heddle_error *E = adopt(*problem, *Plan))
      return E;
    if (Plan->isLinear()) {
      if (heddle_error *E = checkLinear(*Plan, *problem))
        return E;
      if (heddle_error *E = runChecks(*Plan))
        return E;
      Plan->Linear = planLinear(*Plan, problem->segments, problem->threads);
      *out = Plan.release();
      return nullptr;
    }

    bool SameOrigin =
        std::adjacent_find(Plan->Origin.begin(), Plan->Origin.end(),
                           std::not_equal_to<>()) == Plan->Origin.end();
    bool Distinct = Entry.uses_batch || !SameOrigin || Plan->isRagged();
    Plan->ClassBatches = Distinct ? Plan->Batch : Plan->Batch > 0;
    Plan->ClassHeads = Entry.uses_head ? Plan->HeadsQ : Plan->HeadsQ > 0;
    countTiles(*Plan);
    int64_t NumClasses = 0;
    if (__builtin_mul_overflow(Plan->TileStarts.back(), Plan->ClassHeads,
                               &NumClasses) ||
        NumClasses > int64_t(UINT32_MAX))
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "the problem has {} query tiles x {} heads of different "
                       "work, expected at most {} in all",
                       Plan->TileStarts.back(), Plan->ClassHeads, UINT32_MAX);
    if (NumClasses > 0)
      if (heddle_error *E = runChecks(*Plan))
        return E;
    pack(*Plan, orderClasses(*Plan, NumClasses));
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

int64_t heddle_plan_parts(const heddle_plan *plan) {
  return plan ? plan->Packed.MostParts : 0;
}

int64_t heddle_plan_num_tasks(const heddle_plan *plan) {
  return plan ? plan->numTasks() : 0;
}

double heddle_plan_index_time(const heddle_plan *plan) {
  return plan ? plan->Operands.milliseconds() : 0;
}

int64_t heddle_plan_bytes(const heddle_plan *plan) {
  if (!plan)
    return 0;
  auto Bytes = [](const auto &Elements) {
    return static_cast<int64_t>(Elements.capacity() * sizeof(Elements[0]));
  };
  return Bytes(plan->Order) + Bytes(plan->Runs) + Bytes(plan->Origin) +
         Bytes(plan->OffsetsQ) + Bytes(plan->OffsetsK) +
         Bytes(plan->OffsetsBlock) + Bytes(plan->BlockColumns) +
         Bytes(plan->MoreSeqK) + Bytes(plan->TileStarts) +
         plan->Packed.bytes() + plan->Linear.bytes() + plan->Operands.bytes();
}
