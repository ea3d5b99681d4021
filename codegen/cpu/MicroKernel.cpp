// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/cpu/MicroKernel.h"

#include "codegen/cpu/Convert.h"
#include "codegen/cpu/Fetches.h"
#include "codegen/cpu/Masks.h"
#include "codegen/cpu/Panels.h"
#include "codegen/cpu/Softmax.h"
#include "codegen/lanes/Ramp.h"
#include "codegen/lanes/Structured.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace heddle::cpu;
using namespace mlir;

namespace {

/// One register tile: rows [FirstRow, FirstRow + Rows) and `Vectors` vectors
/// from `FirstVector` on.
class RegisterTile {
public:
  RegisterTile(KernelBuilder &B, const Product &P, Value FirstRow, int64_t Rows,
               Value FirstVector, int64_t Vectors)
      : B(B), P(P), FirstRow(FirstRow), FirstVector(FirstVector), Rows(Rows),
        Vectors(Vectors) {}

  using Doing = llvm::function_ref<void(Value)>;
  /// `Beside` is done beside every step of the reduction, `Between` before each
  /// of `Stretches` equal parts of it.
  void emit(ArrayRef<Value> RowPointers, Doing Beside, int64_t Stretches = 1,
            Doing Between = {});

private:
  Value matrixRow(Value Matrix, Value Row) {
    Value At = B.add(B.mul(Row, P.Length), B.mul(FirstVector, B.lanes()));
    return B.offset(Matrix, At);
  }
  KernelBuilder::Values initial();
  /// Weights in place of the scores at `Base`.
  void weigh(Value Base);
  /// Steps [Step, Step + Count) of the reduction, for vectors from `First` on.
  /// With `Diagonal` step `Diagonal` is the first lane of vector `First`, and
  /// earlier lanes take no part. Nor do rows before `OwnRow`.
  KernelBuilder::Values advance(ArrayRef<Value> RowPointers, Value Step,
                                int64_t Count, ValueRange Sums,
                                int64_t First = 0, Value Diagonal = {},
                                int64_t OwnRow = 0);
  /// The whole reduction, or steps up to each lane.
  KernelBuilder::Values reduce(ArrayRef<Value> RowPointers, Doing Beside,
                               int64_t Stretches, Doing Between);
  KernelBuilder::Values reduceToLanes(ArrayRef<Value> RowPointers);
  KernelBuilder::Values reduceToRows(ArrayRef<Value> RowPointers);
  /// For a single vector, whose steps would wait for each other.
  KernelBuilder::Values reduceToPartialSums(ArrayRef<Value> RowPointers,
                                            Doing Beside);
  static constexpr int64_t PartialSums = 8;

  KernelBuilder &B;
  const Product &P;
  Value FirstRow, FirstVector;
  int64_t Rows, Vectors;
};

} // namespace

KernelBuilder::Values RegisterTile::initial() {
  KernelBuilder::Values Sums;
  if (!P.InitialC) {
    Sums.assign(Rows * Vectors, B.splat(0.0F));
    return Sums;
  }
  Value Base = matrixRow(P.InitialC, FirstRow);
  Value Offset = B.mul(FirstVector, B.lanes());
  KernelBuilder::Values Factors;
  for (int64_t I = 0; I < Rows; ++I) {
    if (I == 0 || P.Factor.PerFeature.Base)
      Factors = P.Factor.vectors(B, B.add(FirstRow, I), Offset, Vectors);
    for (int64_t J = 0; J < Vectors; ++J) {
      Value Sum = B.loadVector(B.offset(Base, I * P.Length + J * B.lanes()));
      Sums.push_back(Factors.empty() ? Sum : B.fmul(Sum, Factors[J]));
    }
  }
  return Sums;
}

