// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/LinearCost.h"

#include "codegen/cpu/KernelBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace heddle;
using namespace heddle::cpu;

/// Tokens of the usual chunk.
static constexpr int64_t UsualChunk = 64;

/// Fixed costs of a chunk (calls, the loop) and of a stretch.
static constexpr double ChunkSlots = 120, StretchSlots = 600;
/// Per vector of scores: loading it, its factor and the mask, storing it.
static constexpr double FactorSlots = 2.5;
/// Per vector of factors per feature: exp, products from the start and to the
/// end of the chunk, and their use on queries and keys.
static constexpr double FeatureFactorSlots = 80;
/// The part of turning rows that products do not hide.
static constexpr double TurnShare = 0.5;
/// Per vector that is mapped or expanded.
static constexpr double MapSlots = 2;

namespace {

class ChunkEstimate {
public:
  ChunkEstimate(const Machine &M, const Blocking &Sizes,
                const KernelShape &Shape, int64_t KeyBytes)
      : M(M), Sizes(Sizes), Shape(Shape), KeyBytes(KeyBytes) {
    Sideways = Sizes;
    // The state has features of v along the lanes.
    Sideways.Queries = Shape.V;
  }

  KernelCost run() {
    KernelCost Result;
    Cost &Chunk = Result.Full;
    if (!Shape.IsBidirectional)
      addPairs(Chunk);
    addState(Chunk);
    if (Shape.HasDelta)
      addDelta(Chunk);
    if (Shape.ErasesFirst)
      addErasure(Chunk);
    addRows(Chunk);
    Result.Task[Work::Queries] =
        StretchSlots +
        static_cast<double>(Shape.State * Shape.V) * 2 * turnSlots(M);
    return Result;
  }

private:
  int64_t tokens() const { return Sizes.Queries; }
  /// True where outputs have their values along the lanes, as the pass decides.
  bool areValuesLanes() const {
    return Shape.V % Sizes.Lanes == 0 && Shape.V >= tokens();
  }
  /// Outputs, summed up over `Depth` steps.
  void addOutputs(int64_t Depth, bool HasSum, Cost &Out) const {
    if (areValuesLanes())
      addProduct(M, Sideways, tokens(), Depth, HasSum, Depth * LineBytes, Out);
    else
      addProduct(M, Sizes, Shape.V, Depth, HasSum, Depth * LineBytes, Out);
  }
  double vectors(int64_t Elements) const {
    return static_cast<double>(llvm::divideCeil(Elements, Sizes.Lanes));
  }

  /// Among the tokens of the chunk.
  void addPairs(Cost &Out) const {
    const double Scores =
        static_cast<double>(tokens()) * static_cast<double>(Sizes.vectors());
    if (Shape.DecaysByFeature) {
      addWalk(Out);
      Out[Work::Factors] += static_cast<double>(tokens()) *
                            vectors(Shape.Mapped) * FeatureFactorSlots;
    } else {
      addProduct(M, Sizes, tokens(), Shape.Mapped, /*HasSum=*/false,
                 Sizes.Rows * Shape.Mapped * 4, Out);
      Out[Work::Factors] += Scores * FactorSlots;
    }
    addOutputs(tokens(), /*HasSum=*/true, Out);
  }

  /// Dot products of pairs with a factor per feature: one feature at a time, a
  /// product with the factor and one with the key, for the pairs that are seen,
  /// about half of all.
  void addWalk(Cost &Out) const {
    Out[Work::Products] += static_cast<double>(tokens()) *
                           static_cast<double>(Sizes.vectors()) *
                           static_cast<double>(Shape.Mapped) * M.productSlots();
  }

  /// Out of the state and into it.
  void addState(Cost &Out) const {
    addOutputs(Shape.State, /*HasSum=*/false, Out);
    addProduct(M, Sideways, Shape.State, tokens(), /*HasSum=*/true,
               tokens() * LineBytes, Out);
    // It is read twice and written once.
    const int64_t Bytes = tileBytes(Sideways, Shape.State);
    const double Misses =
        missesOfL1(M, Bytes + tileBytes(Sizes, Shape.Mapped + Shape.V));
    const double PerLine = Bytes <= M.L2 / 2 ? M.LineL2 : M.LineL3;
    Out[Work::Edges] +=
        3 * static_cast<double>(Bytes) / LineBytes * Misses * PerLine;
    if (Shape.State > Shape.Mapped)
      Out[Work::Factors] +=
          2 * vectors(tokens()) * static_cast<double>(Shape.State) * MapSlots;
  }

  void addDelta(Cost &Out) const {
    if (Shape.DecaysByFeature)
      addWalk(Out);
    else
      addProduct(M, Sizes, tokens(), Shape.Mapped, /*HasSum=*/false,
                 Sizes.Rows * Shape.Mapped * 4, Out);
    // Asking the state about keys: values along the lanes, like the state.
    addProduct(M, Sideways, tokens(), Shape.State, /*HasSum=*/false,
               Shape.State * LineBytes, Out);
    // Half a square of substitutions, of which each waits for the one before.
    const double Steps =
        static_cast<double>(tokens() * tokens()) / 2 * vectors(Shape.V);
    Out[Work::Products] += Steps * M.productSlots();
    Out[Work::Edges] += Steps;
  }

