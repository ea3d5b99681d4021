// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/SharedCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"

using namespace heddle::nv;
using namespace mlir;

/// Operations of a kernel that ptxas takes in half of what is to be the whole
/// time.
static constexpr int64_t LargeKernel = 3000;
/// Operations of a piece that are no more than what a call takes.
static constexpr int64_t SmallPiece = 16;

static int64_t countOps(Operation *Within) {
  int64_t Count = 0;
  Within->walk([&](Operation *) { ++Count; });
  return Count;
}

/// Numbers that a function makes itself: constants, and what of the thread's
/// number is made of.
static bool isMadeAnywhere(Value V) {
  Operation *Made = V.getDefiningOp();
  if (!Made || isa<LLVM::LLVMPointerType>(V.getType()))
    return false;
  if (Made->hasTrait<OpTrait::ConstantLike>() || isa<NVVM::ThreadIdXOp>(Made))
    return true;
  return Made->getNumRegions() == 0 && isMemoryEffectFree(Made) &&
         llvm::all_of(Made->getOperands(), isMadeAnywhere);
}

/// True if lanes of a warp exchange something in a piece.
static bool actsTogether(Operation *Piece) {
  return Piece
      ->walk([](Operation *Op) {
        return isa<NVVM::NVVMDialect>(Op->getDialect()) &&
                       !isa<NVVM::ThreadIdXOp, NVVM::BlockIdXOp>(Op)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// True if all threads met ahead of a piece, and none has branched since.
static bool isBehindBarrier(Operation *Piece) {
  Operation *Before = Piece->getPrevNode();
  while (Before && Before->getNumRegions() == 0 && isMemoryEffectFree(Before))
    Before = Before->getPrevNode();
  return isa_and_nonnull<NVVM::Barrier0Op>(Before);
}

namespace {

class CodeSharing {
public:
  explicit CodeSharing(LLVM::LLVMFuncOp Kernel) : Kernel(Kernel) {}

  void takeOut(Operation *Piece);

private:
  Value copy(Value V, OpBuilder &B, IRMapping &Map);
  LLVM::LLVMFuncOp makeFunction(Operation *Piece, ArrayRef<Value> Arguments,
                                ArrayRef<Value> Own);
  /// A function that does the same; else null.
  LLVM::LLVMFuncOp findSame(LLVM::LLVMFuncOp Function, int64_t Count);

  LLVM::LLVMFuncOp Kernel;
  /// By the number of their operations.
  llvm::DenseMap<int64_t, SmallVector<LLVM::LLVMFuncOp>> Known;
  int64_t Number = 0;
};

} // namespace

Value CodeSharing::copy(Value V, OpBuilder &B, IRMapping &Map) {
  if (Value Known = Map.lookupOrNull(V))
    return Known;
  Operation *Made = V.getDefiningOp();
  for (Value Operand : Made->getOperands())
    copy(Operand, B, Map);
  B.clone(*Made, Map);
  return Map.lookup(V);
}

LLVM::LLVMFuncOp CodeSharing::makeFunction(Operation *Piece,
                                           ArrayRef<Value> Arguments,
                                           ArrayRef<Value> Own) {
  ImplicitLocOpBuilder B(Piece->getLoc(), Kernel);
  SmallVector<Type> Types;
  for (Value V : Arguments)
    Types.push_back(V.getType().isIndex() ? B.getI64Type() : V.getType());
  auto Type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(B.getContext()), Types);
  auto Function = LLVM::LLVMFuncOp::create(
      B, (Kernel.getName() + "_part" + Twine(Number)).str(), Type,
      LLVM::Linkage::Internal);
  Function.setNoInline(true);
  Function.setPassthroughAttr(Kernel.getPassthroughAttr());
  // Warps come as they are to what they do together in it.
  Function.setConvergent(true);
  B.setInsertionPointToStart(Function.addEntryBlock(B));
  IRMapping Map;
  for (auto [Outer, Inner] :
       llvm::zip_equal(Arguments, Function.getArguments()))
    Map.map(Outer,
            Outer.getType().isIndex()
                ? Value(arith::IndexCastOp::create(B, B.getIndexType(), Inner))
                : Value(Inner));
  for (Value V : Own)
    copy(V, B, Map);
  B.clone(*Piece, Map);
  LLVM::ReturnOp::create(B, ValueRange());
  return Function;
}

LLVM::LLVMFuncOp CodeSharing::findSame(LLVM::LLVMFuncOp Function,
                                       int64_t Count) {
  for (LLVM::LLVMFuncOp Other : Known[Count])
    if (Other.getFunctionType() == Function.getFunctionType() &&
        OperationEquivalence::isRegionEquivalentTo(
            &Other.getBody(), &Function.getBody(),
            OperationEquivalence::IgnoreLocations))
      return Other;
  return {};
}

void CodeSharing::takeOut(Operation *Piece) {
  llvm::SetVector<Value> Used;
  Used.insert_range(Piece->getOperands());
  getUsedValuesDefinedAbove(Piece->getRegions(), Used);
  SmallVector<Value> Arguments, Own;
  for (Value V : Used) {
    auto Pointer = dyn_cast<LLVM::LLVMPointerType>(V.getType());
    if (Pointer && Pointer.getAddressSpace() == 0)
      return;
    (isMadeAnywhere(V) ? Own : Arguments).push_back(V);
  }
  LLVM::LLVMFuncOp Function = makeFunction(Piece, Arguments, Own);
  const int64_t Count = countOps(Function);
  if (LLVM::LLVMFuncOp Same = findSame(Function, Count)) {
    Function.erase();
    Function = Same;
  } else {
    Known[Count].push_back(Function);
    ++Number;
  }
  ImplicitLocOpBuilder B(Piece->getLoc(), Piece);
  for (Value &V : Arguments)
    if (V.getType().isIndex())
      V = arith::IndexCastOp::create(B, B.getI64Type(), V);
  // What a warp does together in the function wants all of it there.
  if (actsTogether(Piece) && !isBehindBarrier(Piece)) {
    Value Lanes = arith::ConstantOp::create(B, B.getI32IntegerAttr(-1));
    NVVM::SyncWarpOp::create(B, Lanes);
  }
  LLVM::CallOp::create(B, Function, Arguments);
  Piece->erase();
}

void heddle::nv::shareCode(LLVM::LLVMFuncOp Kernel,
                           ArrayRef<Operation *> Pieces) {
  if (countOps(Kernel) < LargeKernel)
    return;
  CodeSharing Sharing(Kernel);
  for (Operation *Piece : Pieces)
    if (countOps(Piece) > SmallPiece)
      Sharing.takeOut(Piece);
}
