// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recurrences of every kind for tests of their kernels.

#ifndef HEDDLE_TEST_EXEC_LINEARTEXTS_H
#define HEDDLE_TEST_EXEC_LINEARTEXTS_H

#include "test/exec/LinearKernels.h"

#include <functional>

namespace heddle::exec {

/// What tables are made for: positions [0, Positions).
struct TableExtents {
  int64_t Heads, Positions, HeadDim, ValueDim;
};

/// A recurrence, and random values for its parameters.
struct LinearText {
  std::string Name;
  std::string Text;
  std::function<ValueList(std::mt19937_64 &, const TableExtents &)> Params;
  /// The largest head dim whose expansion is not too large for a test.
  int64_t MostHeadDim = 512;
  bool IsBidirectional = false;
  bool HasWindow = false;
  bool CanScan = true;

  ValueList values(const Sizes &Of, const KernelSpec &Spec,
                   uint64_t Seed = 5) const;
};

const std::vector<LinearText> &linearTexts();
const LinearText &linearText(const std::string &Name);

/// The name of a text is that of a test about it.
inline std::string nameOf(const testing::TestParamInfo<std::string> &Info) {
  return Info.param;
}

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_LINEARTEXTS_H
