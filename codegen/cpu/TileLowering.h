// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One walk over a kernel at the tile level that builds the CPU function beside
// it. Scalars go through a value map, tiles through a map to where they live;
// every verb is lowered on its own.

#ifndef HEDDLE_CODEGEN_CPU_TILELOWERING_H
#define HEDDLE_CODEGEN_CPU_TILELOWERING_H

#include "codegen/cpu/FewRows.h"
#include "codegen/cpu/Masks.h"
#include "codegen/cpu/MicroKernel.h"
#include "codegen/cpu/Procedures.h"
#include "codegen/cpu/RowProducts.h"
#include "codegen/cpu/Tiles.h"
#include "codegen/cpu/Transfer.h"
#include "codegen/cpu/Transpose.h"
#include "codegen/lanes/IndexAccess.h"
#include "dialect/tile/Signature.h"
#include "mlir/IR/IRMapping.h"

#include <optional>
#include <utility>

namespace heddle::cpu {

struct MapRegion;
struct SoftmaxStep;

using tile::isTableOrSet;
using tile::isTile;
using tile::KernelKind;

/// The questions as functions of a table that the caller gives the kernel.
class TableFunctions final : public IndexFunctions {
public:
  /// `Table` points to a `heddle_index`.
  TableFunctions(KernelBuilder &B, mlir::Value Table) : B(B), Table(Table) {}
  mlir::Value call(IndexQuestion Question,
                   llvm::ArrayRef<mlir::Value> Arguments) override;

private:
  static size_t placeOf(IndexQuestion Question);

  KernelBuilder &B;
  mlir::Value Table;
  llvm::DenseMap<size_t, mlir::Value> Known;
};

class TileLowering {
public:
  /// `Kernel` is a checked kernel function, `Entry` the empty first block of
  /// the new function, with the arguments of the C ABI.
  TileLowering(mlir::func::FuncOp Kernel, mlir::Block *Entry, KernelKind Kind,
               const Shape &S, Procedures &Shared);

  mlir::LogicalResult run();

  /// True if the caller provides the workspace.
  bool hasWorkspace() const {
    return Kind != KernelKind::Count && Kind != KernelKind::Check;
  }
  /// Bytes of workspace that the body uses.
  int64_t workspaceBytes() const { return Scratch->size(); }

private:
  using Values = KernelBuilder::Values;

  // The function's frame (Frame.cpp).
  /// The sequence that the kernel works on; the first one for a check.
  mlir::Value sequence();
  void mapArguments();
  void mapViews(unsigned First, unsigned NumSources);
  void mapLinearViews(unsigned First);
  void mapParameters(unsigned First, unsigned End);
  mlir::LogicalResult lowerReturn(mlir::func::ReturnOp Op);
  /// A field of the argument structure.
  mlir::Value argument(size_t Field, mlir::Type T);

  // Views. `Batch` and `Head` are lowered scalars; rows count within the
  // sequence.
  /// What `Make` makes of a view, made at the top for uses inside of loops.
  mlir::Value ofView(mlir::Value View, size_t Key,
                     llvm::function_ref<mlir::Value()> Make);
  mlir::Value viewField(mlir::Value View, size_t Field);
  mlir::Value viewData(mlir::Value View);
  /// i1: nobody wants what goes there.
  mlir::Value noData(mlir::Value View);
  mlir::Value viewShape(mlir::Value View, unsigned Axis);
  mlir::Value viewStride(mlir::Value View, unsigned Axis);
  /// The type of its elements in memory.
  mlir::Type storageType(mlir::Value View);
  struct Ragged {
    mlir::Value IsPlain; ///< There are no offsets.
    mlir::Value Offset;  ///< Pointer to that of the sequence, or to anything.
  };
  Ragged ragged(mlir::Value View, mlir::Value Batch);
  /// Elements from the view's data to row 0 of head 0.
  mlir::Value sequenceStart(mlir::Value View, mlir::Value Batch);
  /// Rows of the sequence that the kernel works on.
  mlir::Value sequenceLength(mlir::Value View);
  mlir::Value headAddress(mlir::Value View, mlir::Value Batch,
                          mlir::Value Head);
  /// Rows from `Row` on, an index or a list; operands are of the tile level.
  RowSource rowSource(mlir::Value View, mlir::Value Batch, mlir::Value Head,
                      mlir::Value Row);

