// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One row per CTA. Every warp finds the largest lse of the row's parts and the
// sum of their shares for itself, and adds up every fourth part; the sums of
// the warps meet in shared memory. All of it has an order of its own, so that
// results are the same each time.

#include "codegen/nv/MergeKernel.h"

#include "codegen/nv/SharedMemory.h"
#include "codegen/nv/Threads.h"
#include "heddle/abi.h"

#include <cstddef>
#include <limits>

using namespace heddle;
using namespace heddle::nv;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

static constexpr int64_t MergeWarps = 4;
/// Parts that a warp has on the way from memory at once.
static constexpr int64_t PartsAtOnce = 4;

Config heddle::nv::mergeConfig(const Config &Packed) {
  Config C = Packed;
  C.Warps = MergeWarps;
  C.QueryTile = C.Rows * C.Warps;
  return C;
}

namespace {

class MergeKernel {
public:
  MergeKernel(Location Loc, Block *Entry, const Config &Packed,
              MergeOutputs Outputs)
      : B(Loc, Entry, mergeConfig(Packed)), Shared(B), Packed(Packed),
        Outputs(Outputs), Launch(Entry->getArgument(0)) {}

  int64_t build();

private:
  using Values = NvBuilder::Values;
  static constexpr float Infinity = std::numeric_limits<float>::infinity();
  static constexpr float Log2E = 0x1.715476p+0F, Ln2 = 0x1.62e430p-1F;

  Value argument(size_t Offset, Type T) {
    return B.loadInvariant(T, B.bytes(Launch, static_cast<int64_t>(Offset)));
  }
  void readTask();
  /// The task's row of an output, at its offset in heddle_args.
  Value rowAddress(size_t View, Type Element);
  void storeStat(size_t View, Value X);

  /// The value at `Offset` in the room of a part (i32).
  Value load(Value Part, Value Offset);
  Value statOffset(int64_t Before) {
    return B.add(Row, Packed.QueryTile * (Packed.V + Before));
  }
  /// The parts of the row by lanes, as many at once as a warp has: `Body` gets
  /// the number of a part that exists, whether it is this lane's, and what is
  /// carried.
  Values forEachPart(
      ValueRange Inits,
      llvm::function_ref<Values(Value Part, Value IsMine, ValueRange)> Body);
  Value reduce(Value X, llvm::function_ref<Value(Value, Value)> Combine);
  void findShares();
  Value findLargest(int64_t Before);
  /// What the outputs of a part are multiplied with.
  Value weightOf(Value Part);
  Values addParts();
  void store(ValueRange Sums);

  NvBuilder B;
  SharedMemory Shared;
  const Config &Packed;
  MergeOutputs Outputs;
  Value Launch;
  /// Of the task: i64, but for the number of parts.
  Value Batch, Head, Query, Row, Parts;
  /// The first of its rooms.
  Value Rooms;
  /// Of all parts: the largest lse, the sum of what they have relative to that,
  /// and whether none of them has a key.
  Value Largest, Total, IsEmpty;
};

} // namespace

void MergeKernel::readTask() {
  Type I64 = B.getI64Type();
  Value Tasks =
      argument(offsetof(heddle_device_launch, tasks), B.ptrType(Space::Global));
  constexpr int64_t NumFields = 8;
  Value Record = B.offset(Tasks, B.mul(B.toI64(B.cta()), NumFields), I64);
  auto Field = [&](int64_t I) { return B.load(I64, B.offset(Record, I, I64)); };
  Batch = Field(0);
  Head = Field(1);
  Query = Field(2);
  Value First = Field(3);
  Row = Field(4);
  Parts = B.toI32(Field(5));
  Value All = argument(offsetof(heddle_device_launch, workspace),
                       B.ptrType(Space::Global));
  Rooms = B.offset(
      All, B.mul(First, HEDDLE_PARTIAL_FLOATS(Packed.QueryTile, Packed.V)),
      B.getF32Type());
}

