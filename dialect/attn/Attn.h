// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `attn` dialect: patterns, attention, and the attributes they carry.

#ifndef HEDDLE_DIALECT_ATTN_ATTN_H
#define HEDDLE_DIALECT_ATTN_ATTN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/DenseMap.h"
#include <mutex>
#include <vector>

namespace heddle::attn {
class ReadAttr;
} // namespace heddle::attn

#include "dialect/attn/AttnDialect.h.inc"
#include "dialect/attn/AttnEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/attn/AttnAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/attn/AttnTypes.h.inc"

namespace heddle::attn {

/// The regions of an attn.recurrence, by number.
enum class RecurrencePart { Query, Key, Value, Output, Decay, Delta };

/// What the factors of a recurrence depend on beside batch and head.
enum class DecayKind {
  None,
  Constant,   ///< Nothing: one factor for all tokens.
  PerToken,   ///< The token.
  PerChannel, ///< The feature, and possibly the token.
};

/// Features that an expansion may make of a row.
inline constexpr int64_t kMaxFeatures = 65536;

} // namespace heddle::attn

#include "dialect/attn/AttnInterfaces.h.inc"
#define GET_OP_CLASSES
#include "dialect/attn/AttnOps.h.inc"

namespace heddle::attn {

/// Sources that one attention can have.
inline constexpr size_t kMaxSources = 8;

/// Parameter `number` of pattern `source` among several patterns.
struct UnitedParam {
  unsigned source;
  unsigned number;
};
/// The parameters of the sources of an `attn.combine`: each name once, in the
/// order in which they first occur.
mlir::SmallVector<UnitedParam> uniteParams(llvm::ArrayRef<PatternOp> patterns);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_ATTN_H
