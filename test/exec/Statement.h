// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Statements about examples: their kernels, on all levels of this machine,
// against attention written out.

#ifndef HEDDLE_TEST_EXEC_STATEMENT_H
#define HEDDLE_TEST_EXEC_STATEMENT_H

#include "frontends/cpp/Compiler.h"
#include "test/exec/Dense.h"
#include "test/exec/Values.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace heddle::exec {

/// The values of parameters by their names.
using Values = std::map<std::string, Value>;

/// A text with patterns, and what has been compiled of it.
class Statement {
public:
  /// `examples/Name.mlir`.
  static Statement example(const std::string &Name);
  explicit Statement(std::string Text, std::string Pattern = "");

  const std::string &text() const { return Text; }
  const std::string &pattern() const { return Pattern; }
  /// The same with every `Old` replaced; there must be one.
  Statement with(const std::string &Old, const std::string &New) const;

  /// Compiles for the level (the best one when empty) and launches once.
  testing::AssertionResult run(const Inputs &In, const Values &Params,
                               Outputs &Out, const std::string &Level = "",
                               const OutputOptions &More = {}) const;
  /// The result on the best level; fails the running test when there is none.
  Outputs result(const Inputs &In, const Values &Params) const;
  /// Whether every level gives what `attend` gives, and counts as many pairs.
  testing::AssertionResult equals(const Inputs &In, const Values &Params,
                                  const Keep &Kept, const Change &Score = {},
                                  const Change &Factor = {}) const;
  /// The message with which the runtime refuses the problem; empty if it does
  /// not.
  std::string refusal(const Inputs &In, const Values &Params) const;

private:
  std::string Text;
  std::string Pattern;
  std::shared_ptr<std::map<std::string, std::unique_ptr<Program>>> Programs;
};

/// heddle_merge of partial results over disjoint sets of keys.
Outputs merge(const Inputs &In, const std::vector<Outputs> &Parts);

/// The levels this machine runs, best first.
std::vector<std::string> levels();

/// One value per parameter of the entry; those without one take their defaults.
testing::AssertionResult bindValues(const heddle_entry &Entry,
                                    const Values &Params,
                                    std::vector<heddle_value> &Out);
/// Compiles in memory.
testing::AssertionResult compileText(const std::string &Text,
                                     const CompileOptions &Options,
                                     std::unique_ptr<Program> &Out);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_STATEMENT_H
