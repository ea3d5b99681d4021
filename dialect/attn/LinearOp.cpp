// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of attn.linear.

#include "dialect/attn/Params.h"
#include "dialect/attn/Tensors.h"

using namespace mlir;
using namespace heddle::attn;

LogicalResult LinearOp::verify() {
  AttendedTensors tensors{{"q", getQ()},
                          {"k", getK()},
                          {"v", getV()},
                          {"o", getO()},
                          {{{"state", getState()}, 4}},
                          getOrigin()};
  if (getSums())
    tensors.further.push_back({{"sums", getSums()}, 3});
  if (getStateIn())
    tensors.further.push_back({{"state in", getStateIn()}, 4});
  if (getSumsIn())
    tensors.further.push_back({{"sums in", getSumsIn()}, 3});
  return verifyTensors(*this, "linear", tensors);
}

/// How many keys there are for the queries.
static LogicalResult verifyPositions(LinearOp op, RecurrenceOp recurrence) {
  const NamedTensor q("q", op.getQ()), k("k", op.getK());
  if (recurrence.isBidirectional())
    return success();
  if (!recurrence.getWindowParam())
    return verifyAgree(op, "linear-6", q, k, 2, "positions");
  int64_t queries = q.type.getDimSize(2), keys = k.type.getDimSize(2);
  if (!ShapedType::isDynamic(queries) && !ShapedType::isDynamic(keys) &&
      keys < queries)
    return op.emitOpError("[linear-6] expected at least as many positions of "
                          "'k' as of 'q', found ")
           << keys << " and " << queries;
  return success();
}

LogicalResult LinearOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto recurrence = symbolTable.lookupNearestSymbolFrom<RecurrenceOp>(
      *this, getRecurrenceAttr());
  if (!recurrence)
    return emitOpError(
               "[linear-4] expected the name of an 'attn.recurrence', found ")
           << getRecurrenceAttr();
  if (failed(verifyArguments(*this, "linear-4", "recurrence",
                             getRecurrenceAttr(), getParams().getTypes(),
                             recurrence.getParamTypes(), recurrence.getLoc())))
    return failure();
  if (failed(verifyPositions(*this, recurrence)))
    return failure();

  int64_t qk = cast<RankedTensorType>(getQ().getType()).getDimSize(3);
  if (int64_t features = recurrence.numFeatures(qk); features > kMaxFeatures)
    return emitOpError("[linear-8] expected at most ")
           << kMaxFeatures << " features of the expansion, found more for "
           << recurrence.numMappedFeatures(qk) << " features of a query";
  bool wanted = recurrence.hasSums();
  if (static_cast<bool>(getSums()) != wanted ||
      (getStateIn() && static_cast<bool>(getSumsIn()) != wanted))
    return emitOpError("[linear-9] expected ")
           << (wanted ? "sums beside every state, as the recurrence has a"
                      : "no sums, as the recurrence has no")
           << " normaliser";
  int64_t rows = recurrence.numStateRows(qk);
  for (Value value : std::initializer_list<Value>{getState(), getStateIn(),
                                                  getSums(), getSumsIn()}) {
    if (!value)
      continue;
    auto type = cast<RankedTensorType>(value.getType());
    if (!type.isDynamicDim(2) && type.getDimSize(2) != rows)
      return emitOpError("[linear-10] expected states and sums with ")
             << rows << " rows, found " << type;
  }
  return success();
}
