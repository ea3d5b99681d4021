// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values of pattern parameters for tests.

#ifndef HEDDLE_TEST_EXEC_VALUES_H
#define HEDDLE_TEST_EXEC_VALUES_H

#include "heddle/heddle.h"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <random>
#include <vector>

namespace heddle::exec {

/// One value. Copies share what it holds, which never changes.
class Value {
public:
  Value(int64_t Integer);
  Value(int Integer) : Value(static_cast<int64_t>(Integer)) {}
  Value(double Real);

  /// Tables in row-major order; an axis of extent 1 stands for all values of
  /// its index.
  static Value table(std::vector<int64_t> Shape, std::vector<int64_t> Elements);
  static Value table(std::vector<int64_t> Shape, std::vector<float> Elements);
  /// A set for every element of `Shape`, as ascending lists of [0, Size).
  static Value sets(std::vector<int64_t> Shape, int64_t Size,
                    const std::vector<std::vector<int64_t>> &Rows);
  /// The same sets as CSR along the last axis, and as a map.
  static Value csr(std::vector<int64_t> Shape, int64_t Size,
                   const std::vector<std::vector<int64_t>> &Rows);
  static Value map(std::vector<int64_t> Shape, int64_t Size,
                   const std::vector<std::vector<int64_t>> &Rows);

  /// Numbers in [Low, High].
  static Value randomIntegers(std::mt19937_64 &Random,
                              std::vector<int64_t> Shape, int64_t Low,
                              int64_t High);
  static Value randomReals(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                           float Low, float High);
  /// Ascending numbers along the last axis that begin at 0: document ids.
  static Value sorted(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                      int64_t Groups);
  /// Sets in any format, of different kinds: empty, full, the ends, one member,
  /// few, many.
  static Value randomSets(std::mt19937_64 &Random, std::vector<int64_t> Shape,
                          int64_t Size);

  const heddle_value &get() const;

private:
  struct Content;
  explicit Value(std::shared_ptr<Content> Held);
  std::shared_ptr<Content> Held;
};

/// One value per parameter of a pattern, in its order.
class ValueList {
public:
  ValueList() = default;
  ValueList(std::initializer_list<Value> Values) : All(Values) {}
  ValueList(std::vector<Value> Values) : All(std::move(Values)) {}
  /// Integers only.
  ValueList(const std::vector<int64_t> &Values)
      : All(Values.begin(), Values.end()) {}

  size_t size() const { return All.size(); }
  bool empty() const { return All.empty(); }
  const Value &operator[](size_t I) const { return All[I]; }
  /// For heddle_problem.params.
  std::vector<heddle_value> get() const;
  /// Only where all are integers.
  std::vector<int64_t> integers() const;

private:
  std::vector<Value> All;
};

/// A random ascending list of `Count` <= Size members of [0, Size).
std::vector<int64_t> chooseMembers(std::mt19937_64 &Random, int64_t Size,
                                   int64_t Count);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_VALUES_H
