// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Packing.h"
#include "Dtype.h"
#include "Plan.h"
#include "Tiling.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>

using namespace heddle;
using namespace heddle::runtime;

/// On the processor keys are split until there are so many tasks: enough for
/// the threads of a large machine, and some to spare where parts differ in
/// work.
static constexpr int64_t WantedTasks = 64;
/// A part visits at least so many key tiles: merging it, and starting it, are
/// little beside that. Starting is less on a device.
static constexpr int64_t LeastTiles = 16, LeastDeviceTiles = 4;
/// Groups that a multiprocessor of a device runs at once: one computes while
/// the other waits for its keys.
static constexpr int64_t GroupsAtOnce = 2;
/// Parts are cut where a stretch ends that has so little of a part's work.
static constexpr int64_t StretchesPerPart = 4;
/// Stretches that one is divided into at once.
static constexpr int64_t Fanout = 4;
/// Beyond it there is nothing to split, and packed tasks, which are stored one
/// by one, would take more memory than the order of classes.
static constexpr int64_t MostBlocks = int64_t(1) << 20;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

void *runtime::rowOf(const heddle_view &View, int32_t Dtype, int64_t Batch,
                     int64_t Head, int64_t Row) {
  if (!View.data)
    return nullptr;
  int64_t First = View.offsets ? View.offsets[Batch] * View.stride[2]
                               : Batch * View.stride[0];
  return static_cast<char *>(View.data) +
         (First + Head * View.stride[1] + Row * View.stride[2]) *
             dtypeBytes(Dtype);
}

PackedArgs::PackedArgs(const heddle_plan &Plan, const Packing &Of,
                       const heddle_args &Launch)
    : Plan(Plan), Launch(Launch), Args(Launch), Source(Launch.sources[0]),
      Operands(Launch.operands, Launch.operands + Plan.Entry->num_params) {
  Operands.resize(Plan.Entry->num_params + NumHiddenOperands);
  Args.operands = Operands.data();
  Args.sources = &Source;
  Args.origin = Of.Origins.data();
}

/// Rows of one sequence, from `Data` on, as all there is.
static heddle_view rowsAt(void *Data, const heddle_view &From, int64_t Rows,
                          int64_t Stride) {
  return {Data,
          {From.shape[0], 1, Rows, From.shape[3]},
          {0, 0, Stride, From.stride[3]},
          nullptr};
}

const heddle_args &PackedArgs::select(const PackedBlock &Block,
                                      int64_t KeyBegin, int64_t KeyEnd) {
  const heddle_entry &Entry = *Plan.Entry;
  auto Heads = [&](const heddle_view &View, int32_t Dtype) {
    return rowsAt(rowOf(View, Dtype, Block.Batch, Block.Head, Block.Query),
                  View, Block.NumHeads, View.stride[1]);
  };
  Args.q = Heads(Launch.q, Entry.dtype);
  Args.o = Heads(Launch.o, Entry.output_dtype);
  Args.lse = Heads(Launch.lse, HEDDLE_F32);
  Args.row_max = Heads(Launch.row_max, HEDDLE_F32);

  int64_t HeadKv = Block.Head / (Plan.HeadsQ / Plan.HeadsKv);
  int64_t NumKeys = Plan.numKeys(Block.Batch);
  auto Keys = [&](const heddle_view &View) {
    return rowsAt(rowOf(View, Entry.dtype, Block.Batch, HeadKv, 0), View,
                  NumKeys, View.stride[2]);
  };
  Source.k = Keys(Launch.sources[0].k);
  Source.v = Keys(Launch.sources[0].v);

  heddle_operand *Hidden = Operands.data() + Entry.num_params;
  Hidden[RowHead].integer = Block.Head;
  Hidden[RowPosition].integer = Plan.Origin[Block.Batch] + Block.Query;
  Hidden[HiddenOperand::KeyBegin].integer = KeyBegin;
  Hidden[HiddenOperand::KeyEnd].integer = KeyEnd;
  return Args;
}

int64_t PackedArgs::partialFloats(const heddle_plan &Plan, const Packing &Of) {
  return HEDDLE_PARTIAL_FLOATS(Of.Code->query_tile, Plan.Entry->d_v);
}

