// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Cost.h"

#include <numeric>

using namespace heddle;

llvm::StringRef heddle::workName(Work Of) {
  static constexpr std::array<llvm::StringLiteral, NumWork> Names = {
      "multiply-adds",   "register tiles",  "softmax", "score region",
      "masks",           "keys and values", "copies",  "queries and outputs",
      "factors and maps"};
  return Names[static_cast<size_t>(Of)];
}

llvm::StringRef heddle::workKey(Work Of) {
  static constexpr std::array<llvm::StringLiteral, NumWork> Keys = {
      "multiply_adds",   "register_tiles",  "softmax", "score_region",
      "masks",           "keys_and_values", "copies",  "queries_and_outputs",
      "factors_and_maps"};
  return Keys[static_cast<size_t>(Of)];
}

double Cost::total() const {
  return std::accumulate(Slots.begin(), Slots.end(), 0.0);
}

void Cost::add(const Cost &Other, double Times) {
  for (size_t I = 0; I < NumWork; ++I)
    Slots[I] += Times * Other.Slots[I];
}
