// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/Map.h"

#include "codegen/cpu/Convert.h"
#include "codegen/cpu/TileLowering.h"
#include "codegen/lanes/Ramp.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::cpu;
using namespace mlir;

void MapRegion::appendInputs(SmallVectorImpl<Value *> &Values) {
  Values.append({&Batch, &Head, &FirstRow, &FirstColumn});
  for (SmallVector<Value> *Some :
       {&Params, &Code.CapturedValues, &KnownTiles, &Results})
    for (Value &V : *Some)
      Values.push_back(&V);
  for (Input &Each : Inputs)
    Values.append({&Each.View.Base, &Each.View.Stride, &Each.View.Last});
}

void MapRegion::appendSizes(SmallVectorImpl<int64_t> &Sizes) const {
  llvm::append_range(Sizes, Type.getShape());
  for (const Input &Each : Inputs)
    Sizes.push_back(Each.Of);
  Code.appendSizes(Sizes);
}

/// The operations up to where `B` builds, from behind the one that was last.
static SmallVector<Operation *> builtSince(KernelBuilder &B, Operation *Last) {
  SmallVector<Operation *> Result;
  for (Operation &Op :
       llvm::make_range(std::next(Last->getIterator()), B.getInsertionPoint()))
    Result.push_back(&Op);
  return Result;
}

/// Lets pieces of code that have nothing to do with each other take turns.
static void interleave(KernelBuilder &B,
                       ArrayRef<SmallVector<Operation *>> Pieces) {
  size_t Longest = 0;
  for (const auto &Piece : Pieces)
    Longest = std::max(Longest, Piece.size());
  for (size_t I = 0; I < Longest; ++I)
    for (const auto &Piece : Pieces)
      if (I < Piece.size())
        Piece[I]->moveBefore(B.getInsertionBlock(), B.getInsertionPoint());
}

/// Vectors that are worked on at once. A function is a chain of operations each
/// of which waits for the one before, and several times as long as what the
/// machine looks ahead.
static int64_t vectorsAtOnce(const MapRegion &Map) {
  bool HasFunctions = llvm::any_of(*Map.Code.Body, [](Operation &Op) {
    return isa<math::MathDialect>(Op.getDialect());
  });
  return HasFunctions ? 2 : 1;
}

/// True where a column is better worked off in one piece than all columns of a
/// vector: it has a number of its own, or lies in one piece, and vectors have
/// nothing of theirs.
static bool goesByColumns(const MapRegion &Map) {
  auto Is = [](MapRegion::Input::Kind Kind) {
    return [Kind](const MapRegion::Input &Each) { return Each.Of == Kind; };
  };
  return (llvm::any_of(Map.Inputs, Is(MapRegion::Input::PerColumn)) ||
          llvm::any_of(Map.Inputs, Is(MapRegion::Input::Columns))) &&
         llvm::none_of(Map.Inputs, Is(MapRegion::Input::PerRow));
}

LogicalResult heddle::cpu::emitMap(KernelBuilder &B, const MapRegion &Map) {
  int64_t Length = rowLength(B, Map.Type);
  int64_t Columns = Map.Type.getRank() == 2 ? Map.Type.getDimSize(1) : 1;
  RegionLifter Lifter(B, Map.Code, "cpu");
  LogicalResult Ok = success();
  auto LoadNumbers = [&](Value Column) {
    SmallVector<Value> Numbers;
    for (const MapRegion::Input &Each : Map.Inputs)
      Numbers.push_back(Each.Of == MapRegion::Input::PerColumn
                            ? B.loadScalar(Each.View.row(B, Column))
                            : Value());
    return Numbers;
  };
  auto EmitVector = [&](Value Row, Value Offset, Value Column,
                        ArrayRef<Value> Numbers) {
    Value At = B.add(B.mul(Column, Length), Offset);
    SmallVector<Value> Arguments;
    for (auto [Each, Number] : llvm::zip_equal(Map.Inputs, Numbers)) {
      if (Number)
        Arguments.push_back(Number);
      else if (Each.Of == MapRegion::Input::Columns)
        Arguments.push_back(
            loadWidened(B, B.offset(Each.View.row(B, Column), Offset),
                        B.getF32Type(), B.lanes()));
      else
        Arguments.push_back(B.loadVector(
            B.offset(Each.View.Base,
                     Each.Of == MapRegion::Input::PerRow ? Offset : At)));
    }
    Arguments.append(
        {Map.Batch, Map.Head, Row, B.add(Map.FirstColumn, Column)});
    llvm::append_range(Arguments, Map.Params);
    for (auto [Known, Base] : llvm::zip_equal(Map.Known, Map.KnownTiles))
      Lifter.give(Known, B.loadVector(B.offset(Base, At)));
    auto Results = Lifter.lift(Arguments);
    Ok = success(Results.has_value());
    if (failed(Ok))
      return;
    for (auto [Result, Base] : llvm::zip_equal(*Results, Map.Results))
      B.storeVector(Result, B.offset(Base, At));
  };
  auto RowsFrom = [&](Value Offset) {
    return B.add(B.splat(B.add(Map.FirstRow, Offset)), iota(B));
  };
  // Several vectors in turn, `Step` rows or columns apart.
  auto EmitInTurn = [&](Value First, int64_t AtOnce, int64_t Step,
                        function_ref<void(Value)> Emit) {
    SmallVector<SmallVector<Operation *>> Pieces;
    for (int64_t I = 0; I < AtOnce && succeeded(Ok); ++I) {
      Value At = B.add(First, B.i64(I * Step));
      Emit(At);
      Pieces.push_back(builtSince(B, At.getDefiningOp()));
    }
    interleave(B, Pieces);
  };
  if (Length > B.lanes() && goesByColumns(Map)) {
    int64_t AtOnce = largestDivisor(Length / B.lanes(), vectorsAtOnce(Map));
    B.loop(Columns, 1, [&](Value Column) {
      SmallVector<Value> Numbers = LoadNumbers(Column);
      B.loop(Length, AtOnce * B.lanes(), [&](Value First) {
        EmitInTurn(First, AtOnce, B.lanes(), [&](Value Offset) {
          EmitVector(RowsFrom(Offset), Offset, Column, Numbers);
        });
      });
      moveInvariants(B);
    });
    return Ok;
  }
  int64_t AtOnce = largestDivisor(Columns, vectorsAtOnce(Map));
  B.loop(Length, B.lanes(), [&](Value Offset) {
    Value Row = RowsFrom(Offset);
    B.loop(Columns, AtOnce, [&](Value First) {
      EmitInTurn(First, AtOnce, 1, [&](Value Column) {
        EmitVector(Row, Offset, Column, LoadNumbers(Column));
      });
    });
    if (Columns > 1)
      moveInvariants(B);
  });
  return Ok;
}

