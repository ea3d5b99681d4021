// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/TileCoordinates.h"

#include "codegen/lanes/Ramp.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace heddle::cpu;
using namespace mlir;

/// A constant like `X`: for every lane when that is a vector.
static Value constantLike(KernelBuilder &B, int64_t V, Value X) {
  auto Vector = dyn_cast<VectorType>(X.getType());
  return Vector ? B.constant(DenseElementsAttr::get(Vector, V)) : B.i64(V);
}

/// X / Divisor for numbers of elements, which are below 2^20: without a
/// division, which vectors don't have.
static Value quotient(KernelBuilder &B, Value X, int64_t Divisor) {
  if (Divisor == 1)
    return X;
  unsigned Shift = 40;
  if (llvm::isPowerOf2_64(Divisor))
    Shift = llvm::Log2_64(Divisor);
  else
    X = B.mul(X, constantLike(B, (int64_t(1) << Shift) / Divisor + 1, X));
  return arith::ShRUIOp::create(B, X, constantLike(B, Shift, X));
}

/// Places within a box, row by row: coordinates of number `X`. The outermost
/// one is not reduced, so that numbers beyond the box lie beyond it too.
static SmallVector<Value> unflatten(KernelBuilder &B, Value X,
                                    ArrayRef<int64_t> Box) {
  SmallVector<Value> Result(Box.size());
  for (size_t Axis = Box.size() - 1; Axis > 0; --Axis) {
    Value Outer = quotient(B, X, Box[Axis]);
    Result[Axis] = arith::SubIOp::create(
        B, X, B.mul(Outer, constantLike(B, Box[Axis], Outer)));
    X = Outer;
  }
  Result.front() = X;
  return Result;
}

SmallVector<Value> TileCoordinates::queries(KernelBuilder &B,
                                            Value First) const {
  auto Consecutive = [&](Value Start) {
    return B.add(B.splat(Start), iota(B));
  };
  if (QueryBox.empty())
    return {Consecutive(B.add(FirstQuery.front(), First))};
  // A vector that stays in one row of the box shares all but one coordinate.
  bool InRow = QueryBox.back() % B.lanes() == 0;
  SmallVector<Value> Result =
      unflatten(B, InRow ? First : Consecutive(First), QueryBox);
  for (auto [Place, Start] : llvm::zip_equal(Result, FirstQuery))
    Place =
        B.add(Place, isa<VectorType>(Place.getType()) ? B.splat(Start) : Start);
  if (InRow)
    Result.back() = Consecutive(Result.back());
  return Result;
}

SmallVector<Value> TileCoordinates::keys(KernelBuilder &B, Value Key) const {
  if (Listed)
    return {
        B.loadScalar(B.offset(Listed, Key, B.getI64Type()), B.getI64Type())};
  if (KeyBox.empty())
    return {B.add(FirstKey.front(), Key)};
  SmallVector<Value> Result = unflatten(B, Key, KeyBox);
  for (auto [Place, Start] : llvm::zip_equal(Result, FirstKey))
    Place = B.add(Place, Start);
  return Result;
}

void TileCoordinates::appendInputs(SmallVectorImpl<Value *> &Inputs) {
  Inputs.append({&Batch, &Head, &Listed});
  for (SmallVector<Value> *Start : {&FirstQuery, &FirstKey})
    for (Value &Coordinate : *Start)
      Inputs.push_back(&Coordinate);
}

void TileCoordinates::appendSizes(SmallVectorImpl<int64_t> &Sizes) const {
  for (ArrayRef<int64_t> Numbers : {ArrayRef(QueryBox), ArrayRef(KeyBox)}) {
    Sizes.push_back(static_cast<int64_t>(Numbers.size()));
    llvm::append_range(Sizes, Numbers);
  }
}
