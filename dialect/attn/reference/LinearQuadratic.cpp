// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A recurrence as a sum over pairs of a query and a key.

#include "dialect/attn/reference/LinearHead.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

namespace {

size_t at(int64_t I) { return static_cast<size_t>(I); }

class PairSum {
public:
  PairSum(const Recurrence &What, const LinearHead &Head)
      : What(What), Head(Head),
        Features(Head.StateRows - (What.hasMagnitude() ? 1 : 0)), U(Head.U) {}

  /// Under a delta rule S_i = D_i S_{i-1} + y_i r_i^T with r_i = beta_i (u_i -
  /// sum over j < i and c of y_ic y_jc prod_{j<t<=i} a_t[c] r_j), the state
  /// that comes in counting as one more j: with r for u, the sum is that
  /// without one.
  void solveDelta() {
    for (int64_t I = 0; I < Head.Keys; ++I) {
      std::vector<double> Held(at(Head.Width)),
          Fading(Head.y(I), Head.y(I + 1));
      auto Fade = [&](int64_t J) {
        for (int64_t C = 0; C < Head.Mapped; ++C)
          Fading[at(C)] *= Head.factor(J, C);
      };
      Fade(I);
      for (int64_t J = I - 1; J >= 0; --J) {
        double Dot = 0;
        for (int64_t C = 0; C < Head.Mapped; ++C)
          Dot += Fading[at(C)] * Head.y(J)[C];
        for (int64_t T = 0; T < Head.Width; ++T)
          Held[at(T)] += Dot * U[at(J * Head.Width + T)];
        Fade(J);
      }
      for (int64_t F = 0; F < Features; ++F)
        for (int64_t T = 0; T < Head.Width; ++T)
          Held[at(T)] += Fading[at(F)] * Head.State[at(F * Head.Width + T)];
      for (int64_t T = 0; T < Head.Width; ++T)
        U[at(I * Head.Width + T)] =
            Head.Beta[at(I)] * (Head.u(I)[T] - Held[at(T)]);
    }
  }

  /// The same where it takes away before the state fades: the state is
  /// S_i = D_i (S_{i-1} + y_i t_i^T) + beta_i y_i u_i^T with t_i = -beta_i
  /// (sum over j < i and c of y_ic y_jc (prod_{j<t<i} a_t[c] beta_j u_j +
  /// prod_{j<=t<i} a_t[c] t_j)): two sums, one with t.
  void solveErasure() {
    Taken.assign(U.size(), 0);
    for (int64_t J = 0; J < Head.Keys; ++J)
      for (int64_t T = 0; T < Head.Width; ++T)
        U[at(J * Head.Width + T)] *= Head.Beta[at(J)];
    for (int64_t I = 0; I < Head.Keys; ++I) {
      std::vector<double> Held(at(Head.Width)),
          Fading(Head.y(I), Head.y(I + 1));
      auto Add = [&](const double *Y, const double *Row) {
        double Dot = 0;
        for (int64_t C = 0; C < Head.Mapped; ++C)
          Dot += Fading[at(C)] * Y[C];
        for (int64_t T = 0; T < Head.Width; ++T)
          Held[at(T)] += Dot * Row[T];
      };
      for (int64_t J = I - 1; J >= 0; --J) {
        Add(Head.y(J), &U[at(J * Head.Width)]);
        for (int64_t C = 0; C < Head.Mapped; ++C)
          Fading[at(C)] *= Head.factor(J, C);
        Add(Head.y(J), &Taken[at(J * Head.Width)]);
      }
      for (int64_t F = 0; F < Features; ++F)
        for (int64_t T = 0; T < Head.Width; ++T)
          Held[at(T)] += Fading[at(F)] * Head.State[at(F * Head.Width + T)];
      for (int64_t T = 0; T < Head.Width; ++T)
        Taken[at(I * Head.Width + T)] = -Head.Beta[at(I)] * Held[at(T)];
    }
  }

  /// The sums of query I over keys [0, Last], whose factors end with key Last,
  /// and over the state that comes in.
  void sum(int64_t I, int64_t Last, LinearSums &Out) const {
    const double *X = Head.x(I);
    std::vector<double> Products(at(What.isPerChannel() ? Head.Mapped : 1), 1);
    auto Add = [&](int64_t J, const std::vector<double> &Rows) {
      double Dot = 0, Size = 0;
      for (int64_t C = 0; C < Head.Mapped; ++C) {
        const double Term =
            X[C] * Head.y(J)[C] * (What.isPerChannel() ? Products[at(C)] : 1);
        Dot += Term;
        Size += std::fabs(Term);
      }
      const double Outer = What.isPerChannel() ? 1 : Products.front();
      addPair(What.expand(Dot) * Outer, What.expand(Size) * Outer, Outer,
              &Rows[at(J * Head.Width)], Out);
    };
    for (int64_t J = Last; J >= 0; --J) {
      Add(J, U);
      for (int64_t C = 0; C < static_cast<int64_t>(Products.size()); ++C)
        Products[at(C)] *= Head.factor(J, C);
      if (!Taken.empty())
        Add(J, Taken);
    }
    addState(I, Products, Out);
  }

