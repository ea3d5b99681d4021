// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What --set says, read but not yet looked up: files are not opened, and sizes
// of the problem need not be known. docs/operands.md describes the language.

#ifndef HEDDLE_FRONTENDS_COMMON_SETTINGS_H
#define HEDDLE_FRONTENDS_COMMON_SETTINGS_H

#include "heddle/heddle.h"
#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::frontend {

/// A pattern parameter as a front end sees it.
struct Parameter {
  std::string Name;
  heddle_param_kind Kind = HEDDLE_INTEGER;
  /// Axes of a table, indices of a set.
  int32_t Rank = 0;
  /// Of an integer, of a real.
  std::optional<int64_t> Default = std::nullopt;
  std::optional<double> RealDefault = std::nullopt;
  /// A value that would do, for messages; empty for one by kind and rank.
  std::string Example = {};
};

/// The parameters of a compiled kernel.
std::vector<Parameter> parametersOf(const heddle_entry &Entry);

/// A list written out: "[1, 5]", "[[1], [2, 3]]".
struct WrittenList {
  /// Elements, where the list holds lists.
  std::vector<WrittenList> Lists;
  /// Elements, where it holds numbers, as they are written.
  std::vector<std::string> Numbers;

  /// 1 for a list of numbers; the first element decides.
  int32_t depth() const { return Lists.empty() ? 1 : 1 + Lists[0].depth(); }
};

/// One value of --set.
struct Setting {
  enum class Form {
    Scalar,    ///< a number
    Written,   ///< a list
    File,      ///< a table in a .npy file
    Lists,     ///< sets as lists, with or without lengths
    Csr,       ///< sets as indptr and indices
    Map,       ///< sets as a boolean map
    Generated, ///< "random:0..9@1xq"
  };
  Form Is = Form::Scalar;
  int64_t Integer = 0;
  double Real = 0;
  WrittenList List;
  /// One or two.
  std::vector<std::string> Paths;
  /// Of a generated operand: "random", "0..9", and "1xq" where there is one.
  std::string Generator, Argument;
  std::optional<std::string> Shape;
  /// What follows: ",size=k/64,seed=3".
  std::optional<std::string> Size;
  std::optional<uint64_t> Seed;
};

/// Matches the "name=value" items of --set with the parameters of `Owner`
/// ("pattern 'causal'", "recurrence 'retnet'"): one setting per parameter, in
/// their order. Fails on an unknown or repeated name, a value that is not of
/// the parameter's kind, an integer outside of
/// [-2^31, 2^31), and a parameter without value and default.
ErrorText parseSettings(const std::string &Owner,
                        const std::vector<Parameter> &Parameters,
                        const std::vector<std::string> &Items,
                        std::vector<Setting> &Out);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_SETTINGS_H
