// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/FeatureMap.h"

#include "dialect/attn/reference/Failure.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <numeric>

using namespace heddle::attn;

namespace {

/// One row of elements on its way through the stages.
class RowEvaluator {
public:
  RowEvaluator(const PredicatePoint &At, llvm::ArrayRef<double> Row,
               Program::Scratch &Registers)
      : At(At), Row(Row), Registers(Registers) {}

  size_t size() const { return Row.size(); }
  /// What the results of the stages so far are, by stage and element.
  std::vector<std::vector<double>> Inputs;

  /// Calls `Take` with the first element and the number of elements of every
  /// strip, when the outputs of `Code` are there.
  template <typename Function>
  llvm::Error evaluate(const Program &Code, Function Take) {
    if (llvm::Error E = Code.prepare(At, Registers))
      return E;
    int64_t Elements[Program::StripLength];
    for (size_t First = 0; First < size(); First += Program::StripLength) {
      const size_t Count =
          std::min<size_t>(Program::StripLength, size() - First);
      std::iota(Elements, Elements + Count, static_cast<int64_t>(First));
      for (size_t I = 0; I < Inputs.size(); ++I)
        std::transform(&Inputs[I][First], &Inputs[I][First] + Count,
                       Code.input(static_cast<unsigned>(I), Registers),
                       [](double X) { return llvm::bit_cast<int64_t>(X); });
      if (llvm::Error E =
              Code.run(At, {Elements, Count}, Row.data() + First, Registers))
        return E;
      Take(First, Count);
    }
    return llvm::Error::success();
  }

  double real(const Program &Code, unsigned Output, size_t I) const {
    return llvm::bit_cast<double>(Code.output(Output, Registers)[I]);
  }

private:
  const PredicatePoint &At;
  llvm::ArrayRef<double> Row;
  Program::Scratch &Registers;
};

/// The largest; NaN when there is one.
double largest(llvm::ArrayRef<double> Values) {
  double Max = Values.empty() ? 0.0 : Values.front();
  for (double Value : Values)
    if (!(Value <= Max))
      Max = Value;
  return Max;
}

/// y_c = sum over t of e_t w[…, t, c].
llvm::Error project(const Program &Code, const ParamInfo &Param,
                    const Operand &Table, std::vector<int64_t> Indices,
                    llvm::ArrayRef<double> Elements, std::vector<double> &Out) {
  const int64_t Size = static_cast<int64_t>(Elements.size());
  const llvm::ArrayRef<int64_t> Extents = Table.shape().take_back(2);
  if (Extents[0] != Size || Extents[1] != Size)
    return invalid(Code.title() + " maps rows of " + llvm::Twine(Size) +
                   " elements by the parameter '" + Param.Name +
                   "', expected matrices of as many rows and columns, found " +
                   llvm::Twine(Extents[0]) + "x" + llvm::Twine(Extents[1]));
  Indices.resize(Indices.size() + 2, 0);
  unsigned Axis = 0;
  const int64_t First = Table.find(Indices.data(), Axis);
  if (First < 0)
    return invalid(Code.title() + " reads index " + llvm::Twine(Indices[Axis]) +
                   " along axis " + llvm::Twine(Axis) + " of parameter '" +
                   Param.Name + "', which has " +
                   llvm::Twine(Table.shape()[Axis]));
  Out.assign(Elements.size(), 0.0);
  for (int64_t T = 0; T < Size; ++T)
    for (int64_t C = 0; C < Size; ++C)
      Out[static_cast<size_t>(C)] +=
          Elements[static_cast<size_t>(T)] * Table.realAt(First + T * Size + C);
  return llvm::Error::success();
}

} // namespace

llvm::Error FeatureMap::apply(const PredicatePoint &At,
                              llvm::ArrayRef<double> Row,
                              Program::Scratch &Registers,
                              std::vector<double> &Out) const {
  RowEvaluator Evaluator(At, Row, Registers);
  for (const Stage &S : Stages) {
    std::vector<double> Elements(Row.size());
    std::vector<int64_t> Indices;
    if (llvm::Error E =
            Evaluator.evaluate(S.Code, [&](size_t First, size_t Count) {
              for (size_t I = 0; I < Count; ++I)
                Elements[First + I] = Evaluator.real(S.Code, 0, I);
              // Equal for all elements.
              Indices.clear();
              for (unsigned I = 1; I < S.Code.numOutputs(); ++I)
                Indices.push_back(*S.Code.output(I, Registers));
            }))
      return E;
    std::vector<double> Result(Row.size());
    switch (S.Kind) {
    case Reduction::Sum:
      std::fill(Result.begin(), Result.end(),
                std::accumulate(Elements.begin(), Elements.end(), 0.0));
      break;
    case Reduction::Max:
      std::fill(Result.begin(), Result.end(), largest(Elements));
      break;
    case Reduction::Project:
      if (Row.empty())
        break;
      if (llvm::Error E =
              project(S.Code, S.Code.params()[S.Param], At.Params[S.Param],
                      std::move(Indices), Elements, Result))
        return E;
      break;
    }
    Evaluator.Inputs.push_back(std::move(Result));
  }
  Out.resize(Row.size() * numFeatures());
  return Evaluator.evaluate(Features, [&](size_t First, size_t Count) {
    for (unsigned N = 0; N < numFeatures(); ++N)
      for (size_t I = 0; I < Count; ++I)
        Out[N * Row.size() + First + I] = Evaluator.real(Features, N, I);
  });
}
