// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence token by token.

#include "dialect/attn/reference/LinearHead.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

namespace {

/// The state after some tokens, and the same over the sizes of all that was
/// added.
class RunningState {
public:
  RunningState(const Recurrence &What, const LinearHead &Head)
      : What(What), Head(Head),
        Features(Head.StateRows - (What.hasMagnitude() ? 1 : 0)),
        Width(Head.Width), S(Head.State), Sums(Head.Sums), Sizes(S),
        SumSizes(Sums) {
    for (double &Size : Sizes)
      Size = std::fabs(Size);
    for (double &Size : SumSizes)
      Size = std::fabs(Size);
    for (double Size : Sizes)
      Written = std::max(Written, Size);
  }

  void take(int64_t J) {
    Phi.clear();
    What.expandRow({Head.y(J), static_cast<size_t>(Head.Mapped)}, Phi);
    if (What.delta() && What.erasesBeforeDecay())
      eraseAndWrite(J);
    else if (What.delta())
      replace(J);
    else
      add(J);
  }

  /// What query I reads.
  void read(int64_t I, LinearSums &Out) {
    Phi.clear();
    What.expandRow({Head.x(I), static_cast<size_t>(Head.Mapped)}, Phi);
    double LargestX = 0;
    for (int64_t F = 0; F < Features; ++F) {
      const double X = Phi[static_cast<size_t>(F)];
      const double *Row = &S[static_cast<size_t>(F * Width)];
      const double *SizeRow = &Sizes[static_cast<size_t>(F * Width)];
      LargestX = std::max(LargestX, std::fabs(X));
      for (int64_t T = 0; T < Width; ++T)
        Out.Values[static_cast<size_t>(T)] += X * Row[T];
      for (int64_t T = 0; T < Width; ++T)
        Out.ValueSizes[static_cast<size_t>(T)] += std::fabs(X) * SizeRow[T];
      Out.Weights += X * Sums[static_cast<size_t>(F)];
      Out.WeightSizes += std::fabs(X) * SumSizes[static_cast<size_t>(F)];
    }
    if (What.delta())
      for (double &Size : Out.ValueSizes)
        Size = std::max(Size, LargestX * Written);
    if (!What.hasMagnitude())
      return;
    std::copy_n(S.end() - Width, Width, Out.Plain.begin());
    std::copy_n(Sizes.end() - Width, Width, Out.PlainSizes.begin());
    Out.Factors = Sums.back();
  }

  void write(const LinearOutputs &Out) const {
    std::copy(S.begin(), S.end(), Out.State);
    for (int64_t Row = 0; Row < Head.StateRows; ++Row) {
      double Largest = What.delta() ? Written : 0;
      for (int64_t T = 0; T < Width; ++T)
        Largest =
            std::max(Largest, Sizes[static_cast<size_t>(Row * Width + T)]);
      Out.StateScale[Row] = Largest;
    }
    if (!Out.Sums)
      return;
    std::copy(Sums.begin(), Sums.end(), Out.Sums);
    std::copy(SumSizes.begin(), SumSizes.end(), Out.SumsScale);
  }

private:
  void add(int64_t J) {
    // V and N: a feature that is 1.
    if (What.hasMagnitude())
      Phi.push_back(1);
    const double *U = Head.u(J);
    for (int64_t F = 0; F < Head.StateRows; ++F) {
      const double A = Head.factor(J, F), Y = Phi[static_cast<size_t>(F)];
      double *Row = &S[static_cast<size_t>(F * Width)];
      double *SizeRow = &Sizes[static_cast<size_t>(F * Width)];
      for (int64_t T = 0; T < Width; ++T)
        Row[T] = A * Row[T] + Y * U[T];
      for (int64_t T = 0; T < Width; ++T)
        SizeRow[T] = A * SizeRow[T] + std::fabs(Y * U[T]);
      double &Sum = Sums[static_cast<size_t>(F)];
      double &SumSize = SumSizes[static_cast<size_t>(F)];
      Sum = A * Sum + Y;
      SumSize = A * SumSize + std::fabs(Y);
    }
  }

