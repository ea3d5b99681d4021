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
    SmallVector<Value> State = llvm::to_vector(Pipeline.getState());
    SmallVector<Value> Carried = llvm::to_vector(Pipeline.getInits());
    if (hasFirst()) {
      State = fillFirst(State);
      llvm::append_range(Carried, readFirst());
    }
    // The stage that is behind the one to be filled first.
    SmallVector<Value> Inits{number(Stages > 1 ? 1 : 0)};
    if (fillsAlone())
      Inits.push_back(number(Stages - 1));
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

  bool hasFirst() { return !Pipeline.getFirst().empty(); }
  /// The first turns, one less than there are stages, fill and consume nothing,
  /// so that the code that fills is in the kernel once.
  bool fillsAlone() { return Stages > 1 && !hasFirst(); }
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

  WaitOp createWait(Value Stage, IntegerAttr Behind = {}) {
    SmallVector<Type> Slots(Ring.getType().getSlots().size(), slotType());
    return WaitOp::create(B, B.getI1Type(), Ring.getType().getTile(), Slots,
                          Ring, Stage, Behind);
  }

  /// All stages are filled before the first one is waited for.
  SmallVector<Value> fillFirst(ValueRange State) {
    auto For = scf::ForOp::create(
        B, number(0), number(Stages), number(1), State,
        [&](OpBuilder &, Location, Value Stage, ValueRange Carried) {
          scf::YieldOp::create(B, fill(Stage, Carried));
        });
    return llvm::to_vector_of<Value>(For.getResults());
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

  /// i1: a turn that consumes, by the number of turns left that only fill.
  Value consumes(Value Turns) {
    return arith::CmpIOp::create(B, arith::CmpIPredicate::eq, Turns, number(0));
  }

  /// Live, tile and slots.
  SmallVector<Value> waitFor(Value Stage) {
    WaitOp Wait = createWait(Stage);
    SmallVector<Value> All{Wait.getLive()};
    llvm::append_range(All, Wait.getTile());
    llvm::append_range(All, Wait.getSlots());
    return All;
  }

  Value zero(Type T) {
    if (isa<LLVM::LLVMPointerType>(T))
      return LLVM::ZeroOp::create(B, T);
    return arith::ConstantOp::create(B, B.getZeroAttr(T));
  }

  /// What one of two pieces of code gives.
  template <typename Then, typename Else>
  SmallVector<Value> either(Value Condition, Then First, Else Second) {
    auto If = scf::IfOp::create(
        B, Condition,
        [&](OpBuilder &, Location) { scf::YieldOp::create(B, First()); },
        [&](OpBuilder &, Location) { scf::YieldOp::create(B, Second()); });
    return llvm::to_vector_of<Value>(If.getResults());
  }

  void wait(ValueRange Args) {
    SmallVector<Value> Carried = llvm::to_vector(Args);
    Value Stage = Carried.front();
    // A single stage is filled between two tiles.
    if (Stages == 1) {
      SmallVector<Value> Next = fill(Stage, Args.slice(1, numState()));
      llvm::copy(Next, Carried.begin() + 1);
    }
    SmallVector<Value> Found;
    if (fillsAlone())
      Found = either(
          consumes(Args[1]), [&] { return waitFor(Stage); },
          [&] {
            SmallVector<Value> None{
                arith::ConstantOp::create(B, B.getBoolAttr(true))};
            for (Type T : handedTypes({}))
              None.push_back(zero(T));
            return None;
          });
    else
      Found = waitFor(Stage);
    SmallVector<Value> Handed(llvm::drop_begin(Found));
    llvm::append_range(Handed, Carried);
    scf::ConditionOp::create(B, Found.front(), Handed);
  }

  void work(ValueRange Args) {
    const size_t NumSlots = Ring.getType().getSlots().size();
    const size_t NumFound = Ring.getType().getTile().size() + NumSlots;
    ValueRange Found = Args.take_front(NumFound);
    Args = Args.drop_front(NumFound);
    Value Stage = Args.front();
    const size_t NumTurns = fillsAlone() ? 1 : 0;
    ValueRange State = Args.slice(1 + NumTurns, numState());
    ValueRange Carried = Args.drop_front(1 + NumTurns + numState());

    auto Consume = [&] {
      SmallVector<Value> Arguments = llvm::to_vector(Found.take_back(NumSlots));
      llvm::append_range(Arguments, Found.drop_back(NumSlots));
      llvm::append_range(Arguments, Carried);
      SmallVector<Value> Made = copy(Pipeline.getConsume().front(), Arguments);
      ReleaseOp::create(B, Ring, Stage);
      return Made;
    };
    SmallVector<Value> Next = llvm::to_vector(State);
    // The stage before this one was read by everybody.
    if (Stages > 1)
      Next = fill(rotate(Stage, Stages - 1), State);
    SmallVector<Value> Yielded{rotate(Stage, 1)}, Made;
    if (fillsAlone()) {
      Value Turns = Args[1], Consumes = consumes(Turns);
      Made =
          either(Consumes, Consume, [&] { return llvm::to_vector(Carried); });
      Yielded.push_back(arith::SelectOp::create(
          B, Consumes, Turns, arith::SubIOp::create(B, Turns, number(1))));
    } else {
      Made = Consume();
    }
    llvm::append_range(Yielded, Next);
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