KernelBuilder::Values RegisterTile::advance(ArrayRef<Value> RowPointers,
                                            Value Step, int64_t Count,
                                            ValueRange Carried, int64_t First,
                                            Value Diagonal, int64_t OwnRow) {
  KernelBuilder::Values Sums = llvm::to_vector_of<Value>(Carried);
  Value FirstLane = B.mul(FirstVector, B.lanes());
  Value BRow = P.StrideOfB ? Value() : matrixRow(P.B, Step);
  Value WordRow;
  int64_t WordLength = P.Length / B.lanes();
  if (P.Words)
    WordRow = B.offset(P.Words, B.add(B.mul(Step, WordLength), FirstVector),
                       wordType(B));
  KernelBuilder::Values AtStep;
  if (!P.ReduceOverRows)
    for (Value Pointer : RowPointers)
      AtStep.push_back(B.offset(Pointer, Step));

  for (int64_t U = 0; U < Count; ++U) {
    KernelBuilder::Values Right(Vectors), Masks(Vectors);
    Value Row;
    if (P.StrideOfB)
      Row = B.offset(P.B, B.add(B.mul(B.add(Step, U), P.StrideOfB), FirstLane));
    for (int64_t J = First; J < Vectors; ++J) {
      Right[J] =
          Row ? loadWidened(B, B.offset(Row, J * B.lanes()), B.getF32Type(),
                            B.lanes())
              : B.loadVector(B.offset(BRow, U * P.Length + J * B.lanes()));
      if (P.Words)
        Masks[J] =
            loadMask(B, B.offset(WordRow, U * WordLength + J, wordType(B)));
    }
    if (Diagonal)
      Masks[First] =
          lanesThat(B, arith::CmpIPredicate::sge,
                    arith::SubIOp::create(B, B.add(Step, U), Diagonal));
    Value LeftRow;
    if (P.ReduceOverRows)
      LeftRow = B.offset(P.A.row(B, B.add(Step, U)), FirstRow);
    for (int64_t I = OwnRow; I < Rows; ++I) {
      Value Pointer =
          P.ReduceOverRows ? B.offset(LeftRow, I) : B.offset(AtStep[I], U);
      Value Left = B.splat(B.loadScalar(Pointer));
      for (int64_t J = First; J < Vectors; ++J) {
        Value &Sum = Sums[I * Vectors + J];
        Value Next = B.fma(Left, Right[J], Sum);
        Sum = Masks[J] ? B.select(Masks[J], Next, Sum) : Next;
      }
    }
  }
  return Sums;
}

KernelBuilder::Values RegisterTile::reduce(ArrayRef<Value> RowPointers,
                                           Doing Beside, int64_t Stretches,
                                           Doing Between) {
  if (Between && Stretches == 1)
    Between(B.i64(0));
  if (P.Counting == Part::StepsToLane)
    return reduceToLanes(RowPointers);
  if (P.Counting == Part::StepsToRow)
    return reduceToRows(RowPointers);
  int64_t Unroll = std::min(B.shape().Unroll, P.Depth);
  if (Stretches > 1) {
    // Of several steps along rows LLVM loads all elements before it multiplies,
    // and has no registers left for sums.
    if (!P.ReduceOverRows)
      Unroll = 1;
    int64_t Steps = P.Depth / Stretches;
    return B.loop(
        Stretches, 1, initial(), [&](Value Stretch, ValueRange Carried) {
          Between(Stretch);
          Value First = B.mul(Stretch, Steps);
          auto Body = [&](Value Step, ValueRange Sums) {
            Beside(Step);
            return advance(RowPointers, Step, Unroll, Sums);
          };
          if (!P.StepSpan.First)
            return B.loop(Steps, Unroll, Carried,
                          [&](Value I, ValueRange Sums) {
                            return Body(B.add(First, I), Sums);
                          });
          // What is done between them is done whatever the span.
          Value Begin = arith::MaxSIOp::create(B, First, P.StepSpan.First);
          Value End = B.min(B.add(First, Steps), P.StepSpan.End);
          return emitLoop(B, Begin, End, B.i64(Unroll), Carried, Body);
        });
  }
  if (P.StepSpan.First && P.Depth % Unroll == 0)
    return emitLoop(B, P.StepSpan.First, P.StepSpan.End, B.i64(Unroll),
                    initial(), [&](Value Step, ValueRange Carried) {
                      Beside(Step);
                      return advance(RowPointers, Step, Unroll, Carried);
                    });
  if (Rows * Vectors == 1 && !P.Copied && P.Depth % PartialSums == 0)
    return reduceToPartialSums(RowPointers, Beside);
  int64_t Main = P.Depth / Unroll * Unroll;
  KernelBuilder::Values Sums =
      B.loop(Main, Unroll, initial(), [&](Value Step, ValueRange Carried) {
        Beside(Step);
        return advance(RowPointers, Step, Unroll, Carried);
      });
  if (Main < P.Depth)
    Sums = advance(RowPointers, B.i64(Main), P.Depth - Main, Sums);
  return Sums;
}

