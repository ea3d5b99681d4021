// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The values of a pattern's parameters: numbers, tables and sets, read from
// files, written out or made up, ready for a heddle_problem.

#ifndef HEDDLE_FRONTENDS_COMMON_VALUES_H
#define HEDDLE_FRONTENDS_COMMON_VALUES_H

#include "frontends/common/Settings.h"
#include "runtime/npy/Npy.h"

#include <memory>

namespace heddle::frontend {

/// The sizes that the shapes of generated operands may name.
struct Extents {
  int64_t Batch = 1;    ///< "b"
  int64_t Heads = 1;    ///< "h", query heads
  int64_t SeqQ = 0;     ///< "q", positions of queries: origin + queries
  int64_t SeqK = 0;     ///< "k", keys of one sequence
  int64_t HeadDim = 1;  ///< "d"
  int64_t ValueDim = 1; ///< "v"
  /// "f", rows of a recurrence's state; 0 where there is none.
  int64_t StateRows = 0;
};

/// "100", "q" or "k/64" (rounded up). `What` names it in errors.
ErrorText parseExtent(std::string_view Text, const std::string &What,
                      const Extents &Sizes, int64_t &Out);

/// One operand: what the caller of the runtime hands over, and its memory.
struct Operand {
  Operand() = default;
  Operand(const Operand &) = delete;
  Operand &operator=(const Operand &) = delete;

  /// Points the views at the arrays; call when these are complete.
  void finish(heddle_param_kind Kind);

  heddle_value Value = {};
  /// The table; or what the format of the sets calls for.
  npy::Array Table, Indices, Lengths, Indptr, Map;
  heddle_sets Sets = {};
  /// "table (1, 8) of i32", empty for numbers.
  std::string Summary;

private:
  heddle_tensor TableView = {}, IndicesView = {}, LengthsView = {},
                IndptrView = {}, MapView = {};
};

/// One value per parameter of a pattern.
class PatternValues {
public:
  /// Reads files and makes up what is to be made up. Fails on a file that
  /// cannot be read or has another dtype or rank; what its elements say is
  /// checked by the runtime.
  ErrorText make(const std::vector<Parameter> &Parameters,
                 const std::vector<Setting> &Settings, const Extents &Sizes);

  /// For heddle_problem.params; valid while this object lives.
  const heddle_value *data() const { return All.data(); }
  size_t size() const { return All.size(); }
  const std::vector<Parameter> &parameters() const { return Known; }
  const Operand &operand(size_t I) const { return *Operands[I]; }

private:
  std::vector<Parameter> Known;
  std::vector<std::unique_ptr<Operand>> Operands;
  std::vector<heddle_value> All;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_VALUES_H
