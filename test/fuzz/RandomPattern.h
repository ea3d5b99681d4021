// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random patterns as text, so that everything from the parser on is tested. The
// operations are those that a keep region may hold; the constants and sizes are
// those at which tiles of a few dozen queries and keys change status.

#ifndef HEDDLE_TEST_FUZZ_RANDOMPATTERN_H
#define HEDDLE_TEST_FUZZ_RANDOMPATTERN_H

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace heddle::fuzz {

struct RandomPattern {
  std::string Text; ///< a module with one pattern, @random
  std::vector<int64_t> Params;
};

/// Equal seeds give equal patterns on every machine.
RandomPattern makeRandomPattern(uint64_t Seed);

/// Uniform in [Low, High]; unlike std::uniform_int_distribution the same
/// everywhere.
int64_t pick(std::mt19937_64 &Random, int64_t Low, int64_t High);

/// How many random cases a suite runs: `Default`, or what the environment
/// variable HEDDLE_FUZZ_RUNS says.
uint64_t numRuns(uint64_t Default);

} // namespace heddle::fuzz

#endif // HEDDLE_TEST_FUZZ_RANDOMPATTERN_H