KernelBuilder::Values
RegisterTile::reduceToPartialSums(ArrayRef<Value> RowPointers, Doing Beside) {
  KernelBuilder::Values Inits(PartialSums, B.splat(0.0F));
  Inits.front() = initial().front();
  KernelBuilder::Values Sums =
      B.loop(P.Depth, PartialSums, Inits, [&](Value Step, ValueRange Carried) {
        KernelBuilder::Values Next;
        for (int64_t I = 0; I < PartialSums; ++I) {
          Value At = B.add(Step, I);
          if (I % B.shape().Unroll == 0)
            Beside(At);
          Next.push_back(advance(RowPointers, At, 1, Carried[I]).front());
        }
        return Next;
      });
  for (size_t Left = Sums.size() / 2; Left > 0; Left /= 2)
    for (size_t I = 0; I < Left; ++I)
      Sums[I] = B.fadd(Sums[I], Sums[I + Left]);
  Sums.resize(1);
  return Sums;
}

KernelBuilder::Values RegisterTile::reduceToLanes(ArrayRef<Value> RowPointers) {
  // The last stretch of lanes may have fewer steps.
  int64_t Unroll =
      largestDivisor(std::gcd(B.lanes(), P.Depth), B.shape().Unroll);
  Value Start = B.mul(FirstVector, B.lanes());
  KernelBuilder::Values Sums =
      B.loop(Start, Unroll, initial(), [&](Value Step, ValueRange Carried) {
        return advance(RowPointers, Step, Unroll, Carried);
      });
  for (int64_t J = 0; J < Vectors; ++J) {
    Value Diagonal = B.add(Start, J * B.lanes());
    auto Steps = [&](Value I, ValueRange Carried) {
      return advance(RowPointers, B.add(Diagonal, I), Unroll, Carried, J,
                     Diagonal);
    };
    if (P.Depth % B.lanes() == 0) {
      Sums = B.loop(B.lanes(), Unroll, Sums, Steps);
      continue;
    }
    Value Left = arith::SubIOp::create(B, B.i64(P.Depth), Diagonal);
    Sums = B.loop(B.min(Left, B.i64(B.lanes())), Unroll, Sums, Steps);
  }
  return Sums;
}

KernelBuilder::Values RegisterTile::reduceToRows(ArrayRef<Value> RowPointers) {
  KernelBuilder::Values Sums =
      B.loop(FirstRow, 1, initial(), [&](Value Step, ValueRange Carried) {
        return advance(RowPointers, Step, 1, Carried);
      });
  for (int64_t I = 0; I < Rows; ++I)
    Sums = advance(RowPointers, B.add(FirstRow, I), 1, Sums, /*First=*/0,
                   /*Diagonal=*/{}, /*OwnRow=*/I);
  return Sums;
}

