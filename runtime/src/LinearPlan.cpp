// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LinearPlan.h"
#include "Error.h"
#include "Plan.h"
#include "Tiling.h"

#include <algorithm>
#include <utility>

using namespace heddle;
using namespace heddle::runtime;

/// A sequence is cut only where there are so few heads and sequences that at
/// most a quarter of so many threads would have work: cutting costs a further
/// pass for the states, a quarter to a half of the work.
static constexpr int64_t WantedSegments = 16, FewestSegments = 4;
/// Less than this is not worth the meeting of threads between passes.
static constexpr int64_t ShortestSegment = 512;
/// Bytes of states that a plan asks for of its own accord.
static constexpr int64_t MostRoomBytes = int64_t(64) << 20;

int64_t LinearPlan::bytes() const {
  return static_cast<int64_t>(Stretches.capacity() * sizeof(Stretch) +
                              Cuts.capacity() * sizeof(CutSequence));
}

int64_t runtime::roomFloats(const heddle_entry &Entry) {
  constexpr int64_t Line = 16;
  return ceilDivide(Entry.state_rows * (Entry.d_v + 2), Line) * Line;
}

/// The lengths of one sequence; `Which` names it in ragged batches.
static heddle_error *checkLengths(const heddle_entry &Entry,
                                  const std::string &Which, int64_t Queries,
                                  int64_t Keys) {
  bool HasWindow = Entry.window_param >= 0;
  if (!Entry.is_causal || (HasWindow ? Keys >= Queries : Keys == Queries))
    return nullptr;
  return makeError(HEDDLE_INVALID_ARGUMENT,
                   "{} {} keys for {} queries, expected {}: kernel '{}' is a "
                   "causal recurrence{}",
                   Which, Keys, Queries,
                   HasWindow ? "at least as many" : "as many", Entry.name,
                   HasWindow ? " with a window" : "");
}

heddle_error *runtime::checkLinear(const heddle_plan &Plan,
                                   const heddle_problem &Problem) {
  const heddle_entry &Entry = *Plan.Entry;
  if (Problem.segments < 0)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'segments' is {}, expected 0 or more", Problem.segments);
  if (Problem.threads < 0)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'threads' is {}, expected 0 or more", Problem.threads);
  if (Problem.segments > 1 && Plan.Code->device)
    return makeError(HEDDLE_UNSUPPORTED,
                     "'segments' is {}, expected 0 or 1: level '{}' of kernel "
                     "'{}' works off every sequence in one piece",
                     Problem.segments, Plan.Code->level, Entry.name);
  int64_t Elements = Plan.Batch * Plan.HeadsQ;
  if (__builtin_mul_overflow(Elements, Entry.state_rows, &Elements) ||
      __builtin_mul_overflow(Elements, Entry.d_v, &Elements))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the state has more than 2^63 - 1 elements: batch {} x "
                     "heads_q {} x {} rows of {}",
                     Plan.Batch, Plan.HeadsQ, Entry.state_rows, Entry.d_v);
  if (Entry.window_param >= 0) {
    int64_t Window = Plan.Operands.operands()[Entry.window_param].integer;
    if (Window < 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "parameter '{}' is {}, expected the width of a window, "
                       "0 or more",
                       Entry.params[Entry.window_param].name, Window);
  }
  if (!Plan.isRagged())
    return checkLengths(Entry, "there are", Plan.SeqQ, Plan.SeqK);
  for (int64_t B = 0; B < Plan.Batch; ++B)
    if (heddle_error *E = checkLengths(Entry, fmt::format("sequence {} has", B),
                                       Plan.numQueries(B), Plan.numKeys(B)))
      return E;
  return nullptr;
}

/// True if each of so many threads has a head of a sequence, or a slice of its
/// values, which takes less than the state of a segment does.
static bool areBusy(const heddle_plan &Plan, int64_t Threads) {
  int64_t Tasks = 0;
  for (int64_t B = 0; B < Plan.Batch; ++B)
    if (Plan.numQueries(B) > 0)
      Tasks += Plan.HeadsQ;
  int64_t Slices =
      Plan.Code->slice ? Plan.Entry->d_v / Plan.Code->slice_values : 1;
  return Tasks >= ceilDivide(Threads, Slices);
}

