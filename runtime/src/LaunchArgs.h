// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_LAUNCHARGS_H
#define HEDDLE_RUNTIME_SRC_LAUNCHARGS_H

#include "Binder.h"
#include "Plan.h"

#include <algorithm>

namespace heddle::runtime {

/// The arguments of one launch of attention: the views of the caller's tensors,
/// checked. Nothing behind a pointer is looked at, so that tensors may be in
/// any memory.
class LaunchArgs {
public:
  LaunchArgs(const heddle_plan &Plan, const heddle_tensors &Tensors)
      : Plan(Plan), Entry(*Plan.Entry), Tensors(Tensors),
        Operands(Plan.emptyArgs()), Args(Operands.Args), Bind(Entry) {}
  LaunchArgs(const LaunchArgs &) = delete;
  LaunchArgs &operator=(const LaunchArgs &) = delete;

  heddle_error *bind();

  heddle_args &args() { return Args; }
  std::vector<heddle_source> &sources() { return Operands.Sources; }
  /// Whether the launch has a second sweep, over all sources or one.
  bool wantsColumns() const {
    const std::vector<heddle_source> &Sources = Operands.Sources;
    return std::any_of(
        Sources.begin(), Sources.end(),
        [](const heddle_source &Source) { return wantsColumns(Source); });
  }
  static bool wantsColumns(const heddle_source &Source) {
    return Source.column_sums.data || Source.block_max.data;
  }
  /// Whether the second sweep needs an lse that the caller does not want.
  bool lacksLse() const;
  /// Lays that lse out gapless; returns for how many elements its memory, the
  /// `data` of the view, must have room.
  int64_t placeLse();

private:
  heddle_error *bindSources();
  /// Attention has no state.
  heddle_error *refuseStates();
  /// Column sums and block maxima of all sources.
  heddle_error *bindColumns();

  const heddle_plan &Plan;
  const heddle_entry &Entry;
  const heddle_tensors &Tensors;
  KernelArgs Operands;
  heddle_args &Args;
  Binder Bind;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_LAUNCHARGS_H
