// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over tiles of keys as pipelines: the producer finds the next tile and
// starts the copies of its keys and values, the consumer does the rest.

#ifndef HEDDLE_CODEGEN_NV_KEYPIPELINE_H
#define HEDDLE_CODEGEN_NV_KEYPIPELINE_H

#include "codegen/nv/TileLowering.h"
#include "dialect/nv/Nv.h"
#include "llvm/ADT/SetVector.h"

#include <memory>

namespace heddle::nv {

/// Lowers one loop whose body works on one tile; which tiles there are is the
/// business of those who derive from it.
class KeyPipeline {
public:
  using Values = NvBuilder::Values;

  /// `Body`: the operations for one tile.
  KeyPipeline(TileLowering &L, mlir::Operation *Loop, mlir::Block &Body)
      : L(L), B(L.B), Loop(Loop), Body(Body) {}
  virtual ~KeyPipeline() = default;

  /// Builds the pipeline.
  mlir::LogicalResult run();

protected:
  /// `Inits` are carried from tile to tile as `Carried` and end as `Yielded` of
  /// the body; `Results` get the last of them.
  struct Carry {
    Values Inits, Carried, Yielded, Results;
  };
  virtual Carry carry() = 0;

  /// What the producer knows of a tile.
  struct Found {
    mlir::Value Live;
    /// What the consumer is told, and the producer's next state.
    Values Tile, State;
  };

  /// The producer's first state.
  virtual Values start() = 0;
  /// Types of what the consumer is told.
  virtual mlir::SmallVector<mlir::Type> tileTypes() = 0;
  /// Bytes of further slots, behind those of the loads.
  virtual mlir::SmallVector<int64_t> slots() { return {}; }
  /// True for a value of the body that the producer knows.
  virtual bool isKnown(mlir::Value V) = 0;
  /// In the produce region: finds the next tile, and where there is one, calls
  /// `copyRows` where the values it knows have been bound.
  virtual mlir::FailureOr<Found> find(mlir::ValueRange State,
                                      mlir::ValueRange Slots) = 0;
  /// The tile that was found before this state was left, without its state, to
  /// be bound without slots; not live in the first state. Only where
  /// `knowsPrevious`.
  virtual bool knowsPrevious() const { return false; }
  virtual Found previous(mlir::ValueRange) { return {}; }
  /// In the consume region: binds what the body knows of the tile.
  virtual mlir::LogicalResult bindTile(mlir::ValueRange Tile,
                                       mlir::ValueRange Slots) = 0;

  /// Computes what the loads need, and starts the copies of their rows; of
  /// `Delayed` ones when the next tile has been found.
  mlir::LogicalResult locateRows();
  void copyRows(bool Delayed = false);

  /// Lets `B` stand where another builder does, and calls `F`.
  template <typename F> auto at(mlir::OpBuilder &Nested, F Build) {
    mlir::OpBuilder::InsertionGuard Guard(B);
    B.restoreInsertionPoint(Nested.saveInsertionPoint());
    return Build();
  }

  TileLowering &L;
  NvBuilder &B;
  mlir::Operation *Loop;
  mlir::Block &Body;

  // What others may use of the lowering.
  mlir::Value scalarI64(mlir::Value V) { return L.scalarI64(V); }
  Values scalarsI64(mlir::ValueRange V) { return L.scalarsI64(V); }
  mlir::Value scalar(mlir::Value V) { return L.scalar(V); }
  mlir::Value operand(mlir::Value V) { return L.operand(V); }
  void mapScalar(mlir::Value From, mlir::Value To) { L.Scalars.map(From, To); }
  void skip(mlir::Operation *Op) { L.Hoisted.insert(Op); }
  void definePlaces(mlir::Value V, Places Is) { L.define(V, std::move(Is)); }
  mlir::LogicalResult lowerBlock(mlir::Block &Of) { return L.lowerBlock(Of); }
  mlir::FailureOr<mlir::Value> collect(tile::CollectOp Op, mlir::Value List) {
    return L.collect(Op, List);
  }
  LaneBuilder &lanes() { return L.lanes(); }
  IndexFunctions &functions() { return L.Functions; }

private:
  friend class JoinedTiles;
  void hoist();
  void raiseBits();
  void chooseSlots();
  void shareSlot();
  void chooseAhead();
  mlir::Operation *besideWeights();
  mlir::FailureOr<Fragment> computeScores(mlir::ValueRange Slots);
  mlir::FailureOr<Values> lowerWithScores(mlir::ValueRange Slots,
                                          mlir::ValueRange Carried);
  mlir::LogicalResult delay(const Found &Now, const Found &Before);
  bool isProducible(mlir::Value V, llvm::SetVector<mlir::Operation *> &Needed);
  mlir::LogicalResult produce(PipelineOp Pipeline);
  mlir::LogicalResult readFirst(PipelineOp Pipeline);
  mlir::LogicalResult consume(PipelineOp Pipeline, const Carry &Of);

  mlir::SmallVector<tile::LoadOp> Loads;
  /// Values that the consumer copies to where the keys were.
  tile::LoadOp Second;
  /// Scores that are computed a tile ahead, and the load of their keys: a stage
  /// has the keys of a tile, and all else of the tile before. Null where there
  /// are none.
  tile::ScoresOp Scores;
  tile::LoadOp Keys;
  /// What the producer needs of the body to know where rows are.
  llvm::SetVector<mlir::Operation *> Slice;
  /// The loads' slots in the produce region.
  mlir::ValueRange LoadSlots;
};

/// The loop over the live tiles of a formula.
std::unique_ptr<KeyPipeline> liveTiles(TileLowering &L, tile::ForeachOp Loop,
                                       attn::TilesOp Tiles);
/// The loop over gathered columns; null for other loops.
std::unique_ptr<KeyPipeline> gatheredTiles(TileLowering &L,
                                           mlir::scf::WhileOp Loop);
/// The loop over live tiles and the one that goes on where it ends, as one with
/// one body; null where there is none, or where their bodies differ in more
/// than which keys they are about.
std::unique_ptr<KeyPipeline> joinedTiles(TileLowering &L, tile::ForeachOp Loop,
                                         attn::TilesOp Tiles);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_KEYPIPELINE_H
