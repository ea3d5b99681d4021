// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Schedules.h"

#include "codegen/Boxes.h"
#include "codegen/cpu/CostModel.h"
#include "codegen/cpu/KernelBuilder.h"
#include "codegen/cpu/LinearCost.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace heddle;
using namespace heddle::cpu;

/// The density that blocks of a pattern are expected to have: a tile that
/// straddles rows of blocks computes what any of them keeps.
static constexpr double BlockDensity = 0.25;

/// Tokens along an axis of a grid without a window.
static constexpr double LongAxis = 64;

/// Query heads of a task: beyond so many little is left to share.
static constexpr int64_t MostHeads = 8;

namespace {

struct Candidate {
  Blocking Sizes;
  Cost PerTile;
  /// Pairs of visited tiles per pair that is kept, as far as blocks and windows
  /// of the pattern tell.
  double Waste = 1;
  double SlotsPerPair = 0;
};

class Choice {
public:
  Choice(const CpuLevel &Level, const KernelShape &Shape)
      : Level(Level), Shape(Shape), M(assumedMachine(Level)) {
    list();
    for (Candidate &C : All)
      weigh(C);
    choose();
    shareKeys();
  }

  attn::ScheduleAttr schedule(mlir::MLIRContext *Context,
                              const Candidate &Of) const;
  std::string reason(const Candidate &Of) const;
  double efficiency(const Candidate &Of) const {
    return static_cast<double>(Shape.Qk + Shape.V) * M.productSlots() /
           static_cast<double>(M.Lanes) / Of.SlotsPerPair;
  }
  llvm::ArrayRef<Candidate> all() const { return All; }
  const Candidate &chosen() const { return All[Chosen]; }

private:
  void list();
  void weigh(Candidate &C) const;
  void weighByWindows(Candidate &C) const;
  void choose();
  void shareKeys();
  double perPair(double Slots, const Candidate &Of) const {
    return Slots * Of.Waste /
           static_cast<double>(Of.Sizes.Queries * Of.Sizes.Keys);
  }
  std::string gains() const;
  std::string loses(const Candidate &Of) const;

  const CpuLevel &Level;
  const KernelShape &Shape;
  Machine M;
  std::vector<Candidate> All;
  size_t Chosen = 0;
};

} // namespace

void Choice::list() {
  auto Add = [&](int64_t Queries, int64_t Keys, int64_t Rows) {
    Candidate C;
    C.Sizes.Queries = Queries;
    C.Sizes.Keys = Shape.Group ? Shape.Group : Keys;
    C.Sizes.Lanes = Level.Lanes;
    C.Sizes.Rows = largestDivisor(C.Sizes.Keys, Rows);
    auto IsSame = [&](const Candidate &Other) {
      return Other.Sizes.Queries == C.Sizes.Queries &&
             Other.Sizes.Keys == C.Sizes.Keys &&
             Other.Sizes.Rows == C.Sizes.Rows;
    };
    if (llvm::none_of(All, IsSame))
      All.push_back(C);
  };
  if (Shape.IsPacked) {
    // Lanes without a row are wasted, and few heads share their keys. One
    // vector per row of scores leaves registers for more rows at once, which
    // hide the latency of their products.
    Add(Level.Lanes, Level.KeyTile, Level.Registers / 2);
    return;
  }
  Add(Level.QueryTile, Level.KeyTile, Level.Rows);
  // Narrower tiles of queries, by whole vectors, the widest first; on a grid
  // they are boxes of another shape, which the windows of a pattern decide
  // about.
  if (Shape.Axes == 0 || !Shape.Windows.empty()) {
    for (int64_t Queries = Level.QueryTile - Level.Lanes; Queries > 0;
         Queries -= Level.Lanes)
      Add(Queries, Level.KeyTile, Level.Rows);
    // Blocks come in powers of two, and a tile that fills one reads its keys
    // once: with fewer rows the registers hold more vectors.
    const auto Wide = static_cast<int64_t>(llvm::PowerOf2Ceil(Level.QueryTile));
    const int64_t Rows = Level.Rows / 2;
    const bool Fits = (Rows + 1) * (Wide / Level.Lanes) <= Level.Registers - 2;
    if (Fits && Shape.QueryBlock > 0 && Shape.QueryBlock % Wide == 0)
      Add(Wide, Level.KeyTile, Rows);
  }
  // Half as many rows again, where registers allow that: as many more sums of
  // which none waits for another. Such tiles cut blocks of powers of two.
  const int64_t Odd = Level.KeyTile / 4 * 3;
  if (Shape.Axes == 0 && (Shape.KeyBlock == 0 || Odd % Shape.KeyBlock == 0))
    Add(Level.QueryTile, Odd, Level.Rows / 2 * 3);
  Add(Level.QueryTile, Level.KeyTile / 2, Level.Rows);
  Add(Level.QueryTile, Level.KeyTile * 2, Level.Rows);
  Add(Level.QueryTile, Level.KeyTile, Level.Rows / 2);
  Add(Level.QueryTile, Level.KeyTile, Level.Rows * 2);
}

