// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Schedules.h"

#include "codegen/Boxes.h"
#include "codegen/nv/StateSchedules.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>
#include <numeric>

using namespace heddle;
using namespace heddle::nv;

static constexpr int64_t MaxStages = 4;
static constexpr int64_t MaxWarps = 16;
static constexpr int64_t MaxKeyTile = 512;
/// Bytes of a row in shared memory: features are padded to what a product
/// takes.
static int64_t rowBytes(int64_t Features, int64_t ElementBytes) {
  return static_cast<int64_t>(llvm::alignTo(Features, FragmentRows)) *
         ElementBytes;
}

namespace {

/// Tiles of a CTA and how many of them there are at once.
struct Candidate {
  int64_t QueryTile, KeyTile, Stages;

  /// There is nothing smaller for these keys.
  bool isLeast() const { return QueryTile == FragmentRows && Stages == 1; }
  /// Rows of keys in shared memory.
  int64_t keyRows() const {
    return static_cast<int64_t>(llvm::alignTo(KeyTile, FragmentRows));
  }
  /// Bytes beside the rows: flags and coordinates of the stages, and what
  /// alignment takes; lists of tokens, or a sum per warp and column.
  int64_t fixedBytes() const {
    constexpr int64_t Flags = 1024, TokenBytes = 8, SumBytes = 4;
    const int64_t Lists = Stages * TokenBytes;
    const int64_t Sums = QueryTile / FragmentRows * SumBytes;
    return Flags + keyRows() * std::max(Lists, Sums);
  }
};

} // namespace

static int64_t sharedBytes(const Candidate &C, const KernelShape &Shape) {
  const int64_t Q = rowBytes(Shape.Qk, Shape.ElementBytes);
  const int64_t V = rowBytes(Shape.V, Shape.ElementBytes);
  const int64_t Stage = C.keyRows() * (C.isLeast() ? std::max(Q, V) : Q + V);
  return C.QueryTile * Q + C.Stages * Stage + C.fixedBytes();
}

/// A slice of queries and one of keys are there together, or one of values.
static int64_t slicedBytes(const Candidate &C, int64_t Slice,
                           const KernelShape &Shape) {
  return (C.QueryTile + C.keyRows()) * rowBytes(Slice, Shape.ElementBytes) +
         C.fixedBytes();
}

static int64_t sliceFeatures(const Candidate &C, const KernelShape &Shape,
                             int64_t Limit) {
  if (!C.isLeast() || sharedBytes(C, Shape) <= Limit)
    return 0;
  const int64_t PerBlock = slicedBytes(C, FragmentRows, Shape) - C.fixedBytes();
  const int64_t Most = (Limit - C.fixedBytes()) / PerBlock * FragmentRows;
  if (Most <= 0)
    return 0;
  // As few slices as fit, all of about the same width.
  const int64_t Wide = std::max(Shape.Qk, Shape.V);
  const int64_t Count = llvm::divideCeil(Wide, Most);
  return static_cast<int64_t>(
      llvm::alignTo(llvm::divideCeil(Wide, Count), FragmentRows));
}

/// Within a limit, if there is a way.
static int64_t sharedBytes(const Candidate &C, const KernelShape &Shape,
                           int64_t Limit) {
  const int64_t Slice = sliceFeatures(C, Shape, Limit);
  return Slice ? slicedBytes(C, Slice, Shape) : sharedBytes(C, Shape);
}

int64_t heddle::nv::sharedLimit(const NvLevel &Level,
                                const KernelShape &Shape) {
  return Shape.SharedLimit ? std::min(Shape.SharedLimit, Level.SharedLimit)
                           : Level.SharedLimit;
}

int64_t heddle::nv::sliceFeatures(attn::ScheduleAttr Schedule,
                                  const KernelShape &Shape, int64_t Limit) {
  const Candidate C = {Schedule.getQueryTile(), Schedule.getKeyTile(),
                       std::max<int64_t>(1, Schedule.getStages())};
  return ::sliceFeatures(C, Shape, Limit);
}

/// The key tiles that suit the shape, the usual one first.
static llvm::SmallVector<int64_t> keyTiles(const KernelShape &Shape) {
  if (Shape.Group)
    return {Shape.Group};
  // Scores, weights and outputs of a row of 16 queries are in the registers of
  // a warp: with wide heads fewer keys fit beside the outputs.
  const int64_t Wide = std::max(Shape.Qk, Shape.V);
  if (Wide > 128 || Shape.ElementBytes > 2)
    return {32, 16};
  return {64, 32, 16};
}

