// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/CostModel.h"

#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/LinearCost.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace heddle;
using namespace heddle::cpu;

Blocking cpu::blockingOf(attn::ScheduleAttr Schedule) {
  Blocking B;
  B.Queries = Schedule.getQueryTile();
  B.Keys = Schedule.getKeyTile();
  B.Rows = Schedule.getRows();
  B.Lanes = Schedule.getLanes();
  B.Heads = Schedule.getHeads();
  return B;
}

namespace {

/// Instructions of one pass over a vector of scores.
struct Pass {
  /// Arithmetic: on the units that multiply (and compare), and on any.
  double Multiply, Other;
  double Loads, Stores;
};

// Softmax.cpp, MicroKernel.cpp: the largest score, where it is asked for, then
// x - m, exp2 and the sum.
constexpr Pass LargestPass = {1, 0, 1, 0};
constexpr Pass WeightPass = {7, 6, 1, 1};
/// Vectors of queries whose chains run at the same time.
constexpr double SoftmaxChains = 3;
/// Per vector of queries and tile: exp2 of the old maximum, the new state.
constexpr double StateSlots = 30;

// Masks.cpp, per vector of scores.
/// A comparison is on 64-bit integers: two vectors for one of scores.
constexpr Pass ConditionPass = {2, 2, 0, 0};
/// Packing the answer into a word.
constexpr Pass WordPass = {1, 2, 0, 1};
/// Unpacking it, choosing between a score and -inf.
constexpr Pass MaskPass = {1, 1, 2, 1};

// Ahead.cpp, Fetches.cpp: lines that a step of a product asks for, each a load,
// and where rows are those of a list the address another.
/// Of values and of the product's own keys, and of the next tile's keys.
constexpr double LinesOfScores = 2, LinesOfValues = 1;

// Panels.cpp: loads and stores in the shadow of multiply-adds.
constexpr double PanelSlots = 0.3;

// Transfer.cpp, Transpose.cpp.
/// Per vector of a staged row, and per row.
constexpr double StageSlots = 3, StageRowSlots = 12;
/// Cos, sin and four products per pair of vectors.
constexpr double TurnSlots = 6;
/// Where a row of a list is.
constexpr double AddressSlots = 3.5;
/// Finding one gathered key in its list.
constexpr double CollectSlots = 60;
/// Rows and features of a square that is turned in registers, at most.
constexpr double TransposeSide = 8;
/// Scaling q, clearing o and dividing it, per vector.
constexpr double QuerySlots = 2, OutputSlots = 4;
/// Fixed costs of a tile of keys (calls, the loop) and of a task.
constexpr double TileSlots = 40, TaskSlots = 600;

class Estimate {
public:
  Estimate(const Machine &M, const Blocking &Sizes, const KernelShape &Shape,
           int64_t KeyBytes)
      : M(M), Sizes(Sizes), Shape(Shape), KeyBytes(KeyBytes) {}

  KernelCost run() const;

private:
  double slots(const Pass &P) const {
    return std::max({P.Multiply, (P.Multiply + P.Other) / M.Arithmetic,
                     P.Loads / M.Loads, P.Stores / M.Stores});
  }
  int64_t tileBytes(int64_t Features) const {
    return cpu::tileBytes(Sizes, Features);
  }
  double heads() const { return static_cast<double>(Sizes.Heads); }
  double scores() const {
    return static_cast<double>(Sizes.Keys * Sizes.vectors());
  }

  /// Boxes of a grid are lists of positions. Narrow types are copied.
  bool rowsAreListed() const {
    return Shape.Axes > 0 && Shape.ElementBytes >= 4;
  }

  /// `IsLazy`: nobody looks for the largest score.
  Cost weights(bool IsLazy) const;
  Cost mask() const;
  Cost fetch() const;
  /// Bringing back what other heads have displaced from L1.
  Cost turns() const;
  Cost copies(bool IsGathered) const;
  Cost task() const;

  const Machine &M;
  const Blocking &Sizes;
  const KernelShape &Shape;
  int64_t KeyBytes;
};

} // namespace

RegisterBlock cpu::registerBlock(const Machine &M, const Blocking &Sizes,
                                 int64_t Rows) {
  // As emitProduct does.
  int64_t Fit = std::max<int64_t>(1, (M.Registers - 3 - M.ProductScratch) / 2);
  RegisterBlock Block;
  Block.Rows = std::min(Rows, largestDivisor(Sizes.Rows, Fit));
  int64_t Beside = (M.Registers - 2 - M.ProductScratch) / (Block.Rows + 1);
  Block.Vectors = largestDivisor(Sizes.vectors(), std::max<int64_t>(Beside, 1));
  return Block;
}

static double lines(int64_t Bytes) {
  return static_cast<double>(Bytes) / LineBytes;
}

