// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One head of one sequence of a recurrence: what both forms of it begin and end
// with.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_LINEARHEAD_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_LINEARHEAD_H

#include "dialect/attn/reference/Linear.h"

namespace heddle::attn {

/// Gapless rows, mapped.
struct LinearHead {
  int64_t Queries = 0;
  int64_t Keys = 0;
  /// Keys before the one at which query 0 stands.
  int64_t Before = 0;
  int64_t Origin = 0;
  int64_t Depth = 0;  ///< elements of a row of q and k
  int64_t Mapped = 0; ///< features of x and y
  int64_t Width = 0;
  int64_t StateRows = 0;
  /// Of the softmax; keys at that distance and beyond are the recurrence's.
  int64_t Window = 0;
  std::vector<double> X; ///< (Queries, Mapped), times the scale
  std::vector<double> Y; ///< (Keys, Mapped)
  std::vector<double> U; ///< (Keys, Width)
  /// (Keys, Mapped) for factors per channel, otherwise (Keys) or empty.
  std::vector<double> Factors;
  std::vector<double> Beta;   ///< (Keys); empty without a delta rule
  std::vector<double> Scores; ///< (Queries, Window), by distance
  std::vector<double> State;  ///< what comes in: (StateRows, Width)
  std::vector<double> Sums;   ///< (StateRows)

  const double *x(int64_t I) const { return X.data() + I * Mapped; }
  const double *y(int64_t J) const { return Y.data() + J * Mapped; }
  const double *u(int64_t J) const { return U.data() + J * Width; }
  /// Factor of token J; `C` counts where they are per channel.
  double factor(int64_t J, int64_t C) const {
    if (Factors.empty())
      return 1;
    const bool PerChannel = Factors.size() > static_cast<size_t>(Keys);
    return Factors[static_cast<size_t>(PerChannel ? J * Mapped + C : J)];
  }
  /// The key at which query I stands.
  int64_t place(int64_t I) const { return I + Before; }
};

/// Reads and maps. Fails where a region does.
llvm::Expected<LinearHead> readLinearHead(const Recurrence &What,
                                          const LinearProblem &Problem,
                                          int64_t B, int64_t H,
                                          Program::Scratch &Registers);

/// The sums of a row over its keys, and what they are over the sizes of their
/// summands.
struct LinearSums {
  explicit LinearSums(size_t Width)
      : Values(Width), ValueSizes(Width), Plain(Width), PlainSizes(Width) {}

  std::vector<double> Values; ///< sum of w u
  std::vector<double> ValueSizes;
  double Weights = 0; ///< sum of w
  double WeightSizes = 0;
  std::vector<double> Plain; ///< sum of (product of factors) u
  std::vector<double> PlainSizes;
  double Factors = 0; ///< sum of (product of factors)
};

/// Where one head's part of a result lies.
struct LinearOutputs {
  double *O;          ///< (Queries, Width)
  double *OScale;     ///< (Queries)
  double *State;      ///< (StateRows, Width)
  double *StateScale; ///< (StateRows)
  double *Sums;       ///< (StateRows); null without a normaliser
  double *SumsScale;
};

/// Makes row I of o of the sums over the keys of the recurrence: adds the
/// window, normalises and maps.
class RowFinisher {
public:
  RowFinisher(const Recurrence &What, const LinearProblem &Problem, int64_t B,
              int64_t H, const LinearHead &Head, Program::Scratch &Registers)
      : What(What), Problem(Problem), B(B), H(H), Head(Head),
        Registers(Registers) {}

  llvm::Error finish(int64_t I, LinearSums &Sums, double *Out, double &Scale);

private:
  void addWindow(int64_t I, LinearSums &Sums);
  void normalize(LinearSums &Sums);

  const Recurrence &What;
  const LinearProblem &Problem;
  int64_t B;
  int64_t H;
  const LinearHead &Head;
  Program::Scratch &Registers;
};

/// The two forms. `Head` has at least one row of state.
llvm::Error recurHead(const Recurrence &What, const LinearHead &Head,
                      RowFinisher &Rows, const LinearOutputs &Out);
llvm::Error sumHead(const Recurrence &What, const LinearHead &Head,
                    RowFinisher &Rows, const LinearOutputs &Out);

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_LINEARHEAD_H