static Candidate makeCandidate(int64_t QueryTile, int64_t KeyTile,
                               const NvLevel &Level, const KernelShape &Shape) {
  // Two stages hide the copies behind the products; a third helps where tiles
  // are small, and two CTAs on one SM hide more than a fourth would.
  int64_t Stages = KeyTile >= 64 ? 2 : 3;
  while (Stages > 1 && sharedBytes({QueryTile, KeyTile, Stages}, Shape) >
                           sharedLimit(Level, Shape))
    --Stages;
  return {QueryTile, KeyTile, Stages};
}

static bool fits(const Candidate &C, const NvLevel &Level,
                 const KernelShape &Shape) {
  return sharedBytes(C, Shape) <= sharedLimit(Level, Shape);
}

/// From the usual one to the least.
static llvm::SmallVector<Candidate> listCandidates(const NvLevel &Level,
                                                   const KernelShape &Shape) {
  llvm::SmallVector<int64_t> QueryTiles = {64, 32, 16};
  if (Shape.IsPacked)
    QueryTiles = {16};
  // Copies that nothing hides cost more than smaller tiles, other than those of
  // 16 keys, for each of which all outputs are rescaled.
  llvm::SmallVector<Candidate> Ranks[3], TooLarge;
  for (int64_t QueryTile : QueryTiles)
    for (int64_t KeyTile : keyTiles(Shape)) {
      const Candidate C = makeCandidate(QueryTile, KeyTile, Level, Shape);
      if (!fits(C, Level, Shape))
        TooLarge.push_back(C);
      else
        Ranks[KeyTile <= FragmentRows ? 2 : C.Stages > 1 ? 0 : 1].push_back(C);
    }
  llvm::SmallVector<Candidate> All;
  for (const llvm::SmallVector<Candidate> &Rank : Ranks)
    llvm::append_range(All, Rank);
  // Where no whole rows fit, those of the least come in slices.
  if (All.empty())
    All.push_back(TooLarge.back());
  return All;
}

std::string heddle::nv::checkShared(const NvLevel &Level,
                                    const KernelShape &Shape) {
  const Candidate C = listCandidates(Level, Shape).front();
  const int64_t Limit = sharedLimit(Level, Shape);
  if (::sharedBytes(C, Shape, Limit) <= Limit)
    return "";
  const int64_t Needs = slicedBytes(C, FragmentRows, Shape);
  return llvm::formatv(
      "the least slices, of {0} queries and {1} keys, take {2} KB of shared "
      "memory, expected at most {3} KB for level '{4}'; allow more with "
      "--shared-memory",
      C.QueryTile, C.KeyTile, (Needs + 1023) / 1024, Limit / 1024, Level.Name);
}

static attn::ScheduleAttr scheduleOf(mlir::MLIRContext *Context,
                                     const Candidate &C,
                                     const KernelShape &Shape) {
  // Rows divide the keys of a tile by the rules of schedules.
  return attn::ScheduleAttr::get(
      Context, C.QueryTile, C.KeyTile,
      /*rows=*/C.KeyTile % FragmentRows ? UnevenRows : FragmentRows,
      /*lanes=*/FragmentRows, /*unroll=*/1, boxOf(C.QueryTile, Shape.Axes),
      boxOf(C.KeyTile, Shape.Axes), C.Stages, /*heads=*/1);
}

attn::ScheduleAttr heddle::nv::chooseSchedule(mlir::MLIRContext *Context,
                                              const NvLevel &Level,
                                              const KernelShape &Shape) {
  if (Shape.isLinear())
    for (const ScheduleChoice &C : weighStateChunks(Context, Level, Shape))
      if (C.IsChosen)
        return C.Schedule;
  return scheduleOf(Context, listCandidates(Level, Shape).front(), Shape);
}