Value MergeKernel::rowAddress(size_t View, Type Element) {
  Type I64 = B.getI64Type();
  auto Field = [&](size_t Offset, Type T) {
    return argument(sizeof(heddle_device_launch) + View + Offset, T);
  };
  auto Stride = [&](size_t Axis) {
    return Field(offsetof(heddle_view, stride) + Axis * sizeof(int64_t), I64);
  };
  Value Offsets =
      Field(offsetof(heddle_view, offsets), B.ptrType(Space::Global));
  Value Start = B.branch(
      B.cmp(CmpIPredicate::eq, B.address(Offsets), 0), {I64},
      [&]() -> Values { return {B.mul(Batch, Stride(0))}; },
      [&]() -> Values {
        return {B.mul(B.load(I64, B.offset(Offsets, Batch, I64)), Stride(2))};
      })[0];
  Value At =
      B.add(B.add(Start, B.mul(Head, Stride(1))), B.mul(Query, Stride(2)));
  return B.offset(Field(offsetof(heddle_view, data), B.ptrType(Space::Global)),
                  At, Element);
}

void MergeKernel::storeStat(size_t View, Value X) {
  Value Data = argument(sizeof(heddle_device_launch) + View +
                            offsetof(heddle_view, data),
                        B.getI64Type());
  Value IsMine = B.bitAnd(B.cmp(CmpIPredicate::ne, Data, 0),
                          B.cmp(CmpIPredicate::eq, B.thread(), 0));
  B.branch(IsMine, [&] { B.store(X, rowAddress(View, B.getF32Type())); });
}

Value MergeKernel::load(Value Part, Value Offset) {
  Value Room =
      B.mul(B.toI64(Part), HEDDLE_PARTIAL_FLOATS(Packed.QueryTile, Packed.V));
  return B.load(B.getF32Type(),
                B.offset(Rooms, B.add(Room, Offset), B.getF32Type()));
}

MergeKernel::Values MergeKernel::forEachPart(
    ValueRange Inits,
    llvm::function_ref<Values(Value Part, Value IsMine, ValueRange)> Body) {
  Value Last = B.add(Parts, -1);
  return B.loop(Parts, WarpSize, Inits, [&](Value First, ValueRange Carried) {
    Value Part = B.add(First, B.lane());
    return Body(B.min(Part, Last), B.cmp(CmpIPredicate::slt, Part, Parts),
                Carried);
  });
}

Value MergeKernel::reduce(Value X,
                          llvm::function_ref<Value(Value, Value)> Combine) {
  for (int64_t Mask = WarpSize / 2; Mask > 0; Mask /= 2)
    X = Combine(X, B.shuffleXor(X, Mask));
  return X;
}

Value MergeKernel::findLargest(int64_t Before) {
  Value Minus = B.f32(-Infinity), Offset = statOffset(Before);
  Value Mine = forEachPart(
      {Minus}, [&](Value Part, Value IsMine, ValueRange Carried) -> Values {
        return {
            B.fmax(Carried[0], B.select(IsMine, load(Part, Offset), Minus))};
      })[0];
  return reduce(Mine, [&](Value X, Value Y) { return B.fmax(X, Y); });
}

void MergeKernel::findShares() {
  Value Minus = B.f32(-Infinity), Zero = B.f32(0.0F), Offset = statOffset(0);
  Largest = findLargest(0);
  Values Mine =
      forEachPart({Zero, B.i1(false)},
                  [&](Value Part, Value IsMine, ValueRange Carried) -> Values {
                    Value Lse = load(Part, Offset);
                    // NaN spreads, also where it is the only one that has keys.
                    Value HasKeys = B.cmp(CmpFPredicate::UNE, Lse, Minus);
                    Value Share =
                        B.ex2(B.fmul(B.fsub(Lse, Largest), B.f32(Log2E)));
                    return {B.fadd(Carried[0], B.select(IsMine, Share, Zero)),
                            B.bitOr(Carried[1], HasKeys)};
                  });
  Total = reduce(Mine[0], [&](Value X, Value Y) { return B.fadd(X, Y); });
  IsEmpty = B.bitXor(B.anyOfWarp(Mine[1]), B.i1(true));
}