void PackedArgs::aim(float *Partial) {
  int64_t Width = Plan.Entry->d_v, Rows = Args.q.shape[2];
  Args.o.data = Partial;
  Args.o.stride[2] = Width;
  if (Plan.Entry->has_lse) {
    Args.lse.data = Partial + Rows * Width;
    Args.lse.stride[2] = 1;
  }
  if (Args.row_max.data) {
    Args.row_max.data = Partial + Rows * (Width + 1);
    Args.row_max.stride[2] = 1;
  }
}

//===----------------------------------------------------------------------===//
// Tasks
//===----------------------------------------------------------------------===//

int64_t Packing::bytes() const {
  return static_cast<int64_t>(Blocks.capacity() * sizeof(PackedBlock) +
                              Tasks.capacity() * sizeof(PackedTask) +
                              Origins.capacity() * sizeof(int64_t));
}

/// Tiles of rows of all heads of a group.
static int64_t tilesPerGroup(const heddle_plan &Plan, const heddle_code &Code) {
  return ceilDivide(Plan.HeadsQ / Plan.HeadsKv, Code.query_tile);
}

/// Groups that a device runs at once.
static int64_t deviceSlots(const heddle_plan &Plan) {
  return Plan.Multiprocessors * GroupsAtOnce;
}

/// False where the shape alone rules packed code out.
static bool isWorthPacking(const heddle_plan &Plan) {
  const heddle_code *Code = Plan.Code->packed;
  if (!Code || Plan.numTasks() == 0)
    return false;
  int64_t Group = Plan.HeadsQ / Plan.HeadsKv;
  double Queries = 0, Ordinary = 0;
  for (int64_t B = 0; B < Plan.Batch; ++B) {
    Queries += static_cast<double>(Plan.numQueries(B));
    Ordinary += static_cast<double>(
        ceilDivide(Plan.numQueries(B), Plan.Code->query_tile));
  }
  auto Tiles = static_cast<double>(tilesPerGroup(Plan, *Code));
  const double Blocks = Queries * Tiles * static_cast<double>(Plan.HeadsKv);
  // A device that has room for all blocks may have idle multiprocessors
  // otherwise.
  if (Plan.Code->device && Blocks < static_cast<double>(deviceSlots(Plan)))
    return true;
  return Blocks <= static_cast<double>(MostBlocks) &&
         Queries * Tiles * static_cast<double>(Code->query_tile) <
             Ordinary * static_cast<double>(Group * Plan.Code->query_tile);
}

namespace {

/// The blocks and tasks of a plan under construction.
class Packer {
public:
  explicit Packer(const heddle_plan &Plan)
      : Plan(Plan), Launch(Plan.emptyArgs()),
        TilesPerGroup(tilesPerGroup(Plan, *Plan.Code->packed)) {
    Result.Code = Plan.Code->packed;
    Result.Origins.assign(Plan.Batch, 0);
  }

  Packing run(const Visits &Ordinary);

private:
  void addBlocks();
  /// Counts the tiles of blocks that are like no earlier one.
  void countBlocks();
  /// Into how many parts a block is to be cut.
  int64_t wantedParts(int64_t Tiles) const;
  bool isLess(const Visits &Ordinary) const;
  /// An earlier block that visits the same keys, or the block itself.
  int64_t representative(int64_t Block) const;
  int64_t countTiles(int64_t Block, int64_t KeyBegin, int64_t KeyEnd);
  /// A stretch of keys, and the key tiles that a block visits there.
  struct Stretch {
    int64_t Begin, End, Tiles;
  };
  /// Cuts a stretch until none visits more than `MostTiles`, or is a tile.
  void divide(int64_t Block, const Stretch &Of, int64_t MostTiles,
              std::vector<Stretch> &Out);
  /// Parts of equal work.
  void split(int64_t Block);
  void addPart(int64_t Block, int64_t KeyBegin, int64_t KeyEnd, int64_t Cost);
  void sortTasks();

