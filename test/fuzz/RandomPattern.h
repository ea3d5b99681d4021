// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random patterns as text, so that everything from the parser on is tested. The
// operations are those that a keep region may hold; the constants and sizes are
// those at which tiles of a few dozen queries and keys change status.

#ifndef HEDDLE_TEST_FUZZ_RANDOMPATTERN_H
#define HEDDLE_TEST_FUZZ_RANDOMPATTERN_H

#include "heddle/heddle.h"

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace heddle::fuzz {

/// The run-time value of a parameter, with the memory behind it.
class RandomOperand {
public:
  static RandomOperand integer(int64_t Value);
  static RandomOperand table(std::vector<int64_t> Shape,
                             std::vector<int64_t> Values);
  /// Lists in row-major order of `Shape`, members in [0, Size).
  static RandomOperand sets(std::vector<int64_t> Shape, int64_t Size,
                            std::vector<std::vector<int64_t>> Lists);

  const heddle_value &value() const { return Content->Value; }
  int64_t integer() const { return Content->Value.integer; }
  /// Of a table its extents and elements, of sets the extents of their indices,
  /// their universe and members.
  const std::vector<int64_t> &shape() const { return Content->Shape; }
  const std::vector<int64_t> &elements() const { return Content->Elements[0]; }
  int64_t size() const { return Content->Sets.size; }
  const std::vector<std::vector<int64_t>> &lists() const {
    return Content->Lists;
  }
  heddle_param_kind kind() const { return Kind; }
  int32_t rank() const { return Rank; }
  std::string describe() const;

private:
  struct Memory {
    heddle_value Value = {};
    heddle_sets Sets = {};
    std::array<heddle_tensor, 2> Tensors = {};
    std::array<std::vector<int64_t>, 2> Shapes, Elements;
    std::vector<int64_t> Shape;
    std::vector<std::vector<int64_t>> Lists;
    void set(size_t Which, std::vector<int64_t> Shape,
             std::vector<int64_t> Values);
  };
  RandomOperand(heddle_param_kind Kind, int32_t Rank)
      : Kind(Kind), Rank(Rank), Content(std::make_shared<Memory>()) {}

  heddle_param_kind Kind;
  int32_t Rank;
  std::shared_ptr<Memory> Content;
};

struct RandomPattern {
  std::string Text; ///< a module with one pattern, @random
  std::vector<RandomOperand> Operands;

  /// Extents of the token grid, outermost axis first.
  std::vector<int64_t> Extents;

  /// One per operand, as the runtime takes them.
  std::vector<heddle_value> values() const;
  std::vector<heddle_param> params() const;
  std::string describe() const;
};

/// Coordinates a pattern with tables and sets can be asked for.
constexpr int64_t NumTableBatches = 3, NumTableHeads = 6,
                  NumTablePositions = 256;

enum class Flavour {
  Plain,
  Tables, ///< parameters are tables and sets too; queries must not be negative
  Grid,   ///< on a token grid of two or three axes, whose extents come first
};

/// Equal seeds give equal patterns on every machine.
RandomPattern makeRandomPattern(uint64_t Seed, Flavour Kind = Flavour::Plain);

/// Uniform in [Low, High]; unlike std::uniform_int_distribution the same
/// everywhere.
int64_t pick(std::mt19937_64 &Random, int64_t Low, int64_t High);

/// How many random cases a suite runs: `Default`, or what the environment
/// variable HEDDLE_FUZZ_RUNS says.
uint64_t numRuns(uint64_t Default);

/// The seed of the first: 0, or what HEDDLE_FUZZ_FIRST says.
uint64_t firstRun();

} // namespace heddle::fuzz

#endif // HEDDLE_TEST_FUZZ_RANDOMPATTERN_H
