// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/cpp/ExampleValues.h"

#include "llvm/ADT/STLExtras.h"

using namespace heddle;
using attn::RecurrencePart;

/// The argument of the region that an index is computed from, if any; those of
/// tokens and features before those of batch and head.
static mlir::BlockArgument sourceOf(mlir::Value Index) {
  if (auto Argument = mlir::dyn_cast<mlir::BlockArgument>(Index))
    return Argument;
  mlir::BlockArgument Last;
  for (mlir::Value Operand : Index.getDefiningOp()->getOperands())
    if (mlir::BlockArgument Found = sourceOf(Operand))
      if (!Last || Found.getArgNumber() > Last.getArgNumber())
        Last = Found;
  return Last;
}

/// The size that an index runs over, as --set names it.
static std::string extentOf(attn::RecurrenceOp Recurrence, RecurrencePart Part,
                            mlir::Value Index) {
  const mlir::BlockArgument From = sourceOf(Index);
  if (!From || From.getArgNumber() < Recurrence.getNumParams())
    return "1";
  const bool IsGate =
      Part == RecurrencePart::Decay || Part == RecurrencePart::Delta;
  // A map has the element before b, h, i and c.
  const unsigned Which =
      From.getArgNumber() - Recurrence.getNumParams() - (IsGate ? 0 : 1);
  const bool IsOfKeys =
      Part == RecurrencePart::Key || Part == RecurrencePart::Value;
  const bool IsOfValues =
      Part == RecurrencePart::Value || Part == RecurrencePart::Output;
  const char *const Names[] = {"b", "h", IsOfKeys ? "k" : "q",
                               IsGate       ? "f"
                               : IsOfValues ? "v"
                                            : "d"};
  return Which < 4 ? Names[Which] : "1";
}

static std::string join(attn::RecurrenceOp Recurrence, RecurrencePart Part,
                        mlir::ValueRange Indices) {
  std::string Shape;
  for (mlir::Value Index : Indices)
    Shape += (Shape.empty() ? "" : "x") + extentOf(Recurrence, Part, Index);
  return Shape;
}

std::string heddle::exampleValue(attn::RecurrenceOp Recurrence,
                                 unsigned Param) {
  auto Table =
      mlir::dyn_cast<mlir::RankedTensorType>(Recurrence.getParamType(Param));
  if (!Table || !Table.getElementType().isF32())
    return "";
  for (RecurrencePart Part :
       {RecurrencePart::Decay, RecurrencePart::Delta, RecurrencePart::Query,
        RecurrencePart::Key, RecurrencePart::Value, RecurrencePart::Output}) {
    if (!Recurrence.hasPart(Part))
      continue;
    const mlir::Value Here =
        Recurrence.getParam(Recurrence.getPart(Part), Param);
    for (mlir::Operation *User : Here.getUsers()) {
      if (auto Project = mlir::dyn_cast<attn::ProjectOp>(User)) {
        const std::string Shape = join(Recurrence, Part, Project.getIndices());
        return "normal@" + Shape + (Shape.empty() ? "" : "x") + "dxd";
      }
      auto At = mlir::dyn_cast<attn::AtOp>(User);
      if (!At)
        continue;
      // What is changed first may have the other sign.
      const bool IsLog = llvm::any_of(At->getUsers(), [](mlir::Operation *Op) {
        return mlir::isa<attn::DecayOp>(Op);
      });
      const bool IsFactor =
          llvm::any_of(At->getUsers(), [](mlir::Operation *Op) {
            return Op->getName().getStringRef() == "math.log";
          });
      return std::string(IsFactor                        ? "random:0.9..1"
                         : IsLog                         ? "random:-0.1..0"
                         : Part == RecurrencePart::Decay ? "random:0..0.1"
                                                         : "random:0..1") +
             "@" + join(Recurrence, Part, At.getIndices());
    }
  }
  return "";
}
