// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LinearLaunch.h"
#include "CacheLine.h"
#include "Dtype.h"
#include "LinearArgs.h"
#include "Tiling.h"

#include <algorithm>
#include <iterator>
#include <memory>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// The operands of one stretch.
struct StretchArgs {
  heddle_args Args;
  heddle_source Source;
  int64_t Origin;

  StretchArgs() = default;
  StretchArgs(const StretchArgs &) = delete;
  StretchArgs &operator=(const StretchArgs &) = delete;
};

/// One launch in up to three passes over the threads: the states of the
/// segments of cut sequences from nothing; the states before every segment;
/// then all outputs.
class LinearLaunch {
public:
  LinearLaunch(const heddle_plan &Plan, const heddle_tensors &Tensors)
      : Plan(Plan), Entry(*Plan.Entry), Linear(Plan.Linear), Tensors(Tensors),
        Bound(Plan, Tensors), Launch(Bound.args()) {}

  /// `Threads` are to work on it.
  heddle_error *bind(int32_t Threads);
  void run(heddle_pool &Pool);

private:
  heddle_view zeros(heddle_view Shape);
  void keepSums();

  /// The room of a state, or of head 0 of all heads.
  float *room(const CutSequence &Cut, int64_t Number, int64_t Head = 0) const {
    return Rooms.get()->Values +
           (Cut.FirstRoom + Head * Cut.numRooms() + Number) * roomFloats(Entry);
  }
  /// Where states, sums and factors lie in a room.
  int64_t sumsInRoom() const { return Entry.state_rows * Entry.d_v; }
  int64_t factorsInRoom() const { return sumsInRoom() + Entry.state_rows; }
  /// Lets views be those of a room of every head.
  void aim(const CutSequence &Cut, int64_t Number, heddle_view &State,
           heddle_view &Sums) const;
  heddle_view inRoom(const CutSequence &Cut, float *At, int64_t Width) const;

  /// The operands of rows of a sequence, with the states of the launch.
  void select(int64_t Batch, RowRange Queries, RowRange Keys, int64_t First,
              StretchArgs &Out) const;
  /// True if the states of a cut sequence need the segment's own.
  bool needsState(const Stretch &S) const {
    return S.Cut >= 0 &&
           (!Entry.is_causal || S.Segment + 1 < Linear.Cuts[S.Cut].NumSegments);
  }
  void computeState(const Stretch &S, int64_t Head, void *Workspace) const;
  void scan(const CutSequence &Cut, int64_t Head, RowRange Rows) const;
  void computeOutput(const Stretch &S, int64_t Head, int64_t Slice,
                     void *Workspace) const;
  void narrow(StretchArgs &Of, int64_t Slice) const;
  void passState(int64_t Batch, int64_t Head) const;

  /// Calls `Fn(I, Workspace)` for all I below Count on the threads.
  template <typename Body>
  void forAll(heddle_pool &Pool, int64_t Count, const Body &Fn) const {
    std::atomic<int64_t> Next{0};
    Pool.run(Count, Plan.Code->workspace_bytes, [&](int32_t, void *Workspace) {
      int64_t I = 0;
      while ((I = Next.fetch_add(1, std::memory_order_relaxed)) < Count)
        Fn(I, Workspace);
    });
  }

  const heddle_plan &Plan;
  const heddle_entry &Entry;
  const LinearPlan &Linear;
  const heddle_tensors &Tensors;
  LinearArgs Bound;
  heddle_args &Launch;
  /// One row for all rows of a state, in whole cache lines.
  std::vector<float> Zeros;
  heddle_view NoState = {}, NoSums = {};
  std::unique_ptr<CacheLine[]> Rooms;
  /// Tasks of a stretch and head, each for its slice of the values.
  int64_t NumSlices = 1;
  /// A copy of the sums before the launch.
  std::vector<float> SumsBefore;
};

} // namespace

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// A view of this shape whose rows are all one row.
heddle_view LinearLaunch::zeros(heddle_view Shape) {
  Shape.data = Zeros.data();
  std::fill_n(Shape.stride, 3, 0);
  return Shape;
}