void RegisterTile::emit(ArrayRef<Value> RowPointers, Doing Beside,
                        int64_t Stretches, Doing Between) {
  KernelBuilder::Values Sums = reduce(RowPointers, Beside, Stretches, Between);
  Value Base = matrixRow(P.C, FirstRow);
  for (int64_t I = 0; I < Rows; ++I)
    for (int64_t J = 0; J < Vectors; ++J)
      B.storeVector(Sums[I * Vectors + J],
                    B.offset(Base, I * P.Length + J * B.lanes()));
  if (P.Weigh.Reference)
    B.branch(P.Weigh.IsOff, [] {}, [&] { weigh(Base); });
}

// By way of memory: they are still on their way there when they are read again,
// and a loop is a fraction of the code.
void RegisterTile::weigh(Value Base) {
  Value Offset = B.mul(FirstVector, B.lanes());
  Value Reference = B.offset(P.Weigh.Reference, Offset);
  Value To = B.offset(P.Weigh.Sums, Offset);
  KernelBuilder::Values References, Totals;
  for (int64_t J = 0; J < Vectors; ++J) {
    References.push_back(B.loadVector(B.offset(Reference, J * B.lanes())));
    Totals.push_back(B.loadVector(B.offset(To, J * B.lanes())));
  }
  Totals = B.loop(Rows, 1, Totals, [&](Value Row, ValueRange Carried) {
    KernelBuilder::Values Next;
    Value Scores = B.offset(Base, B.mul(Row, P.Length));
    for (int64_t J = 0; J < Vectors; ++J) {
      Value At = B.offset(Scores, J * B.lanes());
      Value Weight = emitWeight(B, B.fsub(B.loadVector(At), References[J]));
      B.storeVector(Weight, At);
      Next.push_back(B.fadd(Carried[J], Weight));
    }
    return Next;
  });
  for (int64_t J = 0; J < Vectors; ++J)
    B.storeVector(Totals[J], B.offset(To, J * B.lanes()));
}

/// Pointers to the rows of a register tile, where the reduction runs along
/// them.
static KernelBuilder::Values rowPointers(KernelBuilder &B, const Product &P,
                                         Value FirstRow, int64_t Rows) {
  KernelBuilder::Values Result;
  if (!P.ReduceOverRows)
    for (int64_t I = 0; I < Rows; ++I)
      Result.push_back(P.A.row(B, B.add(FirstRow, I)));
  return Result;
}

/// All vectors of rows [FirstRow, FirstRow + Rows), as many at once as the
/// registers hold beside the operands of one step, with one to spare for the
/// next broadcast: without it the scheduler spills.
static void emitRows(KernelBuilder &B, const Product &Whole, Value FirstRow,
                     int64_t Rows) {
  const Shape &S = B.shape();
  PanelCopies Copies(B, Whole, stripeRows(S, Whole));
  Product P = Whole;
  if (P.Copied)
    P.A = Copies.view(FirstRow);
  int64_t Vectors = P.Length / S.Lanes;
  int64_t Fit = (S.Registers - 2 - S.ProductScratch) / (Rows + 1);
  int64_t AtOnce = largestDivisor(Vectors, std::max<int64_t>(Fit, 1));
  KernelBuilder::Values RowPointers = rowPointers(B, P, FirstRow, Rows);
  Fetches Ahead(B, P, FirstRow, Rows);
  // Several tiles of vectors would each ask for the same.
  bool AreSpread = AtOnce == Vectors;
  if (!AreSpread)
    Ahead.emitAll();
  // A few lines at a time, some steps apart.
  constexpr int64_t FewestSteps = 8;
  int64_t Tiles = Vectors / AtOnce;
  int64_t Stretches =
      (P.Later.empty() && !P.Copied) || P.Counting != Part::All ||
              P.Depth % B.shape().Unroll != 0
          ? 1
          : largestDivisor(P.Depth / B.shape().Unroll,
                           std::max<int64_t>(P.Depth / FewestSteps, 1));
  B.loop(Vectors, AtOnce, [&](Value FirstVector) {
    Value Tile = arith::DivUIOp::create(B, FirstVector, B.i64(AtOnce));
    RegisterTile(B, P, FirstRow, Rows, FirstVector, AtOnce)
        .emit(
            RowPointers,
            [&](Value Step) {
              if (AreSpread)
                Ahead.emitPart(Step);
            },
            Stretches,
            [&](Value Stretch) {
              Value Number = B.add(B.mul(Tile, Stretches), Stretch);
              Ahead.emitLater(Number, Tiles * Stretches);
              if (P.Copied)
                Copies.emitPart(FirstRow, Number, Tiles * Stretches);
            });
  });
}

