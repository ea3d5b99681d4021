// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLExtras.h"

namespace heddle::nv {
#define GEN_PASS_DEF_NVASSIGNROLES
#include "codegen/nv/Passes.h.inc"
} // namespace heddle::nv

using namespace heddle::nv;
using namespace mlir;

namespace {

/// Makes one pipeline into loops that every warp runs.
class Roles {
public:
  explicit Roles(PipelineOp Pipeline)
      : Pipeline(Pipeline), B(Pipeline.getLoc(), Pipeline),
        Ring(Pipeline.getRing()), Stages(Ring.getType().getStages()) {}

  void run() {
    const bool HasFirst = !Pipeline.getFirst().empty();
    const int64_t Ahead = HasFirst ? Stages : Stages - 1;
    SmallVector<Value> State = llvm::to_vector(Pipeline.getState());
    if (Ahead > 0)
      State = fillFirst(Ahead, State);
    SmallVector<Value> Carried = llvm::to_vector(Pipeline.getInits());
    if (HasFirst)
      llvm::append_range(Carried, readFirst());
    SmallVector<Value> Inits{number(HasFirst && Stages > 1 ? 1 : 0)};
    llvm::append_range(Inits, State);
    llvm::append_range(Inits, Carried);
    auto While = scf::WhileOp::create(
        B, handedTypes(ValueRange(Inits).getTypes()), Inits,
        [&](OpBuilder &, Location, ValueRange Args) { wait(Args); },
        [&](OpBuilder &, Location, ValueRange Args) { work(Args); });
    Pipeline.replaceAllUsesWith(While.getResults()
                                    .take_back(Carried.size())
                                    .take_front(Pipeline.getNumResults()));
    Pipeline.erase();
  }

private:
  Value number(int64_t N) {
    return arith::ConstantOp::create(
        B, B.getI32IntegerAttr(static_cast<int32_t>(N)));
  }

  size_t numState() { return Pipeline.getState().size(); }

  /// What the condition hands to the body: the tile and its slots, then what is
  /// carried.
  SmallVector<Type> handedTypes(TypeRange Carried) {
    SmallVector<Type> Types = llvm::to_vector(Ring.getType().getTile());
    Types.append(Ring.getType().getSlots().size(), slotType());
    llvm::append_range(Types, Carried);
    return Types;
  }

  Type slotType() { return LLVM::LLVMPointerType::get(B.getContext(), 3); }

  /// A copy of a region's operations; returns what its terminator's operands
  /// are there.
  SmallVector<Value> copy(Block &From, ValueRange Arguments) {
    IRMapping Map;
    Map.map(From.getArguments(), Arguments);
    for (Operation &Op : From.without_terminator())
      B.clone(Op, Map);
    return llvm::map_to_vector(From.getTerminator()->getOperands(),
                               [&](Value V) { return Map.lookupOrDefault(V); });
  }

  /// Fills a stage; returns the producer's next state.
  SmallVector<Value> fill(Value Stage, ValueRange State) {
    SmallVector<Type> Slots(Ring.getType().getSlots().size(), slotType());
    SmallVector<Value> Arguments = llvm::to_vector_of<Value>(
        AcquireOp::create(B, Slots, Ring, Stage).getSlots());
    llvm::append_range(Arguments, State);
    SmallVector<Value> Made = copy(Pipeline.getProduce().front(), Arguments);
    ArrayRef<Value> Tile =
        ArrayRef(Made).slice(1, Ring.getType().getTile().size());
    PublishOp::create(B, Ring, Stage, Made.front(), Tile);
    CommitOp::create(B, Ring, Stage);
    return SmallVector<Value>(ArrayRef(Made).take_back(numState()));
  }

