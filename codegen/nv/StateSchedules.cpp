// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/StateSchedules.h"

#include "codegen/nv/Schedules.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::nv;

int64_t heddle::nv::stateSharedBytes(int64_t Tokens, const KernelShape &Shape) {
  constexpr int64_t Padding = 4, ElementBytes = 4;
  const int64_t Rows = std::max(Shape.Mapped, Shape.V) + Padding;
  // Queries, keys and values, what is made of two of them, and the sums; beside
  // them what decays by feature, and what is taken away with its factors.
  const int64_t Tiles =
      (Shape.DecaysByFeature ? 8 : 6) + (Shape.ErasesFirst ? 5 : 0);
  int64_t Elements = Shape.State * (Shape.V + Padding) + Tokens * Rows * Tiles +
                     2 * Tokens * (Tokens + Padding);
  // An expansion is as wide as the state is long.
  if (Shape.State > Shape.Mapped)
    Elements += Tokens * (Shape.State + Padding);
  return Elements * ElementBytes;
}

KernelCost heddle::nv::estimateStateChunk(int64_t Tokens, const NvLevel &Level,
                                          const KernelShape &Shape) {
  const auto Count = static_cast<double>(Tokens);
  const auto Features = static_cast<double>(Shape.Qk + Shape.V);
  const auto Mapped = static_cast<double>(Shape.Mapped + Shape.V);
  const double Bytes =
      Level.Bandwidth * 1e3 / Level.Megahertz / static_cast<double>(Level.Sms);
  KernelCost Result;
  Cost &Chunk = Result.Full;
  // Tensor cores have half the rate for tf32, and take about three products
  // for one of f32.
  constexpr double Slowness = 2 * 3;
  Chunk[Work::Products] =
      Slowness * chunkFlop(Shape, Tokens) / 2 / Level.TensorFma;
  // Operands of products and elements of maps come out of shared memory, and
  // threads meet after each of some thirty verbs.
  constexpr double Meeting = 40, Verbs = 30, Passes = 6;
  Chunk[Work::Edges] = Meeting * Verbs;
  Chunk[Work::Factors] = Passes * Count * Mapped / Level.Fma;
  if (Shape.DecaysByFeature)
    Chunk[Work::Factors] += Count * Count * Mapped / Level.Fma;
  if (Shape.ErasesFirst)
    Chunk[Work::Factors] += 2 * Count * Count * Mapped / Level.Fma;
  Chunk[Work::Fetch] =
      Count * Features * static_cast<double>(Shape.ElementBytes) / Bytes;
  const int64_t Shared = stateSharedBytes(Tokens, Shape);
  if (Shared > Level.SharedLimit)
    // What lies outside is read and written about twice.
    Chunk[Work::Copies] =
        4 * static_cast<double>(Shared - Level.SharedLimit) / Bytes;
  Result.Partial = Result.Gathered = Chunk;
  Result.Task[Work::Queries] =
      8 * static_cast<double>(Shape.State * Shape.V) / Bytes;
  return Result;
}

std::vector<ScheduleChoice>
heddle::nv::weighStateChunks(mlir::MLIRContext *Context, const NvLevel &Level,
                             const KernelShape &Shape) {
  std::vector<ScheduleChoice> Result;
  for (int64_t Tokens : {16, 32, 64}) {
    const KernelCost Costs = estimateStateChunk(Tokens, Level, Shape);
    ScheduleChoice &One = Result.emplace_back();
    One.Schedule = attn::ScheduleAttr::get(Context, Tokens, Tokens,
                                           /*rows=*/FragmentRows,
                                           /*lanes=*/FragmentRows,
                                           /*unroll=*/1, {}, {}, /*stages=*/1,
                                           /*heads=*/1);
    One.SlotsPerPair = Costs.Full.total() / static_cast<double>(Tokens);
    One.Efficiency = Costs.Full[Work::Products] / Costs.Full.total();
  }
  auto Best = llvm::min_element(
      Result, [](const ScheduleChoice &X, const ScheduleChoice &Y) {
        return X.SlotsPerPair < Y.SlotsPerPair;
      });
  Best->IsChosen = true;
  for (ScheduleChoice &One : Result) {
    const int64_t Shared = stateSharedBytes(One.Schedule.getQueryTile(), Shape);
    One.Reason =
        One.IsChosen
            ? llvm::formatv("the fastest by the model; about {0} KB of {1} KB "
                            "shared memory",
                            (Shared + 1023) / 1024, Level.SharedLimit / 1024)
                  .str()
            : llvm::formatv("{0:f1} % slower by the model",
                            100 * (One.SlotsPerPair / Best->SlotsPerPair - 1))
                  .str();
  }
  return Result;
}