/// One step of the stairs that `Part::RowsToLane` leaves: rows whose own lanes
/// are in the vectors from `First` up to `End`.
static void emitStair(KernelBuilder &B, const Product &P, int64_t First,
                      int64_t End) {
  int64_t FirstRow = First * B.lanes();
  int64_t Height = std::min(End * B.lanes(), P.Rows) - FirstRow;
  int64_t Vectors = P.Length / B.lanes() - First;
  B.loop(First == 0 ? 0 : Height, 1, [&](Value Row) {
    Value To = B.offset(P.C, B.mul(B.add(Row, FirstRow), P.Length));
    B.loop(FirstRow, B.lanes(), [&](Value Offset) {
      B.storeVector(B.splat(0.0F), B.offset(To, Offset));
    });
  });
  // The fewer vectors, the more rows.
  int64_t Registers = B.shape().Registers - 2 - B.shape().ProductScratch;
  int64_t AtOnce = largestDivisor(Vectors, std::max<int64_t>(Registers / 5, 1));
  int64_t Rows = largestDivisor(
      Height, std::clamp<int64_t>(Registers / AtOnce - 1, 1, 16));
  B.loop(Height, Rows, [&](Value Row) {
    Value Start = B.add(Row, FirstRow);
    KernelBuilder::Values RowPointers = rowPointers(B, P, Start, Rows);
    B.loop(Vectors, AtOnce, [&](Value Vector) {
      RegisterTile(B, P, Start, Rows, B.add(Vector, First), AtOnce)
          .emit(RowPointers, [](Value) {});
    });
  });
}

static int64_t rowsAtOnce(const Shape &S) {
  int64_t Fit = (S.Registers - 3 - S.ProductScratch) / 2;
  return largestDivisor(S.Rows, std::max<int64_t>(Fit, 1));
}

int64_t heddle::cpu::stripeRows(const Shape &S, const Product &P) {
  return std::min(P.Rows, rowsAtOnce(S));
}

int64_t heddle::cpu::keyGranule(const Shape &S, int64_t Keys) {
  int64_t Both = std::lcm(std::min(Keys, rowsAtOnce(S)), S.Unroll);
  return Keys % Both == 0 ? Both : Keys;
}

void heddle::cpu::emitProduct(KernelBuilder &B, const Product &P) {
  if (P.Counting == Part::RowsToLane) {
    // Every step is code of its own.
    constexpr int64_t Stairs = 4;
    int64_t Vectors = P.Length / B.lanes();
    int64_t Width = llvm::divideCeil(Vectors, Stairs);
    for (int64_t First = 0; First < Vectors; First += Width)
      emitStair(B, P, First, std::min(First + Width, Vectors));
    return;
  }
  int64_t AtOnce = stripeRows(B.shape(), P);
  bool IsSpan = P.RowSpan.First && P.Rows % AtOnce == 0;
  if (P.Copied)
    PanelCopies(B, P, AtOnce).emitFirst(IsSpan ? P.RowSpan.First : B.i64(0));
  if (IsSpan) {
    B.loop(P.RowSpan.First, P.RowSpan.End, AtOnce,
           [&](Value FirstRow) { emitRows(B, P, FirstRow, AtOnce); });
    return;
  }
  int64_t Main = P.Rows / AtOnce * AtOnce;
  B.loop(Main, AtOnce,
         [&](Value FirstRow) { emitRows(B, P, FirstRow, AtOnce); });
  if (Main < P.Rows)
    emitRows(B, P, B.i64(Main), P.Rows - Main);
}
