// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parameter values as a caller gives them (`heddle_value`) made into operands
// as a kernel reads them (`heddle_operand`).

#ifndef HEDDLE_RUNTIME_SRC_OPERAND_H
#define HEDDLE_RUNTIME_SRC_OPERAND_H

#include "heddle/heddle.h"
#include "runtime/npy/ErrorText.h"

#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace heddle::runtime {

/// The extent of an axis whose one element stands for all: no coordinate
/// reaches it.
constexpr int64_t RepeatedExtent = int64_t(1) << 31;

/// Leaves new elements of a vector unset: each is written once, by who fills
/// it.
template <typename T> struct UnsetAllocator : std::allocator<T> {
  template <typename U> struct rebind {
    using other = UnsetAllocator<U>;
  };
  template <typename U> void construct(U *At) { ::new (At) U; }
  template <typename U, typename... Args>
  void construct(U *At, Args &&...Values) {
    ::new (At) U(std::forward<Args>(Values)...);
  }
};
using Integers = std::vector<int32_t, UnsetAllocator<int32_t>>;

struct PreparedTable {
  heddle_table Table = {};
  /// Owned elements and bounds of a table of integers. Elements are those of
  /// `Low`, whose rows begin with them.
  Integers Low, High;
};

struct PreparedSet {
  heddle_set Set = {};
  std::vector<uint64_t> Words;
  Integers Before, Members;
  std::vector<int64_t> Starts;
};

/// Checks a table and prepares it, in time linear in its elements. Real tables
/// stay where they are. The text names the parameter.
ErrorText prepareTable(const heddle_param &Param, const heddle_tensor *Tensor,
                       PreparedTable &Out);

/// Checks the sets of a parameter and prepares them, in time linear in what the
/// caller gives and size / 64 per set.
ErrorText prepareSet(const heddle_param &Param, const heddle_sets *Sets,
                     bool Trusted, PreparedSet &Out);

/// The operands of one problem and the memory behind them.
class OperandStore {
public:
  /// Checks all values and prepares them; `Values` has one for each of the
  /// `Count` parameters. `Trusted` leaves the members of sets unexamined;
  /// shapes, lengths and offsets are checked all the same. Throws
  /// std::bad_alloc.
  ErrorText prepare(const heddle_param *Params, int64_t Count,
                    const heddle_value *Values, bool Trusted);

  /// One per parameter; valid while the store lives, even when it is moved.
  const heddle_operand *operands() const { return Operands.data(); }
  /// What is behind the operands that are tables, and those that are sets, in
  /// the order of the parameters.
  const std::vector<std::unique_ptr<PreparedTable>> &tables() const {
    return Tables;
  }
  const std::vector<std::unique_ptr<PreparedSet>> &sets() const { return Sets; }
  /// Bytes of tables and sets.
  int64_t bytes() const;
  /// What `prepare` took for tables and sets; 0 where there are none.
  double milliseconds() const { return Milliseconds; }

private:
  std::vector<heddle_operand> Operands;
  std::vector<std::unique_ptr<PreparedTable>> Tables;
  std::vector<std::unique_ptr<PreparedSet>> Sets;
  double Milliseconds = 0;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_OPERAND_H
