// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

namespace heddle::nv {
#define GEN_PASS_DEF_NVLOWERRINGS
#include "codegen/nv/Passes.h.inc"
} // namespace heddle::nv

using namespace heddle::nv;
using namespace mlir;

namespace {

/// Lowers what is done to one ring.
class RingLowering {
public:
  explicit RingLowering(RingOp Op)
      : Op(Op), Ring(Op.getRing().getType()), B(Op.getLoc(), Op),
        Stages(Ring.getStages()) {}

  LogicalResult run() {
    // Whoever had this memory before may still be reading it.
    if (!Op.getFree())
      NVVM::Barrier0Op::create(B);
    Base = LLVM::AddressOfOp::create(
        B, LLVM::LLVMPointerType::get(B.getContext(), 3), kSharedSymbol);
    Base = bytes(Base, number(static_cast<int64_t>(Op.getOffset())));
    for (Operation *User :
         llvm::make_early_inc_range(Op.getRing().getUsers())) {
      B.setInsertionPoint(User);
      B.setLoc(User->getLoc());
      auto Lower = [&](auto Use) {
        lower(Use);
        Use.erase();
        return success();
      };
      if (failed(llvm::TypeSwitch<Operation *, LogicalResult>(User)
                     .Case<AcquireOp, PublishOp, CommitOp, WaitOp, ReleaseOp>(
                         Lower)
                     .Default([](Operation *Other) {
                       return Other->emitOpError(
                           "uses a ring beyond the protocol of its stages; run "
                           "'nv-assign-roles' first");
                     })))
        return failure();
    }
    Op.erase();
    return success();
  }

private:
  Value number(int64_t N) {
    return arith::ConstantOp::create(
        B, B.getI32IntegerAttr(static_cast<int32_t>(N)));
  }

  Value bytes(Value From, Value Count) {
    return LLVM::GEPOp::create(B, From.getType(), B.getI8Type(), From,
                               ValueRange{Count});
  }

  SmallVector<Value> slots(Value Stage) {
    Value Start = bytes(
        Base, arith::MulIOp::create(B, Stage, number(Ring.getSlotBytes())));
    SmallVector<Value> Result;
    int64_t Offset = 0;
    for (int64_t Bytes : Ring.getSlots()) {
      Result.push_back(bytes(Start, number(Offset)));
      Offset += Bytes;
    }
    return Result;
  }

  /// Field number `I` of a stage's record, eight bytes each.
  Value field(Value Stage, int64_t I) {
    Value Offset =
        arith::MulIOp::create(B, Stage, number(Ring.getRecordBytes()));
    int64_t Start = Stages * Ring.getSlotBytes() + I * 8;
    return bytes(Base, arith::AddIOp::create(B, Offset, number(Start)));
  }

  void lower(AcquireOp Acquire) {
    // With several stages the wait for the tile after the last one of this
    // stage has seen to it; every warp reads the tiles in their order.
    if (Stages == 1)
      NVVM::Barrier0Op::create(B);
    Acquire.replaceAllUsesWith(slots(Acquire.getStage()));
  }

  void lower(PublishOp Publish) {
    Value Thread = NVVM::ThreadIdXOp::create(B, B.getI32Type());
    Value IsFirst =
        arith::CmpIOp::create(B, arith::CmpIPredicate::eq, Thread, number(0));
    scf::IfOp::create(B, IsFirst, [&](OpBuilder &, Location) {
      Value Live = arith::ExtUIOp::create(B, B.getI32Type(), Publish.getLive());
      LLVM::StoreOp::create(B, Live, field(Publish.getStage(), 0));
      for (auto [I, V] : llvm::enumerate(Publish.getTile())) {
        Value Stored = V;
        if (V.getType().isIndex())
          Stored = arith::IndexCastOp::create(B, B.getI64Type(), V);
        LLVM::StoreOp::create(
            B, Stored, field(Publish.getStage(), 1 + static_cast<int64_t>(I)));
      }
      scf::YieldOp::create(B);
    });
  }

  void lower(CommitOp) { NVVM::CpAsyncCommitGroupOp::create(B); }

  void lower(WaitOp Wait) {
    // One group per stage; those of the stages behind this one may be under
    // way, but for the one that is filled next.
    const auto Behind = static_cast<int64_t>(
        Wait.getBehind().value_or(std::max<int64_t>(0, Stages - 2)));
    NVVM::CpAsyncWaitGroupOp::create(B, static_cast<uint32_t>(Behind));
    NVVM::Barrier0Op::create(B);
    SmallVector<Value> Results;
    Value Live =
        LLVM::LoadOp::create(B, B.getI32Type(), field(Wait.getStage(), 0));
    Results.push_back(
        arith::CmpIOp::create(B, arith::CmpIPredicate::ne, Live, number(0)));
    for (auto [I, T] : llvm::enumerate(Ring.getTile())) {
      Value V = LLVM::LoadOp::create(
          B, T.isIndex() ? Type(B.getI64Type()) : T,
          field(Wait.getStage(), 1 + static_cast<int64_t>(I)));
      if (T.isIndex())
        V = arith::IndexCastOp::create(B, T, V);
      Results.push_back(V);
    }
    llvm::append_range(Results, slots(Wait.getStage()));
    Wait.replaceAllUsesWith(Results);
  }

  // The next wait of every warp says so.
  void lower(ReleaseOp) {}

  RingOp Op;
  RingType Ring;
  ImplicitLocOpBuilder B;
  int64_t Stages;
  Value Base;
};

struct NvLowerRings final : heddle::nv::impl::NvLowerRingsBase<NvLowerRings> {
  void runOnOperation() override {
    SmallVector<RingOp> Rings;
    getOperation().walk([&](RingOp Op) { Rings.push_back(Op); });
    for (RingOp Op : Rings)
      if (failed(RingLowering(Op).run()))
        return signalPassFailure();
  }
};

} // namespace