  const heddle_plan &Plan;
  KernelArgs Launch;
  int64_t TilesPerGroup;
  Packing Result;
  std::optional<PackedArgs> Args;
  /// The first block of every sequence, the first task of every block.
  std::vector<int64_t> BlockStarts, TaskStarts;
  /// Key tiles of every block, and of all.
  std::vector<int64_t> Tiles;
  double AllTiles = 0;
  /// Key tiles that each task visits.
  std::vector<int64_t> Costs;
};

} // namespace

void Packer::addBlocks() {
  int64_t Group = Plan.HeadsQ / Plan.HeadsKv, Tile = Result.Code->query_tile;
  for (int64_t B = 0; B < Plan.Batch; ++B) {
    BlockStarts.push_back(static_cast<int64_t>(Result.Blocks.size()));
    for (int64_t HeadKv = 0; HeadKv < Plan.HeadsKv; ++HeadKv)
      for (int64_t Query = 0; Query < Plan.numQueries(B); ++Query)
        for (int64_t First = 0; First < Group; First += Tile)
          Result.Blocks.push_back({B, HeadKv * Group + First,
                                   std::min(Tile, Group - First), Query, 0, 0});
  }
}

int64_t Packer::representative(int64_t Block) const {
  int64_t B = Result.Blocks[Block].Batch;
  int64_t Local = Block - BlockStarts[B];
  if (Plan.ClassHeads == 1)
    Local = Local / TilesPerGroup % Plan.numQueries(B) * TilesPerGroup;
  return BlockStarts[B < Plan.ClassBatches ? B : 0] + Local;
}

int64_t Packer::countTiles(int64_t Block, int64_t KeyBegin, int64_t KeyEnd) {
  const PackedBlock &Of = Result.Blocks[Block];
  int64_t Out[3] = {0, 0, 0};
  Result.Code->count(&Args->select(Of, KeyBegin, KeyEnd), Of.Batch, 0, 0, 0,
                     Out);
  return Out[0] + Out[1];
}

void Packer::addPart(int64_t Block, int64_t KeyBegin, int64_t KeyEnd,
                     int64_t Cost) {
  Result.Tasks.push_back(
      {Block, Result.Blocks[Block].NumParts++, KeyBegin, KeyEnd});
  Costs.push_back(Cost);
}

void Packer::divide(int64_t Block, const Stretch &Of, int64_t MostTiles,
                    std::vector<Stretch> &Out) {
  int64_t KeyTile = Result.Code->key_tile;
  int64_t Tiles = ceilDivide(Of.End - Of.Begin, KeyTile);
  if (Of.Tiles <= MostTiles || Tiles == 1) {
    Out.push_back(Of);
    return;
  }
  int64_t Length = ceilDivide(Tiles, Fanout) * KeyTile;
  for (int64_t Begin = Of.Begin; Begin < Of.End; Begin += Length) {
    int64_t End = std::min(Begin + Length, Of.End);
    divide(Block, {Begin, End, countTiles(Block, Begin, End)}, MostTiles, Out);
  }
}

void Packer::countBlocks() {
  auto NumBlocks = static_cast<int64_t>(Result.Blocks.size());
  for (int64_t Block = 0; Block < NumBlocks; ++Block) {
    int64_t Like = representative(Block);
    int64_t NumKeys = Plan.numKeys(Result.Blocks[Block].Batch);
    Tiles.push_back(Like == Block ? countTiles(Block, 0, NumKeys)
                                  : Tiles[Like]);
    AllTiles += static_cast<double>(Tiles.back());
  }
}

int64_t Packer::wantedParts(int64_t Tiles) const {
  auto NumBlocks = static_cast<int64_t>(Result.Blocks.size());
  if (!Plan.Code->device)
    return std::min(ceilDivide(WantedTasks, NumBlocks), Tiles / LeastTiles);
  // Its share of the groups, for all of them to end at once: fewer parts rather
  // than a group that waits for others to end.
  const double Share = static_cast<double>(deviceSlots(Plan)) *
                       static_cast<double>(Tiles) / std::max(1.0, AllTiles);
  return std::min(static_cast<int64_t>(Share), Tiles / LeastDeviceTiles);
}