  // Scalars. Tables and sets are pointers to their descriptions.
  mlir::Value scalar(mlir::Value V) { return Scalars.lookup(V); }
  mlir::Value scalarI64(mlir::Value V) { return B.toI64(scalar(V)); }
  Values scalarsI64(mlir::ValueRange Operands);
  mlir::LogicalResult lowerBlock(mlir::Block &Block);
  mlir::LogicalResult lowerOp(mlir::Operation *Op);
  mlir::LogicalResult lowerScalarOp(mlir::Operation *Op);

  // Tiles.
  /// The tile stored along the lanes; puts it there if need be.
  Buffer stored(mlir::Value V);
  /// A tile as the scalar operand of a product; `AllExist` when the user
  /// vouches for its rows.
  KeySide keySide(mlir::Value V, bool AllExist);
  /// Rows of the transposed tile.
  RowView columns(mlir::Value V);
  /// The rows of a tile; those of one that was computed are copied.
  RowSource rowsAsSource(mlir::Value V);
  /// Rows of memory to a tile along the lanes, and back; see Transpose.h.
  void transposeIn(mlir::RankedTensorType Type, RowSource From, Buffer To);
  void transposeOut(mlir::RankedTensorType Type, Buffer From, RowSource To);
  /// Rows in f32: where they lie, if they are a stretch of it, or copies.
  RowView fetch(mlir::RankedTensorType Type, const RowSource &From);
  /// Rows of f32 of a list where they lie, for a product.
  RowView listed(mlir::RankedTensorType Type, const RowSource &From);
  void stageRows(const RowSource &From, const StagedShape &Shape,
                 const Rotation &Turn, mlir::Value To);
  /// Copies of rows in scratch memory, in f32.
  RowView stage(mlir::RankedTensorType Type, const RowSource &From,
                const Rotation &Turn = {});
  /// False if the user reads elements one by one, wherever they lie.
  static bool wantsLanes(mlir::OpOperand &Use);
  /// True if a `tile.map` reads the input as one value per column.
  static bool isColumnInput(tile::MapOp Op, mlir::Value Input);
  /// True if a map takes its input as columns where they lie.
  bool takesColumns(tile::MapOp Op, mlir::Value Input);
  /// The same of the weights of a sum.
  bool takesColumns(tile::AccumulateOp Op, const RowView &View);
  /// Gives a tile its value: rows where they lie, of it or with `ByColumns` of
  /// its transposed tile, or a copy along the lanes, whichever its users want.
  void defineView(mlir::Value V, const RowView &View, bool ByColumns);
  /// True if `User`, which uses `V`, is the last to see what is stored there.
  static bool endsLife(mlir::Operation *User, mlir::Value V);
  /// True if no operation between two of one block sees the tile.
  static bool isUntouched(mlir::Value V, mlir::Operation *From,
                          mlir::Operation *To);
  /// Where a result of `User` goes that has the shape of its operand `V`.
  Buffer successor(mlir::Value V, mlir::Operation *User);
  void define(mlir::Value V, const Buffer &Data);
  /// Gives `Result` the elements of `V` times factors, which come from
  /// `Factors` (null for none).
  void defineProduct(mlir::Value Result, mlir::Value V, mlir::Value Factors,
                     const TileFactor &Factor);
  /// The elements of a stored tile times its factors.
  void scale(const Tile &T, const Buffer &To);
  Buffer allocate(mlir::Value V);
  BitsSource bitsSource(tile::BitsOp Op);
  /// Of a verb that looks at them.
  template <typename Op> TileCoordinates coordinates(Op Verb);
  void callProduct(llvm::StringRef Verb, Product P);
  /// True if the one user of the rows is a product that follows in the same
  /// block and can copy them itself, or read them where they lie.
  bool isReadByProduct(tile::LoadOp Op, const RowSource &From) const;
  /// Has a product whose sizes are known copy the rows of a tile that nobody
  /// fetched; false for other tiles.
  bool copiesRows(Product &P, mlir::Value V, bool ReduceOverRows);
  void callScores(tile::ScoresOp Op, const Buffer &To);
  void callAccumulate(tile::AccumulateOp Op, const Tile &Before,
                      const Buffer &To);
  // Tasks with few rows (FewRows.cpp).
  void findFewRows();
  /// Makes rows of queries, where they are wanted.
  void keepQueryRows(mlir::Value Q);
  /// Puts sums that are rows along the lanes.
  void turnSums(mlir::Value O);
  /// True if the product that uses the rows reads them as it likes best.
  bool isFetchedByProduct(tile::LoadOp Op);
  StoredRows storedRows(mlir::Value V);
  void callRowScores(tile::ScoresOp Op, const Buffer &To);
  void callRowSums(tile::AccumulateOp Op, const Tile &Before, const Buffer &To);
  /// One of two ways to compute a product, where there are two.
  void byRows(llvm::function_ref<void()> OfFew,
              llvm::function_ref<void()> OfAny);
  Product productOf(tile::ScoresOp Op);
  void callSoftmaxStep(SoftmaxStep Step);
  // Keys of a partial tile that nobody keeps (LiveKeys.cpp).
  /// Finds out which tiles of bits say that, and for which verbs.
  void findSpans();
  /// That of the keys a verb works on; of no tile of bits, all of them.
  KeySpan keySpan(mlir::Operation *Verb, int64_t Keys);
  // Weights as soon as there are scores (LazySoftmax.cpp).
  /// What follows scores whose weights may have any reference.
  struct LazyStep {
    tile::SoftmaxStepOp Step;
    tile::RescaleOp Rescale;
  };
  /// The step that takes these scores as they are, where the code before it
  /// allows that.
  std::optional<LazyStep> lazyStep(tile::ScoresOp Op);
  /// The scores, the step, and what it does to the sums.
  void lowerLazily(tile::ScoresOp Op, LazyStep Lazy);
  /// By how much a step moves m beyond the largest score, in a kernel that has
  /// lazy ones.
  mlir::Value marginOf(tile::SoftmaxStepOp Step);
  /// Has a product that is weighed elsewhere use the same code.
  void leaveUnweighed(Product &P);
  /// What the products of a key tile ask the memory for (Ahead.cpp): `scores`
  /// for the values of the tile, `accumulate` for the keys of the next one.
  RowsAhead valuesAhead(tile::ScoresOp Op);
  RowsAhead keysAhead(tile::AccumulateOp Op);
  /// What is left of them where products ask for their own rows.
  RowsToCome valuesToCome(tile::ScoresOp Op);
  RowsToCome keysToCome(tile::AccumulateOp Op);
  /// `StoredRows::InRun` of loaded rows.
  mlir::Value rowsInRun(mlir::Value Rows);
  RowsAhead rowsAhead(tile::LoadOp Load, mlir::Value First);
  /// Of the tile level; null where it is not known before the run.
  mlir::Value firstKeyOfNextRun(mlir::scf::ForOp Run);
  // The same for recurrences, which go chunk by chunk (ChunkAhead.cpp).
  /// True for what is done for every chunk.
  static bool isOfChunk(mlir::Operation *Op);
  /// Has the products of a chunk ask for the rows of one to come that are there
  /// what these are here.
  void wantNext(mlir::Block *Chunk, mlir::RankedTensorType Type,
                const RowSource &From);
  /// What falls to a product of that.
  mlir::SmallVector<RowsAhead, 2> rowsForNext(mlir::Operation *Product);