//===----------------------------------------------------------------------===//
// tile.map
//===----------------------------------------------------------------------===//

bool TileLowering::isColumnInput(tile::MapOp Op, Value Input) {
  auto Result = cast<RankedTensorType>(Op.getResult(0).getType());
  auto Type = cast<RankedTensorType>(Input.getType());
  return Result.getRank() == 2 && Type.getRank() == 2 &&
         Type.getDimSize(0) == 1;
}

/// True if the region is nothing but the product of its first two arguments.
static bool isProduct(tile::MapOp Op) {
  Block &Body = Op.getBody().front();
  if (Op.getInputs().size() != 2 || Op.getNumResults() != 1 ||
      !llvm::hasNItems(Body, 2))
    return false;
  auto Product = dyn_cast<arith::MulFOp>(Body.front());
  return Product && Body.getTerminator()->getOperand(0) == Product &&
         Product.getLhs() == Body.getArgument(0) &&
         Product.getRhs() == Body.getArgument(1);
}

bool TileLowering::takesColumns(tile::MapOp Op, Value Input) {
  auto Type = cast<RankedTensorType>(Input.getType());
  return Type == Op.getResult(0).getType() &&
         Type.getDimSize(0) % B.lanes() == 0;
}

bool TileLowering::lowerAsProduct(tile::MapOp Op) {
  if (!isProduct(Op))
    return false;
  Value Tile = Op.getInputs()[0], Factors = Op.getInputs()[1];
  if (Tile.getType() != Op.getResult(0).getType() || isColumnInput(Op, Tile))
    return false;
  // A copy of the columns would be a pass of its own.
  if (Tiles.lookup(Tile).Columns && takesColumns(Op, Tile))
    return false;
  TileFactor Factor;
  if (isColumnInput(Op, Factors)) {
    Factor.PerFeature = columns(Factors);
    Factor.PerFeature.Last = {};
  } else if (cast<RankedTensorType>(Factors.getType()).getRank() == 1) {
    Factor.PerQuery = stored(Factors).Base;
  } else {
    return false;
  }
  defineProduct(Op.getResult(0), Tile, Factors, Factor);
  return true;
}

LogicalResult TileLowering::lower(tile::MapOp Op) {
  if (lowerAsProduct(Op))
    return success();
  MapRegion Map;
  Map.Type = cast<RankedTensorType>(Op.getResult(0).getType());
  Map.Code.Body = &Op.getBody().front();
  // i64, f32, i1 and pointers as they are.
  auto Lowered = [&](Value V) { return B.toI64(scalar(V)); };
  Map.Batch = Lowered(Op.getB());
  Map.Head = Lowered(Op.getH());
  Map.FirstRow = Lowered(Op.getRow0());
  Map.FirstColumn = Lowered(Op.getColumn0());
  llvm::append_range(Map.Params, llvm::map_range(Op.getParams(), Lowered));
  Map.Code.Captured = capturedValues(*Map.Code.Body);
  llvm::append_range(Map.Code.CapturedValues,
                     llvm::map_range(Map.Code.Captured, Lowered));
  // The first result takes the place of an input that ends here.
  std::optional<Buffer> First;
  for (Value Input : Op.getInputs()) {
    if (isColumnInput(Op, Input)) {
      Map.Inputs.push_back({MapRegion::Input::PerColumn, columns(Input)});
      continue;
    }
    if (const Tile &T = Tiles.lookup(Input);
        T.Columns && takesColumns(Op, Input)) {
      Map.Inputs.push_back({MapRegion::Input::Columns, *T.Columns});
      continue;
    }
    Buffer From = stored(Input);
    bool IsLike = Input.getType() == Map.Type;
    Map.Inputs.push_back(
        {IsLike ? MapRegion::Input::Elements : MapRegion::Input::PerRow,
         {From.Base, {}, {}}});
    if (IsLike && !First && Tiles.lookup(Input).Data && endsLife(Op, Input))
      First = From;
  }
  bringTableRows(Op, Map);
  SmallVector<Buffer> To;
  for (Value Result : Op.getResults())
    To.push_back(To.empty() && First ? *First : allocate(Result));
  for (const Buffer &Buf : To)
    Map.Results.push_back(Buf.Base);
  SmallVector<Value *> Inputs;
  Map.appendInputs(Inputs);
  SmallVector<int64_t> Sizes;
  Map.appendSizes(Sizes);
  LogicalResult Ok = success();
  Shared.call(B, "map", Sizes, Inputs,
              [&](KernelBuilder &Inside) { Ok = emitMap(Inside, Map); });
  for (auto [Result, Buf] : llvm::zip_equal(Op.getResults(), To))
    define(Result, Buf);
  return Ok;
}