int64_t cpu::tileBytes(const Blocking &Sizes, int64_t Features) {
  return Features * Sizes.vectors() * Sizes.Lanes * 4;
}

double cpu::missesOfL1(const Machine &M, int64_t Bytes) {
  double Over = static_cast<double>(Bytes) / static_cast<double>(M.L1) - 1;
  return std::clamp(2 * Over, 0.0, 1.0);
}

void cpu::addProduct(const Machine &M, const Blocking &Sizes, int64_t Rows,
                     int64_t Depth, bool HasSum, int64_t RowBytes, Cost &Out,
                     double LoadsBeside) {
  // Whole register tiles, then one of the rows that are left.
  const int64_t AtOnce = registerBlock(M, Sizes, Rows).Rows;
  const int64_t Left = Rows % AtOnce;
  for (auto [Height, Times] :
       {std::pair(AtOnce, Rows / AtOnce), std::pair(Left, int64_t(1))}) {
    if (Height == 0)
      continue;
    const int64_t Width = registerBlock(M, Sizes, Height).Vectors;
    const auto Sums = static_cast<double>(Height * Width);
    const double Products = Sums * M.productSlots();
    const double Step =
        std::max({Products,
                  (static_cast<double>(Height + Width) + LoadsBeside) / M.Loads,
                  M.Latency});
    const double Misses = missesOfL1(M, tileBytes(Sizes, Depth) + RowBytes);
    const double Enter = M.Latency + 0.5 * Sums * (HasSum ? 2 : 1) +
                         static_cast<double>(Depth * Width) * Misses * M.LineL2;
    const int64_t Groups = Sizes.vectors() / Width;
    const auto Tiles = static_cast<double>(Times * Groups);
    const double Steps = Tiles * static_cast<double>(Depth);
    Out[Work::Products] += Steps * Products;
    Out[Work::Edges] += Steps * (Step - Products) + Tiles * Enter;
  }
}

double cpu::turnSlots(const Machine &M) {
  // Per row of a square a load, a store and its shuffles.
  const double Side = std::min(static_cast<double>(M.Lanes), TransposeSide);
  return (2 + std::log2(Side)) / Side;
}

double cpu::fetchSlots(const Machine &M, int64_t Bytes, int64_t KeyBytes) {
  // Half of a cache is left for what a task itself writes.
  const double PerLine = KeyBytes <= M.L2 / 2   ? M.LineL2
                         : KeyBytes <= M.L3 / 2 ? M.LineL3
                                                : M.LineMemory;
  return lines(Bytes) * PerLine;
}

/// Scores to weights.
Cost Estimate::weights(bool IsLazy) const {
  Cost Result;
  const auto Vectors = static_cast<double>(Sizes.vectors());
  if (Shape.HasSoftmax) {
    const double Largest =
        std::max(slots(LargestPass), M.Latency / M.Arithmetic / SoftmaxChains);
    Result[Work::Softmax] =
        scores() * slots(WeightPass) +
        (IsLazy ? 0 : scores() * Largest + Vectors * StateSlots);
  }
  if (Shape.ScoreOperations > 0)
    // Beside its own operations the region loads and stores.
    Result[Work::Scores] =
        scores() * (static_cast<double>(Shape.ScoreOperations) + 3);
  return Result;
}

Cost Estimate::mask() const {
  Cost Result;
  // BoxBits.cpp: of a box of keys, questions are asked once per coordinate.
  const auto Keys = static_cast<double>(Sizes.Keys);
  const double Asked =
      Shape.Axes > 1 ? std::pow(Keys, 1.0 / Shape.Axes) / Keys : 1;
  // The heads of a task ask once.
  const double PerPair =
      (static_cast<double>(Shape.Conditions) * slots(ConditionPass) * Asked +
       slots(WordPass)) /
          heads() +
      slots(MaskPass);
  // Each register tile of the second product reads the bits again.
  const int64_t Rows = registerBlock(M, Sizes, Shape.V).Rows;
  const int64_t Sweeps = llvm::divideCeil(Shape.V, Rows);
  Result[Work::Masks] = scores() * (PerPair + static_cast<double>(Sweeps));
  return Result;
}

Cost Estimate::fetch() const {
  Cost Result;
  const int64_t Bytes = Sizes.Keys * (Shape.Qk + Shape.V) * Shape.ElementBytes;
  // The first head of a task brings them to L2.
  const double Later = lines(Bytes) * M.LineL2;
  Result[Work::Fetch] =
      (fetchSlots(M, Bytes, KeyBytes) + (heads() - 1) * Later) / heads();
  return Result;
}