  void lower(tile::PositionsOp Op);
  mlir::LogicalResult lower(tile::CollectOp Op);
  void lower(tile::DimOp Op);
  void lower(tile::LoadOp Op);
  void lower(tile::StoreOp Op);
  void lower(tile::FillOp Op);
  void lower(tile::ScaleOp Op);
  void lower(tile::RotateOp Op);
  void lower(tile::ScoresOp Op);
  void lower(tile::BitsOp Op);
  void lower(tile::CountOp Op);
  void lower(tile::MaskOp Op);
  mlir::LogicalResult lower(tile::ModifyOp Op);
  void lower(tile::RegroupOp Op);
  void lower(tile::SoftmaxStepOp Op);
  void lower(tile::RescaleOp Op);
  void lower(tile::AccumulateOp Op);
  void lower(tile::FinishOp Op);
  void lower(tile::WeightsOp Op);
  void lower(tile::AddColumnsOp Op);
  void lower(tile::RaiseBlocksOp Op);
  // Recurrences (LinearVerbs.cpp).
  void lower(tile::TransposeOp Op);
  void lower(tile::RowOp Op);
  void lower(tile::ElementOp Op);
  void lower(tile::LoadTableOp Op);
  mlir::LogicalResult lower(tile::MapOp Op);
  /// Reads of tables along rows, ahead of the map.
  void bringTableRows(tile::MapOp Op, MapRegion &Map);
  /// What an index or a table that a map reads with was lowered to.
  mlir::Value outside(tile::MapOp Op, mlir::Value V);
  /// True if the map is a product that a later verb can take over.
  bool lowerAsProduct(tile::MapOp Op);
  void lower(tile::ReduceOp Op);
  void lower(tile::DecaysOp Op);
  void lower(tile::DecayedScoresOp Op);
  void lower(tile::CumulateOp Op);
  void lower(tile::SolveOp Op);
  void lower(tile::ExpandOp Op);
  /// Arithmetic on two tiles of one type, element by element.
  void lowerElementwise(
      mlir::Operation *Op,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> Combine);