/// A box of queries meets what any of its queries keeps: along an axis its
/// extent more than a window has. Boxes of keys cover that, wherever they
/// begin, but products and softmax leave out the keys of whole rows of a box
/// that nobody keeps (LiveKeys.cpp).
void Choice::weighByWindows(Candidate &C) const {
  const llvm::SmallVector<int64_t> QueryBox =
      boxOf(C.Sizes.Queries, Shape.Axes);
  const llvm::SmallVector<int64_t> KeyBox = boxOf(C.Sizes.Keys, Shape.Axes);
  double Boxes = 1, Kept = 1, Live = 1;
  for (unsigned Axis = 0; Axis < Shape.Axes; ++Axis) {
    const auto Extent = static_cast<double>(KeyBox[Axis]);
    double Window = LongAxis, Met = LongAxis;
    if (Shape.Windows[Axis] > 0) {
      Window = static_cast<double>(Shape.Windows[Axis]);
      Met = Window + static_cast<double>(QueryBox[Axis] - 1);
    }
    const double Visited = Met + Extent - 1;
    Kept *= Window;
    Boxes *= Visited / Extent;
    if (Axis == 0)
      Live = Met / Visited;
  }
  const auto Keys = static_cast<double>(C.Sizes.Keys);
  const double RowBytes =
      static_cast<double>((Shape.Qk + Shape.V) * Shape.ElementBytes);
  const KernelCost Costs = estimateCost(
      M, C.Sizes, Shape,
      std::min(LongKeyBytes, static_cast<int64_t>(Boxes * Keys * RowBytes)));
  C.PerTile = Costs.Partial;
  for (Work Of : {Work::Products, Work::Edges, Work::Softmax, Work::Scores})
    C.PerTile[Of] *= Live;
  C.PerTile.add(Costs.Task, 1 / Boxes);
  C.Waste = Boxes * Keys / Kept;
}

void Choice::weigh(Candidate &C) const {
  if (!Shape.Windows.empty()) {
    weighByWindows(C);
    C.SlotsPerPair = perPair(C.PerTile.total(), C);
    return;
  }
  const auto Keys = static_cast<double>(C.Sizes.Keys);
  const KernelCost Costs = estimateCost(M, C.Sizes, Shape, LongKeyBytes);
  C.PerTile = Costs.Full;
  // Queries are read and written once for all keys of a row.
  constexpr double RowKeys = 4096;
  C.PerTile.add(Costs.Task, Keys / RowKeys);
  if (Shape.QueryBlock > 0 && Shape.Axes == 0) {
    const double Blocks = blocksPerTile(C.Sizes.Queries, Shape.QueryBlock);
    // With one block per tile nothing is in vain. Between whole numbers of
    // blocks this is off by little.
    C.Waste = (1 - std::pow(1 - BlockDensity, Blocks)) / BlockDensity;
  }
  C.SlotsPerPair = perPair(C.PerTile.total(), C);
}

void Choice::choose() {
  for (size_t I = 1; I < All.size(); ++I) {
    const double Limit = Chosen == 0 ? All[0].SlotsPerPair * (1 - NeededGain)
                                     : All[Chosen].SlotsPerPair;
    if (All[I].SlotsPerPair < Limit)
      Chosen = I;
  }
}

/// Tasks of several query heads, as many as leave half of L2 to keys, where
/// what they share gains enough.
void Choice::shareKeys() {
  if (Shape.IsPacked || !Shape.HeadsAgree)
    return;
  Candidate C = All[Chosen];
  const int64_t State = tileBytes(C.Sizes, Shape.Qk + Shape.V);
  C.Sizes.Heads = std::min(M.L2 / 2 / State, MostHeads);
  if (C.Sizes.Heads < 2)
    return;
  weigh(C);
  const double Limit = All[Chosen].SlotsPerPair * (1 - NeededGain);
  All.push_back(C);
  if (C.SlotsPerPair < Limit)
    Chosen = All.size() - 1;
}