Value MergeKernel::weightOf(Value Part) {
  if (!Outputs.HasLse)
    return B.f32(1.0F);
  Value Lse = load(Part, statOffset(0));
  return B.ex2(B.fmul(B.fsub(Lse, Largest), B.f32(Log2E)));
}

MergeKernel::Values MergeKernel::addParts() {
  const int64_t NumRegs = roundUp(Packed.V, WarpSize) / WarpSize;
  Value Zero = B.f32(0.0F), Last = B.add(Parts, -1);
  Values Columns;
  for (int64_t I = 0; I < NumRegs; ++I) {
    // Columns beyond the last one repeat it, and are dropped in the end.
    Value Column = B.add(B.lane(), I * WarpSize);
    if ((I + 1) * WarpSize > Packed.V)
      Column = B.min(Column, B.i32(Packed.V - 1));
    Columns.push_back(B.toI64(Column));
  }
  Value FirstColumn = B.mul(Row, Packed.V);
  return B.loop(Parts, MergeWarps * PartsAtOnce, Values(NumRegs, Zero),
                [&](Value First, ValueRange Carried) {
                  Values Sums(Carried);
                  Value Mine = B.add(First, B.warp());
                  for (int64_t Turn = 0; Turn < PartsAtOnce; ++Turn) {
                    Value Number = B.add(Mine, Turn * MergeWarps);
                    Value Part = B.min(Number, Last);
                    Value Weight = weightOf(Part);
                    // A part without keys counts nothing, whatever its values.
                    Value Counts =
                        B.bitAnd(B.cmp(CmpIPredicate::slt, Number, Parts),
                                 B.cmp(CmpFPredicate::UNE, Weight, Zero));
                    for (auto [Sum, Column] : llvm::zip_equal(Sums, Columns)) {
                      Value X = load(Part, B.add(FirstColumn, Column));
                      Sum = B.select(Counts, B.fma(Weight, X, Sum), Sum);
                    }
                  }
                  return Sums;
                });
}

void MergeKernel::store(ValueRange Sums) {
  const auto Width = static_cast<int64_t>(Sums.size()) * WarpSize;
  Type F32 = B.getF32Type();
  Value Space = Shared.allocate(MergeWarps * Width * byteWidth(F32));
  Value Mine = B.add(B.mul(B.warp(), Width), B.lane());
  for (auto [I, Sum] : llvm::enumerate(Sums))
    B.store(
        Sum,
        B.offset(Space, B.add(Mine, static_cast<int64_t>(I) * WarpSize), F32));
  Shared.barrier();
  Value Inverse = Outputs.HasLse ? B.fdiv(B.f32(1.0F), Total) : Value();
  Value Out = rowAddress(offsetof(heddle_args, o), Packed.Output);
  forEachOfCta(B, Packed.V, [&](Value Column) {
    Value Sum;
    for (int64_t Warp = 0; Warp < MergeWarps; ++Warp) {
      Value X = B.load(F32, B.offset(Space, B.add(Column, Warp * Width), F32));
      Sum = Sum ? B.fadd(Sum, X) : X;
    }
    if (Inverse)
      Sum = B.select(IsEmpty, B.f32(0.0F), B.fmul(Sum, Inverse));
    B.store(B.round(Sum, Packed.Output), B.offset(Out, Column, Packed.Output));
  });
}

int64_t MergeKernel::build() {
  readTask();
  if (Outputs.HasLse)
    findShares();
  store(addParts());
  if (Outputs.HasLse) {
    Value Lse = B.fadd(Largest, B.fmul(B.lg2(Total), B.f32(Ln2)));
    storeStat(offsetof(heddle_args, lse),
              B.select(IsEmpty, B.f32(-Infinity), Lse));
  }
  if (Outputs.HasRowMax)
    storeStat(offsetof(heddle_args, row_max), findLargest(1));
  LLVM::ReturnOp::create(B, ValueRange());
  return Shared.size();
}

int64_t heddle::nv::buildMergeKernel(Location Loc, Block *Entry,
                                     const Config &Packed,
                                     MergeOutputs Outputs) {
  return MergeKernel(Loc, Entry, Packed, Outputs).build();
}
