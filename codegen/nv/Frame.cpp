// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Between the block of a launch (heddle/abi.h, heddle_device_launch) and the
// arguments of a kernel at the tile level.

#include "codegen/nv/KernelCode.h"

#include "heddle/abi.h"
#include "llvm/ADT/STLExtras.h"

#include <cstddef>
#include <iterator>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpIPredicate;

static constexpr int64_t ArgsOffset = sizeof(heddle_device_launch);

int64_t KernelCode::sourcesOffset() const {
  return ArgsOffset + static_cast<int64_t>(sizeof(heddle_args));
}

int64_t KernelCode::operandsOffset() const {
  const int64_t Sources = tile::isLinear(Kernel) ? 1 : Sig.numSources();
  return sourcesOffset() +
         Sources * static_cast<int64_t>(sizeof(heddle_source));
}

int64_t KernelCode::blockBytes() const {
  unsigned Given = Sig.End - Sig.firstParam();
  if (isPacked())
    Given -= NumHiddenOperands;
  return operandsOffset() +
         Given * static_cast<int64_t>(sizeof(heddle_operand));
}

Value KernelCode::argument(size_t Offset, Type T) {
  return B.loadInvariant(
      T, B.bytes(Entry->getArgument(0), static_cast<int64_t>(Offset)));
}

void KernelCode::mapTask() {
  Type I64 = B.getI64Type();
  Value Tasks =
      argument(offsetof(heddle_device_launch, tasks), B.ptrType(Space::Global));
  Value Number = B.toI64(B.cta());
  // Batch, head, tile, part, and the hidden operands.
  constexpr int64_t NumFields = 8;
  SmallVector<Type> Types(NumFields, I64);
  Values Fields = B.branch(
      B.cmp(CmpIPredicate::eq, B.address(Tasks), 0), Types,
      [&]() -> Values {
        Value NumTiles = argument(offsetof(heddle_device_launch, tiles), I64);
        Value NumHeads = argument(offsetof(heddle_device_launch, heads), I64);
        Value Outer = arith::DivUIOp::create(B, Number, NumTiles);
        Value Tile = arith::RemUIOp::create(B, Number, NumTiles);
        Value Head = arith::RemUIOp::create(B, Outer, NumHeads);
        Value Batch = arith::DivUIOp::create(B, Outer, NumHeads);
        Value Zero = B.i64(0);
        Value Third = Kind == tile::KernelKind::Columns ? Zero : Batch;
        return {Batch, Head, Tile, Third, Zero, Zero, Zero, Zero};
      },
      [&]() -> Values {
        Value Record = B.offset(Tasks, B.mul(Number, NumFields), I64);
        Values Read;
        for (int64_t I = 0; I < NumFields; ++I)
          Read.push_back(B.load(I64, B.offset(Record, I, I64)));
        return Read;
      });
  for (unsigned I = 0; I < Sig.FirstView; ++I)
    Scalars.map(Kernel.getArgument(I), B.toIndex(Fields[I]));
  Part = Fields[3];
  Hidden.assign(Fields.begin() + 4, Fields.end());
}

void KernelCode::mapViews() {
  unsigned Next = Sig.FirstView;
  auto Map = [&](size_t Offset) { Views[Kernel.getArgument(Next++)] = Offset; };
  auto Source = [&](unsigned I, size_t Field) {
    Map(sourcesOffset() + I * sizeof(heddle_source) + Field);
  };
  Map(ArgsOffset + offsetof(heddle_args, q));
  for (unsigned I = 0; I < Sig.numSources(); ++I) {
    Source(I, offsetof(heddle_source, k));
    Source(I, offsetof(heddle_source, v));
  }
  Map(ArgsOffset + offsetof(heddle_args, o));
  Map(ArgsOffset + offsetof(heddle_args, lse));
  Map(ArgsOffset + offsetof(heddle_args, row_max));
  for (unsigned I = 0; I < Sig.numSources(); ++I) {
    Source(I, offsetof(heddle_source, column_sums));
    Source(I, offsetof(heddle_source, block_max));
  }
}

void KernelCode::mapLinearViews() {
  const size_t Offsets[] = {ArgsOffset + offsetof(heddle_args, q),
                            sourcesOffset() + offsetof(heddle_source, k),
                            sourcesOffset() + offsetof(heddle_source, v),
                            ArgsOffset + offsetof(heddle_args, o),
                            ArgsOffset + offsetof(heddle_args, state_in),
                            ArgsOffset + offsetof(heddle_args, state_out),
                            ArgsOffset + offsetof(heddle_args, sums_in),
                            ArgsOffset + offsetof(heddle_args, sums_out),
                            ArgsOffset + offsetof(heddle_args, factor)};
  static_assert(std::size(Offsets) == tile::Signature::NumLinearViews);
  for (auto [I, Offset] : llvm::enumerate(Offsets))
    Views[Kernel.getArgument(Sig.FirstView + I)] = Offset;
}

void KernelCode::mapParameters() {
  unsigned FirstHidden = isPacked() ? Sig.End - NumHiddenOperands : Sig.End;
  for (unsigned I = Sig.firstParam(); I < Sig.End; ++I) {
    Value Parameter = Kernel.getArgument(I);
    Type T = Parameter.getType();
    if (I >= FirstHidden) {
      Scalars.map(Parameter, B.toIndex(Hidden[I - FirstHidden]));
      continue;
    }
    size_t At =
        operandsOffset() + (I - Sig.firstParam()) * sizeof(heddle_operand);
    if (T.isIndex())
      Scalars.map(Parameter, B.toIndex(argument(At, B.getI64Type())));
    else if (T.isF32())
      Scalars.map(Parameter,
                  arith::TruncFOp::create(B, T, argument(At, B.getF64Type())));
    else
      Scalars.map(Parameter, argument(At, B.ptrType(Space::Generic)));
  }
}

void KernelCode::mapOrigin() {
  Value Batch = scalarI64(Kernel.getArgument(0));
  Value Origins = argument(ArgsOffset + offsetof(heddle_args, origin),
                           B.ptrType(Space::Global));
  Value Origin =
      B.load(B.getI64Type(), B.offset(Origins, Batch, B.getI64Type()));
  Value Start = Kernel.getArgument(Sig.Origin);
  if (!isPacked()) {
    Scalars.map(Start, B.toIndex(Origin));
    return;
  }
  // Positions of the pattern are numbers of rows.
  Scalars.map(Start, B.toIndex(B.i64(0)));
  Query = B.sub(Hidden[RowPosition], Origin);
}

void KernelCode::mapArguments() {
  mapTask();
  if (tile::isLinear(Kernel))
    mapLinearViews();
  else
    mapViews();
  mapOrigin();
  if (isPacked())
    mapHeads();
  Scalars.map(
      Kernel.getArgument(Sig.scale()),
      argument(ArgsOffset + offsetof(heddle_args, scale), B.getF32Type()));
  mapParameters();
  if (Kind == tile::KernelKind::Columns)
    // The number of the source takes the place of that of the part.
    Scalars.map(Kernel.getArgument(Sig.End), B.toIndex(Part));
  Top = &Entry->back();
}
