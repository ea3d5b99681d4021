// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Views.h"

#include "dialect/tile/Signature.h"
#include "dialect/tile/Tile.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace heddle;
using namespace mlir;

Value tile::viewedTile(Value V) {
  Operation *Op = V.getDefiningOp();
  return isa_and_present<TransposeOp, RowOp>(Op) ? Op->getOperand(0) : Value();
}

SmallVector<Value> tile::tilesSharing(Value V) {
  while (Value Viewed = viewedTile(V))
    V = Viewed;
  SmallVector<Value> Result{V};
  for (size_t I = 0; I < Result.size(); ++I)
    for (Operation *User : Result[I].getUsers())
      if (isa<TransposeOp, RowOp>(User))
        Result.push_back(User->getResult(0));
  return Result;
}

bool tile::isScalarArithmetic(Operation *Op) {
  auto IsScalar = [](Value V) { return !isTile(V) && !isTableOrSet(V); };
  return !isa_and_present<attn::AttnDialect, TileDialect>(Op->getDialect()) &&
         llvm::all_of(Op->getOperands(), IsScalar) &&
         llvm::all_of(Op->getResults(), IsScalar) && Op->getNumRegions() == 0 &&
         isMemoryEffectFree(Op);
}
