// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/TileLowering.h"

#include "codegen/nv/Copies.h"
#include "codegen/nv/Softmax.h"
#include "codegen/nv/Transfer.h"
#include "heddle/abi.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstddef>
#include <utility>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;

TileLowering::TileLowering(func::FuncOp Kernel, Block *Entry,
                           tile::KernelKind Kind, const Config &C)
    : KernelCode(Kernel, Entry, Kind, C), Shared(B) {}

LogicalResult TileLowering::run() {
  mapArguments();
  return lowerBlock(Kernel.getBody().front());
}

LogicalResult
TileLowering::lowerOps(llvm::iterator_range<Block::iterator> Ops) {
  for (Operation &Op : Ops) {
    // The terminators of regions belong to whoever has the region.
    if (isa<scf::YieldOp, scf::ConditionOp, tile::YieldOp>(Op) ||
        Hoisted.contains(&Op))
      continue;
    B.setLoc(Op.getLoc());
    // What is made ahead of this operation serves it and those after it.
    if (Op.getBlock() == &Kernel.getBody().front())
      Top = &Entry->back();
    if (failed(lowerOp(&Op)))
      return failure();
  }
  return success();
}

LogicalResult TileLowering::lowerOp(Operation *Op) {
  auto Verb = [&](auto Op) {
    lower(Op);
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(Op)
      .Case<tile::PositionsOp, tile::DimOp, tile::LoadOp, tile::StoreOp,
            tile::FillOp, tile::ScaleOp, tile::RotateOp, tile::ScoresOp,
            tile::BitsOp, tile::MaskOp, tile::RegroupOp, tile::SoftmaxStepOp,
            tile::RescaleOp, tile::FinishOp, tile::WeightsOp,
            tile::AddColumnsOp, tile::RaiseBlocksOp>(Verb)
      .Case([&](tile::AccumulateOp Sum) {
        return failed(checkSum(Sum)) ? failure() : Verb(Sum);
      })
      .Case<attn::AtOp, attn::SpanOp, attn::SeekOp, attn::ProbeOp, attn::RankOp,
            attn::MemberOp, attn::ExtentOp>(Verb)
      // The loop over the tiles asks for them.
      .Case([](attn::TilesOp) { return success(); })
      .Case<scf::ForOp, scf::WhileOp, scf::IfOp, tile::ForeachOp,
            tile::CollectOp, tile::ModifyOp>([&](auto Op) { return lower(Op); })
      .Case<arith::AddFOp, arith::MulFOp>([&](Operation *Op) {
        return isTile(Op->getResult(0)) ? lowerElementwise(Op)
                                        : lowerScalarOp(Op);
      })
      .Case([&](func::ReturnOp) {
        LLVM::ReturnOp::create(B, ValueRange());
        return success();
      })
      .Default([&](Operation *Op) { return lowerScalarOp(Op); });
}

//===----------------------------------------------------------------------===//
// Layouts
//===----------------------------------------------------------------------===//

FragmentLayout TileLowering::layout(int64_t Columns) const {
  const Config &C = B.config();
  return {C.Rows, C.Warps, roundUp(Columns, 16)};
}

FragmentLayout TileLowering::layout(Value V) const {
  auto Type = cast<RankedTensorType>(V.getType());
  return layout(Type.getRank() == 2 ? Type.getDimSize(1) : 16);
}

TileValue TileLowering::map(const TileValue &X, function_ref<Value(Value)> F) {
  if (const auto *Elements = std::get_if<Fragment>(&X))
    return Fragment{Elements->Of, llvm::map_to_vector(Elements->Regs, F)};
  return RowStats{llvm::map_to_vector(std::get<RowStats>(X).Regs, F)};
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

RowSource TileLowering::rowSource(Value View, Value Batch, Value Head,
                                  Value Row) {
  RowSource Source = viewRows(View, Batch, Head);
  Source.Position = places(Row).At;
  if (!isTile(Row))
    Source.First = scalarI64(Row);
  return Source;
}

SharedTile TileLowering::sharedTile(tile::LoadOp Load, Value Base) {
  auto Type = cast<RankedTensorType>(Load.getTile().getType());
  return SharedTile::get(
      Base, roundUp(Type.getDimSize(0), 16), Type.getDimSize(1),
      cast<attn::ViewType>(Load.getView().getType()).getElementType());
}

RowSource TileLowering::loadSource(tile::LoadOp Load) {
  RowSource From = rowSource(Load.getView(), scalarI64(Load.getB()),
                             scalarI64(Load.getH()), Load.getRow());
  From.limit(B, cast<RankedTensorType>(Load.getTile().getType()).getDimSize(0));
  return From;
}

bool heddle::nv::isDoneBefore(Value V, Operation *At) {
  return llvm::all_of(V.getUsers(), [&](Operation *User) {
    Operation *Here = At->getBlock()->findAncestorOpInBlock(*User);
    return Here && Here->isBeforeInBlock(At) &&
           (!isa<tile::RotateOp, tile::ScaleOp>(User) ||
            isDoneBefore(User->getResult(0), At));
  });
}

SharedTile TileLowering::stageFor(Value Owner, tile::LoadOp Load) {
  // Sources that turn queries by tables of their own are worked off one after
  // the other.
  Operation *At = Owner.getDefiningOp();
  const int64_t Bytes = sharedTile(Load, Value()).bytes();
  auto *Old = llvm::find_if(Copies, [&](std::pair<Value, Value> Copy) {
    return Copy.first.getParentBlock() == At->getBlock() &&
           get<StagedRows>(Copy.first).Shared.bytes() == Bytes &&
           isDoneBefore(Copy.first, At);
  });
  SharedTile To;
  if (Old == Copies.end()) {
    To = stage(Load);
    Copies.emplace_back(Owner, To.Base);
    return To;
  }
  Turns[Load] = Old->second;
  To = stage(Load);
  Turns.erase(Load);
  Old->first = Owner;
  return To;
}

SharedTile TileLowering::stage(tile::LoadOp Load) {
  SharedTile To = sharedTile(Load, Turns.lookup(Load));
  if (To.Base) {
    Shared.barrier();
  } else {
    SharedMemory::Part Memory = Shared.reserve(To.bytes());
    To.Base = Shared.at(Memory.Offset);
    // Whoever had this memory before may still be reading it.
    Shared.barrierUnlessFree(Memory);
  }
  emitCopy(B, loadSource(Load), To);
  commitCopies(B);
  waitCopies(B, 0);
  Shared.barrier();
  return To;
}

void TileLowering::defineRows(Value V, StagedRows Rows) {
  auto IsLeft = [&](OpOperand &Use) {
    auto Scores = dyn_cast<tile::ScoresOp>(Use.getOwner());
    return Scores &&
           Use.getOperandNumber() == Scores.getQMutable().getOperandNumber();
  };
  if (!Rows.Query && !isSliced() && llvm::any_of(V.getUses(), IsLeft)) {
    Rows.Query = loadQueryOperand(B, Rows.Shared);
    if (Rows.Factor && !Rows.Query->Regs.empty())
      Rows.Magnitude = takeSign(B, *Rows.Query, Rows.Factor);
  }
  define(V, std::move(Rows));
}

/// Whether rows are used turned, and in other ways too: everybody who does so
/// makes a copy of its own.
static bool isCopiedByUsers(tile::LoadOp Op) {
  return !Op->use_empty() && !Op->hasOneUse() &&
         llvm::any_of(Op->getUsers(), llvm::IsaPred<tile::RotateOp>) &&
         llvm::all_of(Op->getUsers(),
                      llvm::IsaPred<tile::RotateOp, tile::ScaleOp>);
}

void TileLowering::lower(tile::LoadOp Op) {
  Value Result = Op.getTile();
  if (cast<RankedTensorType>(Result.getType()).getRank() == 1) {
    define(Result, emitLoadStats(B, layout(Result),
                                 rowSource(Op.getView(), scalarI64(Op.getB()),
                                           scalarI64(Op.getH()), Op.getRow()),
                                 B.f32(0.0F)));
    return;
  }
  StagedRows Rows;
  Rows.Load = Op;
  auto Slot = Slots.find(Op);
  if (Slot != Slots.end())
    Rows.Shared = Slot->second;
  else if (!isSliced() && !isCopiedByUsers(Op))
    Rows.Shared = stage(Op);
  defineRows(Result, std::move(Rows));
}

Rotation TileLowering::rotation(tile::RotateOp Op) {
  auto Table = [&](Value V) {
    Value Description = scalar(V);
    auto Field = [&](size_t Offset, Type T) {
      return B.load(T, B.bytes(Description, static_cast<int64_t>(Offset)));
    };
    AngleTable Result;
    Result.Data = Field(offsetof(heddle_table, data), B.ptrType(Space::Global));
    Result.RowStride = Field(offsetof(heddle_table, stride), B.getI64Type());
    Result.ColumnStride =
        Field(offsetof(heddle_table, stride) + sizeof(int64_t), B.getI64Type());
    // A table without rows has a first one to point at.
    Result.Rows =
        B.max(Field(offsetof(heddle_table, shape), B.getI64Type()), B.i64(1));
    return Result;
  };
  Rotation Turn;
  Turn.Cos = Table(Op.getCos());
  Turn.Sin = Table(Op.getSin());
  Turn.Features = cast<RankedTensorType>(Op.getTile().getType()).getDimSize(1);
  Turn.Position = places(Op.getRow()).At;
  if (Op.getSame())
    Turn.Position = [Position = scalarI64(Op.getRow())](NvBuilder &, Value) {
      return Position;
    };
  return Turn;
}

void TileLowering::lower(tile::RotateOp Op) {
  StagedRows Rows = get<StagedRows>(Op.getTile());
  Rows.Query.reset();
  Rows.Magnitude = {};
  if (isSliced()) {
    Rows.Turn = Op;
    defineRows(Op.getResult(), std::move(Rows));
    return;
  }
  if (!Rows.Shared.Base)
    Rows.Shared = stageFor(Op.getResult(), Rows.Load);
  // All threads have the rows since they were loaded, and nobody else reads
  // them.
  emitRotate(B, Rows.Shared, rotation(Op));
  Shared.barrier();
  defineRows(Op.getResult(), std::move(Rows));
}

void TileLowering::storeTile(Value Tile, const RowSource &To) {
  const TileValue &X = Tiles.find(Tile)->second;
  if (const auto *Elements = std::get_if<Fragment>(&X))
    emitStoreRows(B, *Elements, To);
  else
    emitStoreStats(B, std::get<RowStats>(X), layout(Tile), To);
}

void TileLowering::lower(tile::StoreOp Op) {
  if (isPacked())
    return storePacked(Op);
  // Who computes a part of a result writes it where parts are collected.
  bool IsOwn =
      Op.getB() == Kernel.getArgument(0) && Kind == tile::KernelKind::Task;
  Value Batch = IsOwn ? Part : scalarI64(Op.getB());
  B.branch(hasData(Op.getView()), [&] {
    storeTile(Op.getTile(), rowSource(Op.getView(), Batch, scalarI64(Op.getH()),
                                      Op.getRow()));
  });
}

//===----------------------------------------------------------------------===//
// Verbs
//===----------------------------------------------------------------------===//

void TileLowering::lower(tile::FillOp Op) {
  float Element = Op.getValue().convertToFloat();
  FragmentLayout Of = layout(Op.getTile());
  if (cast<RankedTensorType>(Op.getTile().getType()).getRank() == 2)
    define(Op.getTile(), fillFragment(B, Of, Element));
  else
    define(Op.getTile(), fillStats(B, Of, B.f32(Element)));
}

void TileLowering::lower(tile::ScaleOp Op) {
  Value Factor = scalar(Op.getFactor());
  TileValue X = Tiles.find(Op.getTile())->second;
  if (auto *Rows = std::get_if<StagedRows>(&X)) {
    // What is narrower than f32 would lose accuracy: the scores are scaled.
    Rows->Factor = Rows->Factor ? B.fmul(Rows->Factor, Factor) : Factor;
    Rows->Query.reset();
    Rows->Magnitude = {};
    if (!Rows->Shared.Base && !isSliced())
      Rows->Shared = stageFor(Op.getResult(), Rows->Load);
    defineRows(Op.getResult(), *Rows);
    return;
  }
  define(Op.getResult(), map(X, [&](Value E) { return B.fmul(E, Factor); }));
}

LogicalResult TileLowering::lowerElementwise(Operation *Op) {
  const auto *X = std::get_if<Fragment>(&Tiles.find(Op->getOperand(0))->second);
  const auto *Y = std::get_if<Fragment>(&Tiles.find(Op->getOperand(1))->second);
  if (!X || !Y)
    return Op->emitOpError() << "expected tiles of scores on the nv target";
  Fragment Result{X->Of, {}};
  for (auto [A, C] : llvm::zip_equal(X->Regs, Y->Regs))
    Result.Regs.push_back(isa<arith::AddFOp>(Op) ? B.fadd(A, C) : B.fmul(A, C));
  define(Op->getResult(0), std::move(Result));
  return success();
}

/// Whether scores go nowhere but into steps of the softmax, masked or not.
static bool isForSoftmax(Value S) {
  return llvm::all_of(S.getUsers(), [](Operation *User) {
    auto Mask = dyn_cast<tile::MaskOp>(User);
    return Mask ? isForSoftmax(Mask.getResult())
                : isa<tile::SoftmaxStepOp>(User);
  });
}

void TileLowering::lower(tile::ScoresOp Op) {
  const StagedRows &Queries = get<StagedRows>(Op.getQ());
  const StagedRows &Keys = get<StagedRows>(Op.getK());
  if (isSliced()) {
    Fragment S = slicedScores(Queries, Keys);
    for (Value Factor : {Queries.Factor, Keys.Factor})
      if (Factor)
        S = scale(B, S, Factor);
    define(Op.getS(), std::move(S));
    return;
  }
  Value Factor = Queries.Magnitude ? Queries.Magnitude : Queries.Factor;
  if (Keys.Factor)
    Factor = Factor ? B.fmul(Factor, Keys.Factor) : Keys.Factor;
  // The larger of two scores is also the larger one times a positive factor.
  if (Queries.Magnitude && !Keys.Factor && isForSoftmax(Op.getS()))
    Factors[Op.getS()] = std::exchange(Factor, Value());
  define(Op.getS(), emitScores(B, *Queries.Query, Keys.Shared, Factor));
}

void TileLowering::lower(tile::SoftmaxStepOp Op) {
  SoftmaxStep Step =
      emitSoftmaxStep(B, get<Fragment>(Op.getS()), get<RowStats>(Op.getM()),
                      get<RowStats>(Op.getL()), Factors.lookup(Op.getS()));
  define(Op.getP(), Step.P);
  define(Op.getNewM(), Step.M);
  define(Op.getNewL(), Step.L);
  define(Op.getAlpha(), Step.Alpha);
}

void TileLowering::lower(tile::RescaleOp Op) {
  define(Op.getResult(),
         rescale(B, get<Fragment>(Op.getO()), get<RowStats>(Op.getAlpha())));
}

void TileLowering::lower(tile::FinishOp Op) {
  SoftmaxEnd End =
      emitFinish(B, get<Fragment>(Op.getO()), get<RowStats>(Op.getM()),
                 get<RowStats>(Op.getL()));
  define(Op.getResult(), End.O);
  define(Op.getLse(), End.Lse);
}
