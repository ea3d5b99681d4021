// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/LastUse.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

bool heddle::cpu::isLastUse(Value V, Operation *User) {
  Block *Home = V.getParentBlock();
  // From the block the value is born in down to its user there may be
  // branches, but no loop.
  for (Operation *Op = User; Op->getBlock() != Home;) {
    Op = Op->getParentOp();
    if (!Op || !isa<scf::IfOp>(Op))
      return false;
  }
  unsigned Mine = 0;
  for (OpOperand &Use : V.getUses()) {
    Operation *Other = Use.getOwner();
    if (Other == User) {
      if (++Mine > 1)
        return false;
      continue;
    }
    // The innermost block that holds both, by way of their ancestors.
    Operation *Here = User;
    Operation *There = nullptr;
    while (Here) {
      There = Here->getBlock()->findAncestorOpInBlock(*Other);
      if (There)
        break;
      Here = Here->getParentOp();
    }
    if (!Here)
      return false;
    if (Here == There) {
      // Different branches of one `scf.if` (or a use inside of `User`, which
      // reads its operands first).
      if (Here == User || !isa<scf::IfOp>(Here))
        return false;
      continue;
    }
    if (!There->isBeforeInBlock(Here))
      return false;
  }
  return true;
}