  // Questions to tables and sets (IndexVerbs.cpp).
  OperandMemory &operands();
  void lower(attn::AtOp Op);
  void lower(attn::SpanOp Op);
  void lower(attn::SeekOp Op);
  void lower(attn::ProbeOp Op);
  void lower(attn::RankOp Op);
  void lower(attn::MemberOp Op);
  void lower(attn::ExtentOp Op);

  // Control flow (ControlFlow.cpp). Tiles leave the lists of carried values:
  // each becomes a buffer that every iteration leaves its value in.
  mlir::LogicalResult lower(mlir::scf::ForOp Op);
  mlir::LogicalResult lower(mlir::scf::WhileOp Op);
  mlir::LogicalResult lower(mlir::scf::IfOp Op);
  // Tasks of several heads (TaskHeads.cpp), whose tiles lie one after the
  // other.
  void lower(tile::NumHeadsOp Op);
  mlir::LogicalResult lower(tile::EachHeadOp Op);
  /// Bytes from the tile of one head to that of the next.
  int64_t headBytes(mlir::RankedTensorType Type);
  Buffer tileOfHead(mlir::Type Heads, const Buffer &All, mlir::Value Number);
  /// True if nothing but products of every head reads the rows.
  static bool isReadByHeads(tile::LoadOp Op);
  /// True for what lives in memory: a tile, or one for every head.
  static bool isStored(mlir::Value V) {
    return isTile(V) || mlir::isa<tile::HeadsType>(V.getType());
  }
  void copyStored(mlir::Type Of, const Buffer &From, const Buffer &To);
  Values carriedScalars(mlir::ValueRange Carried);
  mlir::SmallVector<mlir::Type> scalarTypes(mlir::ValueRange Carried);
  /// A buffer of its own for each tile among `Values`, with its value, as far
  /// as `User` ends their lives the one they already have.
  mlir::SmallVector<Buffer> takeOver(mlir::ValueRange Values,
                                     mlir::Operation *User);
  /// Moves the tiles among `Values` to the buffers, all at the same time.
  void moveTiles(mlir::ValueRange Values, llvm::ArrayRef<Buffer> To);
  void bind(mlir::ValueRange Old, mlir::ValueRange NewScalars,
            llvm::ArrayRef<Buffer> NewTiles);

  mlir::func::FuncOp Kernel;
  mlir::Block *Entry;
  KernelKind Kind;
  KernelBuilder B;
  Procedures &Shared;
  std::optional<Workspace> Scratch;
  /// None where the kernel does not know tasks with few rows.
  std::optional<FewRows> Few;
  mlir::IRMapping Scalars;
  llvm::DenseMap<mlir::Value, Tile> Tiles;
  /// Bits that are all one and of which nobody wants more than the number.
  llvm::DenseSet<mlir::Value> CountedOnes;
  /// The bits that say which keys a verb need not look at, and which keys these
  /// are.
  llvm::DenseMap<mlir::Operation *, mlir::Value> SpannedBy;
  llvm::DenseMap<mlir::Value, KeySpan> Spans;
  /// Some scores are weighed as they are computed.
  bool Weighs = false;
  /// What the step before it has done already.
  llvm::DenseSet<mlir::Operation *> Rescaled;
  /// Rows of chunks to come that no product has asked for yet.
  llvm::DenseMap<mlir::Block *, mlir::SmallVector<RowsAhead, 4>> Wanted;
  llvm::DenseSet<mlir::Block *> WantsOutputs;

  /// Made when first used.
  std::optional<TableFunctions> Functions;
  std::optional<OperandMemory> Operands;
  /// The `heddle_index` of the caller, and the last operation of the frame.
  mlir::Value IndexTable;
  mlir::Operation *Top = nullptr;
  /// The memory of a kernel whose caller gives it none.
  mlir::LLVM::AllocaOp Stack;
  /// The structure a view argument lies in, and the byte offset there.
  struct ViewPlace {
    mlir::Value Base;
    size_t Offset;
  };
  llvm::DenseMap<mlir::Value, ViewPlace> Views;
  llvm::DenseMap<std::pair<mlir::Value, size_t>, mlir::Value> ViewValues;
};

} // namespace heddle::cpu

#endif // HEDDLE_CODEGEN_CPU_TILELOWERING_H
