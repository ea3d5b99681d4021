// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/tile/Signature.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

#include <string>

using namespace heddle;
using namespace heddle::tile;
using namespace mlir;

std::optional<KernelKind> heddle::tile::findKernelKind(StringRef Name) {
  return llvm::StringSwitch<std::optional<KernelKind>>(Name)
      .Case("task", KernelKind::Task)
      .Case("state", KernelKind::State)
      .Case("step", KernelKind::Step)
      .Case("slice", KernelKind::Slice)
      .Case("columns", KernelKind::Columns)
      .Case("count", KernelKind::Count)
      .Case("check", KernelKind::Check)
      .Default(std::nullopt);
}

bool heddle::tile::isLinear(func::FuncOp Kernel) {
  auto Entry = Kernel->getAttrOfType<attn::EntryAttr>(tile::kEntryAttr);
  return Entry && Entry.getState();
}

Signature::Signature(FunctionType Type, KernelKind Kind)
    : FirstView(Kind == KernelKind::Check ? 0 : 3), Origin(FirstView),
      End(Type.getNumInputs()) {
  while (Origin < End && isa<attn::ViewType>(Type.getInput(Origin)))
    ++Origin;
  if (hasLast(Kind) && End > 0)
    --End;
}

static bool isParameter(mlir::Type T) {
  if (T.isIndex() || T.isF32() || isa<attn::SetType>(T))
    return true;
  auto Table = dyn_cast<RankedTensorType>(T);
  return Table && Table.getRank() >= 1 && Table.getRank() <= 4 &&
         llvm::all_of(Table.getShape(), ShapedType::isDynamic) &&
         (Table.getElementType().isIndex() || Table.getElementType().isF32());
}

static unsigned numResults(KernelKind Kind) {
  switch (Kind) {
  case KernelKind::Task:
  case KernelKind::State:
  case KernelKind::Step:
  case KernelKind::Slice:
  case KernelKind::Columns:
    return 0;
  case KernelKind::Count:
    return 3;
  case KernelKind::Check:
    return 4;
  }
  llvm_unreachable("covered switch");
}

/// The arguments that a kernel of a kind should have, as text.
static std::string expectedArguments(KernelKind Kind, bool Linear) {
  std::string Text = Kind == KernelKind::Check ? "(" : "(index, index, index, ";
  Text += Linear
              ? "views of q, k, v, o, of the state and of the sums before and "
                "after, and of the factor"
              : "views of q, of k and v for every source, of three outputs and "
                "of two for every source";
  Text += ", index, f32, parameters...)";
  if (Kind == KernelKind::Count)
    Text += " followed by i1";
  if (Kind == KernelKind::Columns)
    Text += " followed by index";
  return Text;
}

/// True if there are kernels of this kind.
static bool hasKind(bool Linear, KernelKind Kind) {
  switch (Kind) {
  case KernelKind::Task:
  case KernelKind::Check:
    return true;
  case KernelKind::State:
  case KernelKind::Step:
  case KernelKind::Slice:
    return Linear;
  case KernelKind::Count:
  case KernelKind::Columns:
    return !Linear;
  }
  llvm_unreachable("covered switch");
}

LogicalResult heddle::tile::checkKernel(func::FuncOp Kernel, KernelKind Kind) {
  FunctionType Type = Kernel.getFunctionType();
  Signature S(Type, Kind);
  bool Linear = isLinear(Kernel);
  if (!hasKind(Linear, Kind))
    return Kernel.emitOpError()
           << "is of the kind " << Kernel->getAttr(tile::kKernelAttr)
           << ", which a kernel with" << (Linear ? "" : "out")
           << " a state does not have";
  bool HasViews = Linear ? S.numViews() == Signature::NumLinearViews
                         : S.numViews() >= 8 && S.numViews() % 4 == 0;
  bool Ok = S.firstParam() <= S.End && HasViews &&
            Type.getInput(S.Origin).isIndex() &&
            Type.getInput(S.scale()).isF32();
  for (unsigned I = 0; Ok && I < S.FirstView; ++I)
    Ok = Type.getInput(I).isIndex();
  for (unsigned I = S.firstParam(); Ok && I < S.End; ++I)
    Ok = isParameter(Type.getInput(I));
  if (Ok && Kind == KernelKind::Count)
    Ok = Type.getInput(S.End).isInteger(1);
  if (Ok && Kind == KernelKind::Columns)
    Ok = Type.getInput(S.End).isIndex();
  if (!Ok)
    return Kernel.emitOpError() << "has the arguments " << Type << "; expected "
                                << expectedArguments(Kind, Linear);
  if (Type.getNumResults() != numResults(Kind) ||
      !llvm::all_of(Type.getResults(),
                    [](mlir::Type T) { return T.isIndex(); }))
    return Kernel.emitOpError()
           << "returns " << Type.getResults() << "; expected "
           << numResults(Kind) << " index values";
  if (!Kernel.getBody().hasOneBlock())
    return Kernel.emitOpError() << "has several blocks; expected structured "
                                   "control flow in one block";
  return success();
}

bool heddle::tile::isTile(Value V) {
  auto Type = dyn_cast<RankedTensorType>(V.getType());
  return Type && Type.hasStaticShape();
}

bool heddle::tile::isTableOrSet(Value V) {
  return isa<attn::SetType>(V.getType()) ||
         (isa<RankedTensorType>(V.getType()) && !isTile(V));
}