/// What the chosen one has over that of the level.
std::string Choice::gains() const {
  if (Chosen == 0)
    return "no other is expected to gain more than the model may err";
  const double Gain = All[0].SlotsPerPair / All[Chosen].SlotsPerPair - 1;
  return llvm::formatv("{0:f1} % faster than the usual {1} x {2}", 100 * Gain,
                       All[0].Sizes.Queries, All[0].Sizes.Keys);
}

/// What it spends most on that the chosen one does not.
std::string Choice::loses(const Candidate &Of) const {
  const Candidate &Best = All[Chosen];
  double Largest = 0;
  std::string Where;
  auto Compare = [&](double More, std::string Name) {
    if (More > Largest) {
      Largest = More;
      Where = std::move(Name);
    }
  };
  for (size_t I = 0; I < NumWork; ++I)
    Compare(perPair(Of.PerTile.Slots[I], Of) / Of.Waste -
                perPair(Best.PerTile.Slots[I], Best) / Best.Waste,
            "more for " + workName(static_cast<Work>(I)).str());
  Compare(Of.SlotsPerPair * (1 - Best.Waste / Of.Waste),
          Shape.Windows.empty()
              ? llvm::formatv("tiles straddle blocks of {0} queries",
                              Shape.QueryBlock)
                    .str()
              : "its boxes meet more keys that a query does not keep");
  return Where;
}

std::string Choice::reason(const Candidate &Of) const {
  // What only its heads tell from another.
  const std::string Heads =
      Of.Sizes.Heads > 1
          ? llvm::formatv("with {0} heads per task ", Of.Sizes.Heads).str()
          : "";
  if (&Of == &All[Chosen])
    return Heads + gains();
  // Tenths of a percent.
  const double Loss =
      std::round(1000 * (Of.SlotsPerPair / All[Chosen].SlotsPerPair - 1)) / 10;
  std::string Text = Heads;
  Text +=
      Loss > 0 ? llvm::formatv("{0:f1} % slower: {1}", Loss, loses(Of)).str()
      : Loss < 0
          ? llvm::formatv("{0:f1} % faster, less than the model may err", -Loss)
                .str()
          : std::string("as fast");
  const RegisterBlock Block = registerBlock(M, Of.Sizes, Of.Sizes.Keys);
  if (Block.Rows < Of.Sizes.Rows || Block.Vectors < Of.Sizes.vectors())
    Text += llvm::formatv("; {0} rows x {1} vectors exceed {2} registers, so "
                          "{3} x {4} at once",
                          Of.Sizes.Rows, Of.Sizes.vectors(), M.Registers,
                          Block.Rows, Block.Vectors);
  return Text;
}

attn::ScheduleAttr Choice::schedule(mlir::MLIRContext *Context,
                                    const Candidate &Of) const {
  const Blocking &S = Of.Sizes;
  return attn::ScheduleAttr::get(
      Context, S.Queries, S.Keys, S.Rows, S.Lanes,
      largestDivisor(S.Keys, Level.Unroll), boxOf(S.Queries, Shape.Axes),
      boxOf(S.Keys, Shape.Axes), /*stages=*/0, S.Heads);
}

std::vector<ScheduleChoice> cpu::weighSchedules(mlir::MLIRContext *Context,
                                                llvm::StringRef Level,
                                                const KernelShape &Shape) {
  if (Shape.isLinear())
    return weighChunks(Context, *findCpuLevel(Level), Shape);
  const Choice Made(*findCpuLevel(Level), Shape);
  std::vector<ScheduleChoice> Result;
  for (const Candidate &C : Made.all()) {
    ScheduleChoice &One = Result.emplace_back();
    One.Schedule = Made.schedule(Context, C);
    One.SlotsPerPair = C.SlotsPerPair;
    One.Efficiency = Made.efficiency(C);
    One.IsChosen = &C == &Made.chosen();
    One.Reason = Made.reason(C);
  }
  return Result;
}

attn::ScheduleAttr cpu::chooseSchedule(mlir::MLIRContext *Context,
                                       llvm::StringRef Level,
                                       const KernelShape &Shape) {
  if (Shape.isLinear()) {
    const std::vector<ScheduleChoice> All =
        weighSchedules(Context, Level, Shape);
    return llvm::find_if(All,
                         [](const ScheduleChoice &C) { return C.IsChosen; })
        ->Schedule;
  }
  const Choice Made(*findCpuLevel(Level), Shape);
  return Made.schedule(Context, Made.chosen());
}