  /// The delta rule. What one token takes away is not a summand of its own: the
  /// sizes are those of the state, and no less than the largest write that has
  /// not decayed.
  void replace(int64_t J) {
    const double Beta = Head.Beta[static_cast<size_t>(J)];
    const double *U = Head.u(J);
    std::vector<double> Held(static_cast<size_t>(Width)), HeldSize(Held);
    double LargestY = 0, LargestA = 0;
    for (int64_t F = 0; F < Features; ++F) {
      const double A = Head.factor(J, F), Y = Phi[static_cast<size_t>(F)];
      LargestA = std::max(LargestA, A);
      LargestY = std::max(LargestY, std::fabs(Y));
      for (int64_t T = 0; T < Width; ++T) {
        double &Element = S[static_cast<size_t>(F * Width + T)];
        Element *= A;
        const double Product = Y * Element;
        Held[static_cast<size_t>(T)] += Product;
        HeldSize[static_cast<size_t>(T)] += std::fabs(Product);
      }
    }
    Written *= LargestA;
    for (int64_t T = 0; T < Width; ++T)
      Written = std::max(
          Written, std::fabs(Beta) * LargestY *
                       (std::fabs(U[T]) + HeldSize[static_cast<size_t>(T)]));
    for (int64_t F = 0; F < Features; ++F) {
      const double Y = Phi[static_cast<size_t>(F)];
      double *Row = &S[static_cast<size_t>(F * Width)];
      for (int64_t T = 0; T < Width; ++T) {
        Row[T] += Beta * Y * (U[T] - Held[static_cast<size_t>(T)]);
        Sizes[static_cast<size_t>(F * Width + T)] = std::fabs(Row[T]);
      }
    }
  }

  /// The same in the other order: what the state held fades without what is
  /// taken away.
  void eraseAndWrite(int64_t J) {
    const double Beta = Head.Beta[static_cast<size_t>(J)];
    const double *U = Head.u(J);
    std::vector<double> Held(static_cast<size_t>(Width)), HeldSize(Held);
    double LargestY = 0, LargestA = 0;
    for (int64_t F = 0; F < Features; ++F) {
      const double Y = Phi[static_cast<size_t>(F)];
      LargestA = std::max(LargestA, Head.factor(J, F));
      LargestY = std::max(LargestY, std::fabs(Y));
      for (int64_t T = 0; T < Width; ++T) {
        const double Product = Y * S[static_cast<size_t>(F * Width + T)];
        Held[static_cast<size_t>(T)] += Product;
        HeldSize[static_cast<size_t>(T)] += std::fabs(Product);
      }
    }
    const double Size = std::fabs(Beta) * LargestY;
    for (int64_t T = 0; T < Width; ++T)
      Written = std::max(Written, Size * HeldSize[static_cast<size_t>(T)]);
    Written *= LargestA;
    for (int64_t T = 0; T < Width; ++T)
      Written = std::max(Written, Size * std::fabs(U[T]));
    for (int64_t F = 0; F < Features; ++F) {
      const double A = Head.factor(J, F);
      const double Y = Beta * Phi[static_cast<size_t>(F)];
      for (int64_t T = 0; T < Width; ++T) {
        double &Element = S[static_cast<size_t>(F * Width + T)];
        Element = A * (Element - Y * Held[static_cast<size_t>(T)]) + Y * U[T];
        Sizes[static_cast<size_t>(F * Width + T)] = std::fabs(Element);
      }
    }
  }

  const Recurrence &What;
  const LinearHead &Head;
  int64_t Features;
  int64_t Width;
  std::vector<double> S;
  std::vector<double> Sums;
  std::vector<double> Sizes;
  std::vector<double> SumSizes;
  /// The largest element that the delta rule wrote, decayed.
  double Written = 0;
  std::vector<double> Phi;
};

} // namespace

llvm::Error heddle::attn::recurHead(const Recurrence &What,
                                    const LinearHead &Head, RowFinisher &Rows,
                                    const LinearOutputs &Out) {
  RunningState State(What, Head);
  int64_t Next = 0;
  auto TakeUpTo = [&](int64_t End) {
    for (; Next < std::min(End, Head.Keys); ++Next)
      State.take(Next);
  };
  if (What.isBidirectional())
    TakeUpTo(Head.Keys);
  for (int64_t I = 0; I < Head.Queries; ++I) {
    TakeUpTo(Head.place(I) - Head.Window + 1);
    LinearSums Sums(static_cast<size_t>(Head.Width));
    State.read(I, Sums);
    if (llvm::Error E =
            Rows.finish(I, Sums, Out.O + I * Head.Width, Out.OScale[I]))
      return E;
  }
  TakeUpTo(Head.Keys - Head.Window);
  State.write(Out);
  return llvm::Error::success();
}