// A slot is a clock of an SM in which its tensor cores do nothing but products
// of f16. Everything is counted by throughput, one after the other; what two
// CTAs of an SM overlap is left out.
KernelCost heddle::nv::estimateCost(attn::ScheduleAttr Schedule,
                                    const NvLevel &Level,
                                    const KernelShape &Shape) {
  if (Shape.isLinear())
    return estimateStateChunk(Schedule.getQueryTile(), Level, Shape);
  const auto Queries = static_cast<double>(Schedule.getQueryTile());
  const auto Keys = static_cast<double>(Schedule.getKeyTile());
  const double Pairs = Queries * Keys;
  const auto Features = static_cast<double>(Shape.Qk + Shape.V);
  // Bytes per clock that an SM gets of the memory's bandwidth.
  const double Bytes =
      Level.Bandwidth * 1e3 / Level.Megahertz / static_cast<double>(Level.Sms);
  const double RowBytes = Features * static_cast<double>(Shape.ElementBytes);
  // Integer and comparison instructions have the rate of f32 ones.
  const double PerPair = Pairs / Level.Fma;

  KernelCost Result;
  Cost &Full = Result.Full;
  // Tensor cores take half as many tf32 as f16.
  const double Products = Shape.ElementBytes <= 2 ? Level.TensorFma
                          : Shape.Tf32            ? Level.TensorFma / 2
                                                  : Level.Fma;
  Full[Work::Products] = Pairs * Features / Products;
  // Scaling, maximum, subtraction, sum and rounding of every score; the outputs
  // are rescaled once per tile.
  if (Shape.HasSoftmax)
    Full[Work::Softmax] = Pairs / Level.Special + 5 * PerPair +
                          Queries * static_cast<double>(Shape.V) / Level.Fma;
  Full[Work::Scores] = static_cast<double>(Shape.ScoreOperations) * PerPair;
  // Tiles of keys come from L2, which several CTAs read them through.
  constexpr double L2Gain = 4;
  Full[Work::Fetch] = Keys * RowBytes / (L2Gain * Bytes);
  Result.Partial = Full;
  Result.Partial[Work::Masks] =
      static_cast<double>(1 + 2 * Shape.Conditions) * PerPair;
  Result.Gathered = Result.Partial;
  // Rows that do not follow one another have their addresses computed.
  Result.Gathered[Work::Copies] = Keys * RowBytes / 16 / Level.Fma * 8;
  Result.Task[Work::Queries] = Queries * RowBytes / Bytes;
  return Result;
}

std::vector<ScheduleChoice>
heddle::nv::weighSchedules(mlir::MLIRContext *Context, const NvLevel &Level,
                           const KernelShape &Shape) {
  if (Shape.isLinear())
    return weighStateChunks(Context, Level, Shape);
  std::vector<ScheduleChoice> Result;
  for (const Candidate &C : listCandidates(Level, Shape)) {
    ScheduleChoice &One = Result.emplace_back();
    One.Schedule = scheduleOf(Context, C, Shape);
    const KernelCost Costs = estimateCost(One.Schedule, Level, Shape);
    const auto Pairs = static_cast<double>(C.QueryTile * C.KeyTile);
    // Spread over rows of 4096 keys.
    One.SlotsPerPair =
        Costs.Full.total() / Pairs +
        Costs.Task.total() / (static_cast<double>(C.QueryTile) * 4096);
    One.Efficiency = Costs.Full[Work::Products] / Pairs / One.SlotsPerPair;
    One.IsChosen = Result.size() == 1;
    One.Reason =
        One.IsChosen
            ? llvm::formatv(
                  "the usual one; {0} KB of {1} KB shared memory",
                  (::sharedBytes(C, Shape, sharedLimit(Level, Shape)) + 1023) /
                      1024,
                  sharedLimit(Level, Shape) / 1024)
                  .str()
            : llvm::formatv(
                  "{0:f1} % slower by the model",
                  100 * (One.SlotsPerPair / Result.front().SlotsPerPair - 1))
                  .str();
  }
  return Result;
}

std::string heddle::nv::checkSchedule(attn::ScheduleAttr Schedule,
                                      const NvLevel &Level) {
  const bool IsUneven =
      Schedule.getRows() == UnevenRows && Schedule.getKeyBox().empty();
  if (Schedule.getRows() != FragmentRows && !IsUneven)
    return llvm::formatv("found 'rows' {0}, expected the {1} rows of a warp",
                         Schedule.getRows(), FragmentRows);
  const int64_t Queries = Schedule.getQueryTile();
  if (Queries % FragmentRows != 0 || Queries > MaxWarps * FragmentRows)
    return llvm::formatv("found 'query_tile' {0}, expected a multiple of {1} "
                         "up to {2}",
                         Queries, FragmentRows, MaxWarps * FragmentRows);
  const int64_t Keys = Schedule.getKeyTile();
  if ((Keys % FragmentRows != 0 && !IsUneven) || Keys > MaxKeyTile)
    return llvm::formatv("found 'key_tile' {0}, expected a multiple of {1} up "
                         "to {2}",
                         Keys, FragmentRows, MaxKeyTile);
  if (Schedule.getStages() < 1 || Schedule.getStages() > MaxStages)
    return llvm::formatv("found {0} stages, expected 1 to {1} for level '{2}'",
                         Schedule.getStages(), MaxStages, Level.Name);
  if (Schedule.getHeads() != 1)
    return llvm::formatv("found {0} heads per task, expected 1 for level '{1}'",
                         Schedule.getHeads(), Level.Name);
  return "";
}
