// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the benchmarks share: the examples as input, and failing loudly.

#ifndef HEDDLE_BENCH_COMMON_H
#define HEDDLE_BENCH_COMMON_H

#include "frontends/cpp/Compiler.h"

#include <benchmark/benchmark.h>
#include <string>

namespace heddle::bench {

/// The path of an example, "a_shape" for examples/a_shape.mlir.
inline std::string examplePath(const std::string &Name) {
  return std::string(HEDDLE_EXAMPLES_DIR) + "/" + Name + ".mlir";
}

/// Reports an error of the runtime as the benchmark's; false when there was
/// one.
inline bool check(benchmark::State &State, heddle_error *Error) {
  if (!Error)
    return true;
  State.SkipWithError(heddle_error_message(Error));
  heddle_error_free(Error);
  return false;
}

} // namespace heddle::bench

#endif // HEDDLE_BENCH_COMMON_H