Cost Estimate::turns() const {
  Cost Result;
  if (Sizes.Heads == 1)
    return Result;
  const int64_t Queries = tileBytes(Shape.Qk), Output = tileBytes(Shape.V);
  const double Here =
      1 - missesOfL1(M, Queries + Output + tileBytes(Sizes.Keys));
  Result[Work::Edges] = Here * M.LineL2 * lines(Queries + Output);
  return Result;
}

Cost Estimate::copies(bool IsGathered) const {
  Cost Result;
  const auto Keys = static_cast<double>(Sizes.Keys);
  auto VectorsOf = [&](int64_t Features) {
    const int64_t Count = llvm::divideCeil(Features, Sizes.Lanes);
    return static_cast<double>(Count);
  };
  const bool All = Shape.ElementBytes < 4;
  auto CopyOf = [&](int64_t Features, bool InProduct) {
    return Keys * VectorsOf(Features) *
           (InProduct ? PanelSlots
                      : StageSlots + StageRowSlots / VectorsOf(Features));
  };
  const bool InProducts = M.ProductScratch == 0;
  // What a product copies, every head copies; the rest is made once per task.
  double Slots = 0, OfTask = 0;
  if (All || Shape.Rotates) {
    const bool InProduct = InProducts && !Shape.Rotates;
    (InProduct ? Slots : OfTask) += CopyOf(Shape.Qk, InProduct);
  }
  if (All)
    (InProducts ? Slots : OfTask) += CopyOf(Shape.V, InProducts);
  if (Shape.Rotates)
    OfTask += Keys * VectorsOf(Shape.Qk) * TurnSlots;
  if (!All && (IsGathered || rowsAreListed()))
    OfTask += Keys * 2 * AddressSlots;
  if (IsGathered)
    OfTask += Keys * CollectSlots;
  Result[Work::Copies] = Slots + OfTask / heads();
  return Result;
}

Cost Estimate::task() const {
  Cost Result;
  const auto Queries = static_cast<double>(Sizes.Queries);
  const auto Vectors = static_cast<double>(Sizes.vectors());
  const auto Qk = static_cast<double>(Shape.Qk);
  const auto V = static_cast<double>(Shape.V);
  Result[Work::Queries] = TaskSlots + Queries * (Qk + V) * turnSlots(M) +
                          Vectors * (Qk * QuerySlots + V * OutputSlots);
  return Result;
}

KernelCost Estimate::run() const {
  KernelCost Result;
  Cost Step;
  // A register tile of scores reads rows of keys, one of the output a strip of
  // values.
  const double PerRow = rowsAreListed() ? 1 : 0;
  addProduct(M, Sizes, Sizes.Keys, Shape.Qk, /*HasSum=*/false,
             Sizes.Rows * Shape.Qk * 4, Step, LinesOfScores * (1 + PerRow));
  addProduct(M, Sizes, Shape.V, Sizes.Keys, /*HasSum=*/true,
             Sizes.Keys * LineBytes, Step, LinesOfValues + PerRow);
  // The sums themselves stay in L1 beside scores and queries, or do not.
  const double OutputMisses = missesOfL1(
      M, tileBytes(Shape.V) + tileBytes(Shape.Qk) + tileBytes(Sizes.Keys));
  Step[Work::Edges] +=
      TileSlots + OutputMisses * M.LineL2 * lines(tileBytes(Shape.V));
  Step.add(turns());
  const auto Parts = static_cast<double>(Sizes.Parts);
  // LazySoftmax.cpp.
  Cost Full = Step;
  Full.add(weights(/*IsLazy=*/Shape.ScoreOperations == 0));
  Result.Full.add(Full, Parts);
  Step.add(weights(/*IsLazy=*/false));
  Step.add(mask());
  Result.Partial.add(Step, Parts);
  Result.Gathered.add(Step, Parts);
  Result.Full.add(fetch());
  Result.Partial.add(fetch());
  Result.Gathered.add(fetch());
  Result.Full.add(copies(/*IsGathered=*/false));
  Result.Partial.add(copies(/*IsGathered=*/false));
  Result.Gathered.add(copies(/*IsGathered=*/true));
  Result.Task.add(task(), Parts);
  return Result;
}

KernelCost cpu::estimateCost(const Machine &M, const Blocking &Sizes,
                             const KernelShape &Shape, int64_t KeyBytes) {
  if (Shape.isLinear())
    return estimateChunk(M, Sizes, Shape, KeyBytes);
  return Estimate(M, Sizes, Shape, KeyBytes).run();
}

double cpu::blocksPerTile(int64_t Tile, int64_t Block) {
  if (Block <= 0)
    return 1;
  // Boundaries of blocks inside of tiles; one per period is the beginning of a
  // tile.
  const int64_t Period = std::lcm(Tile, Block);
  const int64_t Inside = Period / Block - 1, Tiles = Period / Tile;
  return 1 + static_cast<double>(Inside) / static_cast<double>(Tiles);
}