/// Slices read the sums before the launch at any time: they must not be where
/// one of them writes those after it.
void LinearLaunch::keepSums() {
  heddle_view &Sums = Launch.sums_in;
  if (!Launch.sums_out.data || Launch.sums_out.data != Sums.data)
    return;
  int64_t Rows = Entry.state_rows;
  SumsBefore.resize(Plan.Batch * Plan.HeadsQ * Rows);
  for (int64_t I = 0; I < Plan.Batch * Plan.HeadsQ; ++I)
    for (int64_t R = 0; R < Rows; ++R)
      SumsBefore[I * Rows + R] = static_cast<const float *>(
          Sums.data)[I / Plan.HeadsQ * Sums.stride[0] +
                     I % Plan.HeadsQ * Sums.stride[1] + R * Sums.stride[2]];
  Sums.data = SumsBefore.data();
  Sums.stride[0] = Plan.HeadsQ * Rows;
  Sums.stride[1] = Rows;
  Sums.stride[2] = 1;
}

heddle_error *LinearLaunch::bind(int32_t Threads) {
  if (heddle_error *E = Bound.bind())
    return E;
  // Slices repeat what all values have in common, and have results bit-equal to
  // those of whole rows: they are for threads that had nothing to do.
  if (Plan.Code->slice && Linear.Cuts.empty() && Plan.numTasks() < Threads) {
    NumSlices = Entry.d_v / Plan.Code->slice_values;
    keepSums();
  }
  constexpr int64_t Line = std::size(CacheLine().Values);
  Zeros.assign(ceilDivide(Entry.d_v, Line) * Line, 0.0F);
  NoState = zeros(Launch.state_in);
  NoSums = zeros(Launch.sums_in);
  if (!Tensors.state_in)
    Launch.state_in = NoState;
  if (!Tensors.sums_in)
    Launch.sums_in = NoSums;
  // The number of rooms is bounded by tokens: no overflow short of memory that
  // there is not.
  int64_t Lines = 0;
  if (__builtin_mul_overflow(Linear.NumRooms, roomFloats(Entry) / Line, &Lines))
    throw std::bad_alloc();
  Rooms.reset(new CacheLine[Lines]);
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

/// Rows of one sequence of a tensor.
static heddle_view cut(heddle_view View, int32_t Dtype, int64_t Batch,
                       RowRange Rows) {
  int64_t Start = View.offsets ? View.offsets[Batch] * View.stride[2]
                               : Batch * View.stride[0];
  Start += Rows.First * View.stride[2];
  if (View.data)
    View.data = static_cast<char *>(View.data) + Start * dtypeBytes(Dtype);
  View.shape[2] = Rows.Count;
  View.stride[0] = 0;
  View.offsets = nullptr;
  return View;
}

void LinearLaunch::select(int64_t Batch, RowRange Queries, RowRange Keys,
                          int64_t First, StretchArgs &Out) const {
  RowRange States = {0, Entry.state_rows};
  const heddle_source &Source = Bound.sources().front();
  heddle_args &Args = Out.Args;
  Args = Launch;
  Args.q = cut(Launch.q, Entry.dtype, Batch, Queries);
  Args.o = cut(Launch.o, Entry.output_dtype, Batch, Queries);
  Args.lse.shape[2] = Args.row_max.shape[2] = Queries.Count;
  Args.lse.offsets = Args.row_max.offsets = nullptr;
  for (heddle_view *View :
       {&Args.state_in, &Args.state_out, &Args.sums_in, &Args.sums_out})
    *View = cut(*View, HEDDLE_F32, Batch, States);
  Out.Source = Source;
  Out.Source.k = cut(Source.k, Entry.dtype, Batch, Keys);
  Out.Source.v = cut(Source.v, Entry.dtype, Batch, Keys);
  Args.sources = &Out.Source;
  Out.Origin = Plan.Origin[Batch] + First;
  Args.origin = &Out.Origin;
}

heddle_view LinearLaunch::inRoom(const CutSequence &Cut, float *At,
                                 int64_t Width) const {
  int64_t OfHead = Cut.numRooms() * roomFloats(Entry);
  return {At,
          {Plan.Batch, Plan.HeadsQ, Entry.state_rows, Width},
          {0, OfHead, Width, 1},
          nullptr};
}

void LinearLaunch::aim(const CutSequence &Cut, int64_t Number,
                       heddle_view &State, heddle_view &Sums) const {
  float *At = room(Cut, Number);
  State = inRoom(Cut, At, Entry.d_v);
  Sums = inRoom(Cut, At + sumsInRoom(), 1);
}

//===----------------------------------------------------------------------===//
// Passes
//===----------------------------------------------------------------------===//

void LinearLaunch::computeState(const Stretch &S, int64_t Head,
                                void *Workspace) const {
  const CutSequence &Cut = Linear.Cuts[S.Cut];
  StretchArgs Of;
  select(S.Batch, S.Queries, S.Keys, S.Keys.First, Of);
  heddle_args &Args = Of.Args;
  Args.state_in = NoState;
  Args.sums_in = NoSums;
  aim(Cut, S.Segment + 1, Args.state_out, Args.sums_out);
  Args.factor = inRoom(Cut, room(Cut, S.Segment + 1) + factorsInRoom(), 1);
  Plan.Code->state(&Args, S.Batch, Head, 0, Workspace);
}

void LinearLaunch::scan(const CutSequence &Cut, int64_t Head,
                        RowRange Rows) const {
  const heddle_view &State = Launch.state_in, &Sums = Launch.sums_in;
  const auto *StateIn = static_cast<const float *>(State.data) +
                        Cut.Batch * State.stride[0] + Head * State.stride[1];
  const auto *SumsIn = static_cast<const float *>(Sums.data) +
                       Cut.Batch * Sums.stride[0] + Head * Sums.stride[1];
  int64_t Width = Entry.d_v, End = Rows.First + Rows.Count;
  float *First = room(Cut, 0, Head);
  for (int64_t R = Rows.First; R < End; ++R) {
    std::copy_n(StateIn + R * State.stride[2], Width, First + R * Width);
    First[sumsInRoom() + R] = SumsIn[R * Sums.stride[2]];
  }
  int64_t NumStates = Cut.NumSegments + (Entry.is_causal ? 0 : 1);
  for (int64_t Number = 1; Number < NumStates; ++Number) {
    const float *Before = room(Cut, Number - 1, Head);
    float *After = room(Cut, Number, Head);
    for (int64_t R = Rows.First; R < End; ++R) {
      float Factor = After[factorsInRoom() + R];
      for (int64_t C = R * Width; C < (R + 1) * Width; ++C)
        After[C] += Factor * Before[C];
      if (Entry.has_sums)
        After[sumsInRoom() + R] += Factor * Before[sumsInRoom() + R];
    }
  }
}

void LinearLaunch::passState(int64_t Batch, int64_t Head) const {
  auto Row = [&](const heddle_view &View, int64_t R) {
    return static_cast<float *>(View.data) + Batch * View.stride[0] +
           Head * View.stride[1] + R * View.stride[2];
  };
  const struct {
    const heddle_view &In, &Out;
  } Both[] = {{Launch.state_in, Launch.state_out},
              {Launch.sums_in, Launch.sums_out}};
  for (const auto &Of : Both)
    if (Of.Out.data && Of.Out.data != Of.In.data)
      for (int64_t R = 0; R < Entry.state_rows; ++R)
        std::copy_n(Row(Of.In, R), Of.Out.shape[3], Row(Of.Out, R));
}

/// Leaves a slice of the values, and the sums to the first one.
void LinearLaunch::narrow(StretchArgs &Of, int64_t Slice) const {
  int64_t Values = Plan.Code->slice_values;
  auto Take = [&](heddle_view &View, int32_t Dtype) {
    if (View.data)
      View.data =
          static_cast<char *>(View.data) + Slice * Values * dtypeBytes(Dtype);
    View.shape[3] = Values;
  };
  Take(Of.Source.v, Entry.dtype);
  Take(Of.Args.o, Entry.output_dtype);
  Take(Of.Args.state_in, HEDDLE_F32);
  Take(Of.Args.state_out, HEDDLE_F32);
  if (Slice > 0)
    Of.Args.sums_out.data = nullptr;
}

void LinearLaunch::computeOutput(const Stretch &S, int64_t Head, int64_t Slice,
                                 void *Workspace) const {
  const heddle_code &Code = *Plan.Code;
  if (S.Queries.Count == 0 && S.Keys.Count == 0 && S.Cut < 0) {
    if (Slice == 0)
      passState(S.Batch, Head);
    return;
  }
  StretchArgs Of;
  heddle_args &Args = Of.Args;
  if (S.Cut < 0) {
    select(S.Batch, S.Queries, S.Keys, 0, Of);
    // The keys of a causal kernel beyond its queries are those of its window.
    int64_t Tokens = Entry.is_causal ? S.Queries.Count
                                     : std::max(S.Queries.Count, S.Keys.Count);
    bool Steps = Code.step && Tokens <= Code.step_tokens;
    if (NumSlices > 1 && !Steps) {
      narrow(Of, Slice);
      Code.slice(&Args, S.Batch, Head, 0, Workspace);
    } else if (Slice == 0) {
      (Steps ? Code.step : Code.task)(&Args, S.Batch, Head, 0, Workspace);
    }
    return;
  }
  const CutSequence &Cut = Linear.Cuts[S.Cut];
  // All queries of a kernel that is not causal see the state after all keys:
  // nothing is left to add.
  bool IsLast = S.Segment + 1 == Cut.NumSegments;
  select(S.Batch, S.Queries, Entry.is_causal ? S.Keys : RowRange{0, 0},
         S.Queries.First, Of);
  aim(Cut, Entry.is_causal ? S.Segment : Cut.NumSegments, Args.state_in,
      Args.sums_in);
  if (!IsLast)
    Args.state_out.data = Args.sums_out.data = nullptr;
  Code.task(&Args, S.Batch, Head, 0, Workspace);
}

void LinearLaunch::run(heddle_pool &Pool) {
  // Which thread computes a task does not change its result: tasks write rows
  // and states of their own.
  int64_t Heads = Plan.HeadsQ;
  if (!Linear.Cuts.empty()) {
    std::vector<const Stretch *> Segments;
    for (const Stretch &S : Linear.Stretches)
      if (needsState(S))
        Segments.push_back(&S);
    forAll(Pool, static_cast<int64_t>(Segments.size()) * Heads,
           [&](int64_t I, void *Workspace) {
             computeState(*Segments[I / Heads], I % Heads, Workspace);
           });
    // Few rows to a task: there are few heads where sequences are cut.
    constexpr int64_t RowsOfTask = 32;
    int64_t Parts = ceilDivide(Entry.state_rows, RowsOfTask);
    forAll(Pool, static_cast<int64_t>(Linear.Cuts.size()) * Heads * Parts,
           [&](int64_t I, void *) {
             int64_t First = I % Parts * RowsOfTask;
             int64_t Count = std::min(RowsOfTask, Entry.state_rows - First);
             scan(Linear.Cuts[I / Parts / Heads], I / Parts % Heads,
                  {First, Count});
           });
  }
  forAll(Pool, Plan.numTasks() * NumSlices, [&](int64_t I, void *Workspace) {
    int64_t Task = I / NumSlices;
    computeOutput(Linear.Stretches[Task / Heads], Task % Heads, I % NumSlices,
                  Workspace);
  });
}

heddle_error *runtime::launchLinear(const heddle_plan &Plan,
                                    const heddle_tensors &Tensors,
                                    heddle_pool &Pool) {
  LinearLaunch L(Plan, Tensors);
  if (heddle_error *E = L.bind(heddle_pool_threads(&Pool)))
    return E;
  L.run(Pool);
  return nullptr;
}
