// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of attn.linear.

#include "dialect/attn/Attn.h"

using namespace mlir;
using namespace heddle::attn;

LogicalResult LinearOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  return success();
}

LogicalResult LinearOp::verify() { return success(); }