void Packer::split(int64_t Block) {
  int64_t NumKeys = Plan.numKeys(Result.Blocks[Block].Batch);
  int64_t Tiles = this->Tiles[Block];
  int64_t Wanted = wantedParts(Tiles);
  if (Wanted <= 1)
    return addPart(Block, 0, NumKeys, Tiles);
  // Where the kept keys are is what the kernel knows: ask it, and cut where the
  // work is divided.
  std::vector<Stretch> Stretches;
  divide(Block, {0, NumKeys, Tiles}, Tiles / (Wanted * StretchesPerPart),
         Stretches);
  int64_t Sum = 0, Done = 0, Before = 0, Begin = 0;
  for (const Stretch &S : Stretches)
    Sum += S.Tiles;
  for (const Stretch &S : Stretches) {
    Done += S.Tiles;
    if (Done * Wanted < Sum * (Result.Blocks[Block].NumParts + 1))
      continue;
    int64_t End = Done == Sum ? NumKeys : S.End;
    addPart(Block, Begin, End, Done - Before);
    if (Done == Sum)
      return;
    Begin = End;
    Before = Done;
  }
}

void Packer::sortTasks() {
  std::vector<int64_t> Order(Costs.size());
  std::iota(Order.begin(), Order.end(), int64_t(0));
  // Blocks go through the keys side by side: those that share keys meet in the
  // cache, and where the heads of a key lie side by side, and every key on a
  // page of its own, one head has found the pages for all.
  auto Place = [&](int64_t I) {
    const PackedTask &Task = Result.Tasks[I];
    return std::make_tuple(-Costs[I], Result.Blocks[Task.Block].Batch,
                           Task.Part, Task.Block);
  };
  std::sort(Order.begin(), Order.end(),
            [&](int64_t A, int64_t B) { return Place(A) < Place(B); });
  std::vector<PackedTask> Sorted;
  Sorted.reserve(Order.size());
  for (int64_t I : Order)
    Sorted.push_back(Result.Tasks[I]);
  Result.Tasks = std::move(Sorted);
}

bool Packer::isLess(const Visits &Ordinary) const {
  const double Visited = std::accumulate(Costs.begin(), Costs.end(), 0.0);
  const bool IsFewerRows =
      Visited * static_cast<double>(Result.Code->query_tile) <
      Ordinary.All * static_cast<double>(Plan.Code->query_tile);
  if (!Plan.Code->device)
    return IsFewerRows;
  // A group takes as long for a key tile with few rows as with many, which
  // other warps of it compute.
  const auto Slots = static_cast<double>(deviceSlots(Plan));
  const double Mine = std::max(
      Visited / Slots,
      static_cast<double>(*std::max_element(Costs.begin(), Costs.end())));
  const double Theirs =
      std::max(Ordinary.All / Slots, static_cast<double>(Ordinary.Longest));
  return Mine < Theirs || (Mine == Theirs && IsFewerRows);
}

Packing Packer::run(const Visits &Ordinary) {
  addBlocks();
  Args.emplace(Plan, Result, Launch.Args);
  countBlocks();
  auto NumBlocks = static_cast<int64_t>(Result.Blocks.size());
  for (int64_t Block = 0; Block < NumBlocks; ++Block) {
    TaskStarts.push_back(static_cast<int64_t>(Result.Tasks.size()));
    int64_t Like = representative(Block);
    if (Like == Block)
      split(Block);
    else
      for (int64_t I = TaskStarts[Like]; I < TaskStarts[Like + 1]; ++I)
        addPart(Block, Result.Tasks[I].KeyBegin, Result.Tasks[I].KeyEnd,
                Costs[I]);
    PackedBlock &Of = Result.Blocks[Block];
    Result.MostParts = std::max(Result.MostParts, Of.NumParts);
    Of.FirstRoom = Result.NumRooms;
    if (Of.NumParts > 1)
      Result.NumRooms += Of.NumParts;
  }
  if (!isLess(Ordinary))
    return {};
  sortTasks();
  return std::move(Result);
}

Packing runtime::packHeads(const heddle_plan &Plan, const Visits &Ordinary) {
  return isWorthPacking(Plan) ? Packer(Plan).run(Ordinary) : Packing();
}