/// Segments that the plan chooses for a sequence of `Tokens`, when those of all
/// sequences are `AllTokens`, for `Threads` threads, or 0.
static int64_t chooseSegments(const heddle_plan &Plan, int64_t Tokens,
                              int64_t AllTokens, int64_t Threads) {
  if (Threads > 0 && areBusy(Plan, Threads))
    return 1;
  int64_t Most = Threads > 0 ? Threads : WantedSegments;
  int64_t Fewest = Threads > 0 ? 2 : FewestSegments;
  // In reals: no product is too large for them.
  double Share =
      static_cast<double>(Tokens) /
      (static_cast<double>(AllTokens) * static_cast<double>(Plan.HeadsQ));
  auto Segments = static_cast<int64_t>(static_cast<double>(Most) * Share);
  int64_t RoomBytes =
      roomFloats(*Plan.Entry) * static_cast<int64_t>(sizeof(float));
  Segments = std::min({Segments, Tokens / ShortestSegment,
                       MostRoomBytes / RoomBytes / Plan.HeadsQ});
  return Segments < Fewest ? 1 : Segments;
}

/// Part number `I` of `Count` rows cut into pieces of `Piece` rows.
static RowRange pieceOf(int64_t Count, int64_t Piece, int64_t I) {
  int64_t First = std::min(Count, I * Piece);
  return {First, std::min(Piece, Count - First)};
}

LinearPlan runtime::planLinear(const heddle_plan &Plan, int64_t Segments,
                               int64_t Threads) {
  const heddle_entry &Entry = *Plan.Entry;
  LinearPlan Out;
  if (Plan.HeadsQ == 0)
    return Out;
  int64_t Chunk = Plan.Code->query_tile;
  auto Tokens = [&](int64_t B) {
    return std::max(Plan.numQueries(B), Plan.numKeys(B));
  };
  int64_t AllTokens = 0;
  for (int64_t B = 0; B < Plan.Batch; ++B)
    AllTokens += Tokens(B);
  for (int64_t B = 0; B < Plan.Batch; ++B) {
    int64_t Queries = Plan.numQueries(B), Keys = Plan.numKeys(B);
    int64_t Chunks = ceilDivide(Tokens(B), Chunk), Wanted = 1;
    // The keys of a causal kernel are in step with its queries; else there must
    // be both for a cut to be of use.
    if (Entry.can_scan && Plan.Code->state && Queries > 0 && Keys > 0)
      Wanted =
          std::min(Chunks, Segments > 0 ? Segments
                                        : chooseSegments(Plan, Tokens(B),
                                                         AllTokens, Threads));
    // Segments of one length but the last.
    int64_t Length = ceilDivide(Chunks, std::max<int64_t>(Wanted, 1)) * Chunk;
    int64_t Count = Length > 0 ? ceilDivide(Tokens(B), Length) : 1;
    if (Count == 1) {
      Out.Stretches.push_back({B, {0, Queries}, {0, Keys}, 0, -1});
      continue;
    }
    auto Cut = static_cast<int64_t>(Out.Cuts.size());
    Out.Cuts.push_back({B, Count, Out.NumRooms});
    Out.NumRooms += Out.Cuts.back().numRooms() * Plan.HeadsQ;
    for (int64_t I = 0; I < Count; ++I)
      Out.Stretches.push_back(
          {B, pieceOf(Queries, Length, I), pieceOf(Keys, Length, I), I, Cut});
  }
  std::sort(Out.Stretches.begin(), Out.Stretches.end(),
            [](const Stretch &A, const Stretch &B) {
              int64_t RowsOfA = A.Queries.Count + A.Keys.Count;
              int64_t RowsOfB = B.Queries.Count + B.Keys.Count;
              return RowsOfA != RowsOfB ? RowsOfA > RowsOfB
                                        : std::pair(A.Batch, A.Segment) <
                                              std::pair(B.Batch, B.Segment);
            });
  return Out;
}

heddle_stats runtime::countLinear(const heddle_plan &Plan) {
  const heddle_entry &Entry = *Plan.Entry;
  heddle_stats Out = {};
  for (int64_t B = 0; B < Plan.Batch; ++B) {
    int64_t Queries = Plan.numQueries(B), Keys = Plan.numKeys(B);
    Out.tiles_full +=
        ceilDivide(std::max(Queries, Keys), Plan.Code->query_tile);
    // Query i of a causal kernel stands at key Keys - Queries + i.
    Out.kept_pairs += Entry.is_causal ? Queries * (Keys - Queries) +
                                            Queries * (Queries + 1) / 2
                                      : Queries * Keys;
  }
  Out.tiles_full *= Plan.HeadsQ;
  Out.kept_pairs *= Plan.HeadsQ;
  return Out;
}