  /// The first stages are filled before one is waited for.
  SmallVector<Value> fillFirst(int64_t Count, ValueRange State) {
    auto For = scf::ForOp::create(
        B, number(0), number(Count), number(1), State,
        [&](OpBuilder &, Location, Value Stage, ValueRange Carried) {
          scf::YieldOp::create(B, fill(Stage, Carried));
        });
    return llvm::to_vector_of<Value>(For.getResults());
  }

  WaitOp createWait(Value Stage, IntegerAttr Behind = {}) {
    SmallVector<Type> Slots(Ring.getType().getSlots().size(), slotType());
    return WaitOp::create(B, B.getI1Type(), Ring.getType().getTile(), Slots,
                          Ring, Stage, Behind);
  }

  /// What the first region makes of the first stage.
  SmallVector<Value> readFirst() {
    Value Stage = number(0);
    WaitOp Wait = createWait(Stage, B.getI64IntegerAttr(Stages - 1));
    SmallVector<Value> Made =
        copy(Pipeline.getFirst().front(), Wait.getSlots());
    ReleaseOp::create(B, Ring, Stage);
    return Made;
  }

  void wait(ValueRange Args) {
    SmallVector<Value> Carried = llvm::to_vector(Args);
    Value Stage = Carried.front();
    // A single stage is filled between two tiles.
    if (Stages == 1) {
      SmallVector<Value> Next = fill(Stage, Args.slice(1, numState()));
      llvm::copy(Next, Carried.begin() + 1);
    }
    WaitOp Wait = createWait(Stage);
    SmallVector<Value> Handed = llvm::to_vector_of<Value>(Wait.getTile());
    llvm::append_range(Handed, Wait.getSlots());
    llvm::append_range(Handed, Carried);
    scf::ConditionOp::create(B, Wait.getLive(), Handed);
  }

  void work(ValueRange Args) {
    size_t NumTile = Ring.getType().getTile().size();
    size_t NumSlots = Ring.getType().getSlots().size();
    ValueRange Tile = Args.take_front(NumTile);
    ValueRange Slots = Args.slice(NumTile, NumSlots);
    Value Stage = Args[NumTile + NumSlots];
    ValueRange State = Args.slice(NumTile + NumSlots + 1, numState());
    ValueRange Carried = Args.drop_front(NumTile + NumSlots + 1 + numState());

    SmallVector<Value> NextState = llvm::to_vector(State);
    // The stage before this one was read by everybody.
    if (Stages > 1)
      NextState = fill(rotate(Stage, Stages - 1), State);
    SmallVector<Value> Arguments = llvm::to_vector(Slots);
    llvm::append_range(Arguments, Tile);
    llvm::append_range(Arguments, Carried);
    SmallVector<Value> Made = copy(Pipeline.getConsume().front(), Arguments);
    ReleaseOp::create(B, Ring, Stage);
    SmallVector<Value> Yielded{rotate(Stage, 1)};
    llvm::append_range(Yielded, NextState);
    llvm::append_range(Yielded, Made);
    scf::YieldOp::create(B, Yielded);
  }

  /// The stage `By` after `Stage`.
  Value rotate(Value Stage, int64_t By) {
    if (Stages == 1)
      return Stage;
    Value Next = arith::AddIOp::create(B, Stage, number(By));
    Value IsOver = arith::CmpIOp::create(B, arith::CmpIPredicate::sge, Next,
                                         number(Stages));
    return arith::SelectOp::create(
        B, IsOver, arith::SubIOp::create(B, Next, number(Stages)), Next);
  }

  PipelineOp Pipeline;
  ImplicitLocOpBuilder B;
  TypedValue<RingType> Ring;
  int64_t Stages;
};

struct NvAssignRoles final
    : heddle::nv::impl::NvAssignRolesBase<NvAssignRoles> {
  void runOnOperation() override {
    SmallVector<PipelineOp> Pipelines;
    getOperation().walk([&](PipelineOp Op) { Pipelines.push_back(Op); });
    for (PipelineOp Op : Pipelines)
      Roles(Op).run();
  }
};

} // namespace
