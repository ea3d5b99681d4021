// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether a kernel's output is right, decided before any of its times counts.

#ifndef HEDDLE_BENCH_WORKER_ROWCHECK_H
#define HEDDLE_BENCH_WORKER_ROWCHECK_H

#include "frontends/heddle/Interpreter.h"

namespace heddle::bench {

struct RowCheck {
  /// Rows that were compared.
  int64_t Rows = 0;
  /// All rows were, and the number of kept pairs too.
  bool IsComplete = false;
  frontend::CheckResult Found;
  /// What differs; empty when nothing does.
  std::string Why;

  bool passed() const { return Why.empty(); }
};

/// Problems of at most so many (query, key) pairs are checked completely.
inline constexpr double CompletePairs = 1 << 20;

/// Compares the output with the interpreter: all of it where the problem is
/// small, otherwise the first row, the last, and rows at random up to `Rows` in
/// all.
ErrorText checkRows(const cli::Interpreter &Reference,
                    const frontend::Problem &Sizes,
                    const frontend::TensorTypes &Types,
                    const frontend::OutputTensors &Data,
                    const frontend::Report &Facts, int64_t Rows, RowCheck &Out);

} // namespace heddle::bench

#endif // HEDDLE_BENCH_WORKER_ROWCHECK_H