  /// The state after keys [0, Last].
  void write(int64_t Last, const LinearOutputs &Out) const {
    for (int64_t F = 0; F < Head.StateRows; ++F) {
      std::vector<double> Row(at(Head.Width)), Sizes(Row);
      double Sum = 0, SumSize = 0, Product = 1;
      auto Add = [&](int64_t J, const std::vector<double> &Rows) {
        const double Y = Product * feature(J, F);
        for (int64_t T = 0; T < Head.Width; ++T) {
          Row[at(T)] += Y * Rows[at(J * Head.Width + T)];
          Sizes[at(T)] += std::fabs(Y * Rows[at(J * Head.Width + T)]);
        }
        Sum += Y;
        SumSize += std::fabs(Y);
      };
      for (int64_t J = Last; J >= 0; --J) {
        Add(J, U);
        Product *= Head.factor(J, F);
        if (!Taken.empty())
          Add(J, Taken);
      }
      double Largest = 0;
      for (int64_t T = 0; T < Head.Width; ++T) {
        const double In = Product * Head.State[at(F * Head.Width + T)];
        Out.State[F * Head.Width + T] = Row[at(T)] + In;
        Largest = std::max(Largest, Sizes[at(T)] + std::fabs(In));
      }
      Out.StateScale[F] = Largest;
      if (!Out.Sums)
        continue;
      Out.Sums[F] = Sum + Product * Head.Sums[at(F)];
      Out.SumsScale[F] = SumSize + std::fabs(Product * Head.Sums[at(F)]);
    }
  }

  /// Expands all keys, for `write`.
  void expandKeys() {
    for (int64_t J = 0; J < Head.Keys; ++J)
      What.expandRow({Head.y(J), at(Head.Mapped)}, Phi);
  }

private:
  double feature(int64_t J, int64_t F) const {
    return F < Features ? Phi[at(J * Features + F)] : 1;
  }

  void addPair(double Weight, double Size, double Factor, const double *Value,
               LinearSums &Out) const {
    Out.Weights += Weight;
    Out.WeightSizes += Size;
    Out.Factors += Factor;
    for (int64_t T = 0; T < Head.Width; ++T) {
      Out.Values[at(T)] += Weight * Value[T];
      Out.ValueSizes[at(T)] += Size * std::fabs(Value[T]);
      Out.Plain[at(T)] += Factor * Value[T];
      Out.PlainSizes[at(T)] += Factor * std::fabs(Value[T]);
    }
  }

  void addState(int64_t I, const std::vector<double> &Products,
                LinearSums &Out) const {
    std::vector<double> X;
    What.expandRow({Head.x(I), at(Head.Mapped)}, X);
    for (int64_t F = 0; F < Features; ++F) {
      const double Factor =
          X[at(F)] * Products[What.isPerChannel() ? at(F) : 0];
      Out.Weights += Factor * Head.Sums[at(F)];
      Out.WeightSizes += std::fabs(Factor * Head.Sums[at(F)]);
      for (int64_t T = 0; T < Head.Width; ++T) {
        const double Term = Factor * Head.State[at(F * Head.Width + T)];
        Out.Values[at(T)] += Term;
        Out.ValueSizes[at(T)] += std::fabs(Term);
      }
    }
    if (!What.hasMagnitude())
      return;
    Out.Factors += Products.front() * Head.Sums.back();
    for (int64_t T = 0; T < Head.Width; ++T) {
      const double Term =
          Products.front() * Head.State[at(Features * Head.Width + T)];
      Out.Plain[at(T)] += Term;
      Out.PlainSizes[at(T)] += std::fabs(Term);
    }
  }

  const Recurrence &What;
  const LinearHead &Head;
  int64_t Features;
  std::vector<double> U; ///< (Keys, Width): values, or what is written of them
  /// (Keys, Width): what is taken away before the factor of the key; empty but
  /// where a delta rule erases first.
  std::vector<double> Taken;
  std::vector<double> Phi; ///< (Keys, Features)
};

} // namespace

llvm::Error heddle::attn::sumHead(const Recurrence &What,
                                  const LinearHead &Head, RowFinisher &Rows,
                                  const LinearOutputs &Out) {
  PairSum Pairs(What, Head);
  if (What.delta() && What.erasesBeforeDecay())
    Pairs.solveErasure();
  else if (What.delta())
    Pairs.solveDelta();
  for (int64_t I = 0; I < Head.Queries; ++I) {
    LinearSums Sums(at(Head.Width));
    Pairs.sum(
        I, What.isBidirectional() ? Head.Keys - 1 : Head.place(I) - Head.Window,
        Sums);
    if (llvm::Error E =
            Rows.finish(I, Sums, Out.O + I * Head.Width, Out.OScale[I]))
      return E;
  }
  Pairs.expandKeys();
  Pairs.write(Head.Keys - 1 - Head.Window, Out);
  return llvm::Error::success();
}
