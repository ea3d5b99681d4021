// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/nv/Nv.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace heddle::nv;

#include "dialect/nv/NvDialect.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/nv/NvTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/nv/NvOps.cpp.inc"

void NvDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/nv/NvTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/nv/NvOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// !nv.ring
//===----------------------------------------------------------------------===//

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, ArrayRef<int64_t> slots,
                               ArrayRef<Type> tile) {
  if (stages < 1)
    return emitError() << "[ring-1] expected at least one stage, found "
                       << stages;
  for (int64_t bytes : slots)
    if (bytes <= 0 || bytes % kSlotAlignment != 0)
      return emitError() << "[ring-2] expected slots of a positive multiple of "
                         << kSlotAlignment << " bytes, found " << bytes;
  for (Type type : tile)
    if (!type.isIndex() && !type.isInteger(32) && !type.isInteger(64))
      return emitError() << "[ring-3] expected values of the types index, i32 "
                            "or i64, found "
                         << type;
  return success();
}

int64_t RingType::getSlotBytes() const {
  int64_t sum = 0;
  for (int64_t bytes : getSlots())
    sum += bytes;
  return sum;
}

int64_t RingType::getRecordBytes() const {
  // Whether there is a tile, and the values, eight bytes each.
  return 8 * (1 + static_cast<int64_t>(getTile().size()));
}

int64_t RingType::getBytes() const {
  return static_cast<int64_t>(llvm::alignTo(
      static_cast<uint64_t>(getStages() * (getSlotBytes() + getRecordBytes())),
      kSlotAlignment));
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

static SmallVector<Type> slotTypes(RingType ring) {
  return SmallVector<Type>(ring.getSlots().size(),
                           LLVM::LLVMPointerType::get(ring.getContext(), 3));
}

LogicalResult RingOp::verify() {
  int64_t offset = getOffsetAttr().getInt();
  if (offset < 0 || offset % kSlotAlignment != 0)
    return emitOpError()
           << "[place-1] expected an offset that is a multiple of "
           << kSlotAlignment << " and not negative, found " << offset;
  return success();
}

LogicalResult PipelineOp::inferReturnTypes(MLIRContext *,
                                           std::optional<Location>,
                                           Adaptor adaptor,
                                           SmallVectorImpl<Type> &results) {
  llvm::append_range(results, adaptor.getInits().getTypes());
  return success();
}

ProducedOp PipelineOp::getProduced() {
  return cast<ProducedOp>(getProduce().front().getTerminator());
}

YieldOp PipelineOp::getYield() {
  return cast<YieldOp>(getConsume().front().getTerminator());
}

SmallVector<Type> PipelineOp::getCarriedTypes() {
  SmallVector<Type> types = llvm::to_vector(getInits().getTypes());
  if (!getFirst().empty())
    llvm::append_range(types,
                       getFirst().front().getTerminator()->getOperandTypes());
  return types;
}

LogicalResult PipelineOp::verify() {
  RingType ring = getRing().getType();
  SmallVector<Type> slots = slotTypes(ring), produce = slots, consume = slots;
  if (!getFirst().empty() &&
      (getFirst().front().getArgumentTypes() != TypeRange(slots) ||
       !isa<YieldOp>(getFirst().front().getTerminator())))
    return emitOpError(
        "[pipeline-4] expected a first region with a pointer per "
        "slot that ends in 'nv.yield'");
  if (!getFirst().empty() && ring.getStages() == 1)
    return emitOpError("[pipeline-5] expected a ring of two stages or more for "
                       "a first region, found one");
  SmallVector<Type> carried = getCarriedTypes();
  llvm::append_range(produce, getState().getTypes());
  llvm::append_range(consume, ring.getTile());
  llvm::append_range(consume, carried);
  if (getProduce().front().getArgumentTypes() != TypeRange(produce))
    return emitOpError("[pipeline-1] expected a produce region with a pointer "
                       "per slot and the types of the state");
  if (getConsume().front().getArgumentTypes() != TypeRange(consume))
    return emitOpError("[pipeline-2] expected a consume region with a pointer "
                       "per slot, the values of a tile and the types of what "
                       "is carried");
  auto produced = dyn_cast<ProducedOp>(getProduce().front().getTerminator());
  if (!produced || produced.getTile().getTypes() != TypeRange(ring.getTile()) ||
      produced.getState().getTypes() != getState().getTypes())
    return emitOpError("[produced-1] expected the produce region to end in "
                       "'nv.produced' with the values of a tile of the ring "
                       "and the types of the state");
  auto yield = dyn_cast<YieldOp>(getConsume().front().getTerminator());
  if (!yield || yield.getValues().getTypes() != TypeRange(carried))
    return emitOpError("[pipeline-3] expected the consume region to end in "
                       "'nv.yield' with the types of what is carried");
  return success();
}

LogicalResult AcquireOp::verify() {
  if (getSlots().getTypes() != TypeRange(slotTypes(getRing().getType())))
    return emitOpError("[acquire-1] expected one pointer per slot of the ring");
  return success();
}

LogicalResult PublishOp::verify() {
  if (getTile().getTypes() != TypeRange(getRing().getType().getTile()))
    return emitOpError("[publish-1] expected the values of a tile of the ring");
  return success();
}

LogicalResult WaitOp::verify() {
  RingType ring = getRing().getType();
  if (getTile().getTypes() != TypeRange(ring.getTile()) ||
      getSlots().getTypes() != TypeRange(slotTypes(ring)))
    return emitOpError("[wait-1] expected the values of a tile of the ring and "
                       "one pointer per slot");
  return success();
}
