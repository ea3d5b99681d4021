// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Predicate.h"

#include "dialect/attn/reference/ProgramCompiler.h"

#include <algorithm>
#include <numeric>

using namespace heddle::attn;

mlir::FailureOr<Predicate> Predicate::compile(PatternOp Pattern) {
  std::vector<unsigned> Slots(Pattern.getNumParams());
  std::iota(Slots.begin(), Slots.end(), 0U);
  mlir::FailureOr<Program> Code =
      ProgramCompiler(Pattern, listParams(Pattern), Slots).compileKeep();
  if (mlir::failed(Code))
    return mlir::failure();
  return Predicate(std::move(*Code));
}

llvm::Expected<bool> Predicate::keep(const PredicatePoint &At,
                                     int64_t K) const {
  Scratch Registers;
  if (llvm::Error E = Code.prepare(At, Registers))
    return E;
  if (llvm::Error E = Code.run(At, K, nullptr, Registers))
    return E;
  return *Code.output(0, Registers) != 0;
}

llvm::Error Predicate::keptRuns(const PredicatePoint &At, Scratch &Registers,
                                std::vector<KeyRun> &Runs) const {
  if (llvm::Error E = Code.prepare(At, Registers))
    return E;
  const size_t First = Runs.size();
  int64_t Keys[Program::StripLength];
  for (int64_t K = 0; K < At.NumKeys; K += Program::StripLength) {
    const auto Count = static_cast<size_t>(
        std::min<int64_t>(Program::StripLength, At.NumKeys - K));
    std::iota(Keys, Keys + Count, K);
    if (llvm::Error E = Code.run(At, {Keys, Count}, nullptr, Registers))
      return E;
    const int64_t *Kept = Code.output(0, Registers);
    for (size_t I = 0; I < Count; ++I) {
      if (Kept[I] == 0)
        continue;
      if (Runs.size() > First && Runs.back().End == Keys[I])
        ++Runs.back().End;
      else
        Runs.push_back({Keys[I], Keys[I] + 1});
    }
  }
  return llvm::Error::success();
}
