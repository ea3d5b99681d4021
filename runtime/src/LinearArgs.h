// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_LINEARARGS_H
#define HEDDLE_RUNTIME_SRC_LINEARARGS_H

#include "Binder.h"
#include "Plan.h"

namespace heddle::runtime {

/// The arguments of one launch of a linear kernel: the views of the caller's
/// tensors, checked. Nothing behind a pointer is looked at, so that tensors may
/// be in any memory.
class LinearArgs {
public:
  LinearArgs(const heddle_plan &Plan, const heddle_tensors &Tensors)
      : Entry(*Plan.Entry), Tensors(Tensors), Operands(Plan.emptyArgs()),
        Args(Operands.Args), Bind(Entry) {}
  LinearArgs(const LinearArgs &) = delete;
  LinearArgs &operator=(const LinearArgs &) = delete;

  /// A state that does not come in is left without data.
  heddle_error *bind();

  heddle_args &args() { return Args; }
  const std::vector<heddle_source> &sources() const { return Operands.Sources; }
  std::vector<heddle_source> &sources() { return Operands.Sources; }

private:
  heddle_error *bindStates();

  const heddle_entry &Entry;
  const heddle_tensors &Tensors;
  KernelArgs Operands;
  heddle_args &Args;
  Binder Bind;
};

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_LINEARARGS_H
