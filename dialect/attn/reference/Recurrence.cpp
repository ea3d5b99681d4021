// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Recurrence.h"

#include "dialect/attn/reference/ProgramCompiler.h"

#include <algorithm>
#include <cmath>

using namespace heddle::attn;

mlir::FailureOr<Recurrence> Recurrence::compile(RecurrenceOp Op) {
  Recurrence Out;
  Out.Name = Op.getSymName().str();
  Out.Params = listParams(Op);
  ProgramCompiler Compiler(Op, Out.Params);
  struct Map {
    RecurrencePart Part;
    std::optional<FeatureMap> &To;
  } const Maps[] = {{RecurrencePart::Query, Out.Query},
                    {RecurrencePart::Key, Out.Key},
                    {RecurrencePart::Value, Out.Value},
                    {RecurrencePart::Output, Out.Output}};
  for (const Map &M : Maps) {
    if (!Op.hasPart(M.Part))
      continue;
    mlir::FailureOr<FeatureMap> Made = Compiler.compileMap(Op.getPart(M.Part));
    if (mlir::failed(Made))
      return mlir::failure();
    M.To.emplace(std::move(*Made));
  }
  struct Factor {
    RecurrencePart Part;
    std::optional<Program> &To;
  } const Factors[] = {{RecurrencePart::Decay, Out.Decay},
                       {RecurrencePart::Delta, Out.Delta}};
  for (const Factor &F : Factors) {
    if (!Op.hasPart(F.Part))
      continue;
    mlir::FailureOr<Program> Made = Compiler.compileFactor(Op.getPart(F.Part));
    if (mlir::failed(Made))
      return mlir::failure();
    F.To.emplace(std::move(*Made));
  }
  Out.PerChannel = Op.decayKind() == DecayKind::PerChannel;
  Out.ErasesBeforeDecay = Op.getEraseBeforeDecay();
  Out.Expand = Op.getExpand().getKind();
  Out.Power = Op.getExpand().getPower();
  Out.Normalizer = Op.getNormalize();
  Out.Bidirectional = Op.isBidirectional();
  Out.Window = Op.getWindowParam();
  return Out;
}

int64_t Recurrence::numMapped(int64_t Depth) const {
  return Depth * (Query ? Query->numFeatures() : Key ? Key->numFeatures() : 1);
}

int64_t Recurrence::numFeatures(int64_t Depth) const {
  const int64_t Mapped = numMapped(Depth);
  switch (Expand) {
  case ExpandKind::None:
    return Mapped;
  case ExpandKind::Power: {
    // C(Mapped + Power - 1, Power), exact at every step.
    int64_t Count = 1;
    for (int64_t I = 1; I <= Power; ++I) {
      Count = Count * (Mapped + I - 1) / I;
      if (Count > kMaxFeatures)
        return kMaxFeatures + 1;
    }
    return Count;
  }
  case ExpandKind::Taylor:
    return std::min(1 + Mapped + Mapped * (Mapped + 1) / 2, kMaxFeatures + 1);
  }
  llvm_unreachable("all expansions are listed");
}

double Recurrence::expand(double Product) const {
  switch (Expand) {
  case ExpandKind::None:
    return Product;
  case ExpandKind::Power:
    return std::pow(Product, static_cast<double>(Power));
  case ExpandKind::Taylor:
    return 1 + Product + Product * Product / 2;
  }
  llvm_unreachable("all expansions are listed");
}

namespace {

/// All monomials of one degree in ascending order of their indices, each times
/// the square root of its multinomial coefficient.
class Monomials {
public:
  Monomials(llvm::ArrayRef<double> Row, double Scale, std::vector<double> &Out)
      : Row(Row), Scale(Scale), Out(Out) {}

  void append(int64_t Degree) {
    double Factorial = 1;
    for (int64_t I = 2; I <= Degree; ++I)
      Factorial *= static_cast<double>(I);
    choose(0, 0, Degree, Scale, Factorial);
  }

private:
  /// `Left` more factors are to be chosen from `First` on, which has been
  /// chosen `Run` times. `Ways` is the multinomial coefficient so far.
  void choose(size_t First, int64_t Run, int64_t Left, double Product,
              double Ways) {
    if (Left == 0) {
      Out.push_back(Product * std::sqrt(Ways));
      return;
    }
    for (size_t C = First; C < Row.size(); ++C) {
      const int64_t NewRun = C == First ? Run + 1 : 1;
      choose(C, NewRun, Left - 1, Product * Row[C],
             Ways / static_cast<double>(NewRun));
    }
  }

  llvm::ArrayRef<double> Row;
  double Scale;
  std::vector<double> &Out;
};

} // namespace

void Recurrence::expandRow(llvm::ArrayRef<double> Row,
                           std::vector<double> &Out) const {
  switch (Expand) {
  case ExpandKind::None:
    Out.insert(Out.end(), Row.begin(), Row.end());
    return;
  case ExpandKind::Power:
    Monomials(Row, 1, Out).append(Power);
    return;
  case ExpandKind::Taylor:
    Out.push_back(1);
    Out.insert(Out.end(), Row.begin(), Row.end());
    Monomials(Row, std::sqrt(0.5), Out).append(2);
    return;
  }
}