  /// What a delta rule takes away where that is not where it writes: walks
  /// with keys and queries, products with the pairs of both, and with the
  /// state.
  void addErasure(Cost &Out) const {
    for (int Each = 0; Each < 2; ++Each) {
      addWalk(Out);
      addOutputs(tokens(), /*HasSum=*/true, Out);
    }
    addProduct(M, Sideways, Shape.State, tokens(), /*HasSum=*/true,
               tokens() * LineBytes, Out);
  }

  /// Tokens in and out.
  void addRows(Cost &Out) const {
    const auto Tokens = static_cast<double>(tokens());
    Out[Work::Queries] +=
        ChunkSlots + TurnShare * turnSlots(M) * Tokens *
                         static_cast<double>(Shape.Qk + 2 * Shape.V);
    Out[Work::Factors] += Tokens * 2 * vectors(Shape.Mapped) * MapSlots;
    Out[Work::Fetch] += fetchSlots(
        M, tokens() * (Shape.Qk + Shape.V) * Shape.ElementBytes, KeyBytes);
  }

  const Machine &M;
  Blocking Sizes, Sideways;
  const KernelShape &Shape;
  int64_t KeyBytes;
};

struct ChunkCandidate {
  Blocking Sizes;
  Cost PerChunk;
  double slotsPerToken() const {
    return PerChunk.total() / static_cast<double>(Sizes.Queries);
  }
};

} // namespace

KernelCost cpu::estimateChunk(const Machine &M, const Blocking &Sizes,
                              const KernelShape &Shape, int64_t KeyBytes) {
  return ChunkEstimate(M, Sizes, Shape, KeyBytes).run();
}

/// Chunks of whole vectors, each with the rows that suit it best.
static std::vector<ChunkCandidate>
listChunks(const Machine &M, const CpuLevel &Level, const KernelShape &Shape) {
  std::vector<ChunkCandidate> All;
  for (int64_t Tokens : {UsualChunk, int64_t(16), int64_t(32), int64_t(48),
                         int64_t(96), int64_t(128), int64_t(192)}) {
    std::optional<ChunkCandidate> Best;
    for (int64_t Rows : {Level.Rows, Level.Rows / 2, Level.Rows * 2}) {
      ChunkCandidate C;
      C.Sizes.Queries = C.Sizes.Keys = Tokens;
      C.Sizes.Lanes = Level.Lanes;
      C.Sizes.Rows = largestDivisor(Tokens, std::max<int64_t>(Rows, 1));
      C.PerChunk = estimateChunk(M, C.Sizes, Shape, LongKeyBytes).Full;
      if (!Best || C.slotsPerToken() < Best->slotsPerToken())
        Best = C;
    }
    All.push_back(*Best);
  }
  return All;
}

/// What `Of` spends more on, per token, than `Best`.
static std::string findLoss(const ChunkCandidate &Of,
                            const ChunkCandidate &Best) {
  double Largest = 0;
  std::string Where;
  for (size_t I = 0; I < NumWork; ++I) {
    const double More =
        Of.PerChunk.Slots[I] / static_cast<double>(Of.Sizes.Queries) -
        Best.PerChunk.Slots[I] / static_cast<double>(Best.Sizes.Queries);
    if (More > Largest) {
      Largest = More;
      Where = "more for " + workName(static_cast<Work>(I)).str();
    }
  }
  return Where;
}

static std::string reasonOf(const std::vector<ChunkCandidate> &All,
                            size_t Which, size_t Chosen) {
  const double Own = All[Which].slotsPerToken(),
               Best = All[Chosen].slotsPerToken();
  if (Which == Chosen && Chosen == 0)
    return "no other is expected to gain more than the model may err";
  if (Which == Chosen)
    return llvm::formatv("{0:f1} % faster than the usual {1}",
                         100 * (All[0].slotsPerToken() / Own - 1),
                         All[0].Sizes.Queries);
  const double Loss = std::round(1000 * (Own / Best - 1)) / 10;
  if (Loss > 0)
    return llvm::formatv("{0:f1} % slower: {1}", Loss,
                         findLoss(All[Which], All[Chosen]));
  if (Loss < 0)
    return llvm::formatv("{0:f1} % faster, less than the model may err", -Loss);
  return "as fast";
}

std::vector<ScheduleChoice> cpu::weighChunks(mlir::MLIRContext *Context,
                                             const CpuLevel &Level,
                                             const KernelShape &Shape) {
  const Machine M = assumedMachine(Level);
  const std::vector<ChunkCandidate> All = listChunks(M, Level, Shape);
  size_t Chosen = 0;
  for (size_t I = 1; I < All.size(); ++I) {
    const double Limit = Chosen == 0 ? All[0].slotsPerToken() * (1 - NeededGain)
                                     : All[Chosen].slotsPerToken();
    if (All[I].slotsPerToken() < Limit)
      Chosen = I;
  }
  std::vector<ScheduleChoice> Result;
  for (size_t I = 0; I < All.size(); ++I) {
    const Blocking &S = All[I].Sizes;
    ScheduleChoice &One = Result.emplace_back();
    One.Schedule =
        attn::ScheduleAttr::get(Context, S.Queries, S.Keys, S.Rows, S.Lanes,
                                largestDivisor(S.Keys, Level.Unroll), {}, {},
                                /*stages=*/0, /*heads=*/1);
    One.SlotsPerPair = All[I].slotsPerToken();
    const double Floor = chunkFlop(Shape, S.Queries) /
                         (2 * static_cast<double>(M.Lanes) / M.productSlots());
    One.Efficiency = Floor / All[I].PerChunk.total();
    One.IsChosen = I == Chosen;
    One.Reason = reasonOf(All, I, Chosen);
  }
  return Result;
}
