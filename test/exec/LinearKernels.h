// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a recurrence to a launch that has been compared with the interpreter.

#ifndef HEDDLE_TEST_EXEC_LINEARKERNELS_H
#define HEDDLE_TEST_EXEC_LINEARKERNELS_H

#include "test/exec/Kernels.h"

namespace heddle::attn {
class Recurrence;
} // namespace heddle::attn

namespace heddle::exec {

/// A recurrence as the compiler and the interpreter see it.
class RecurrenceText {
public:
  /// Fails the running test, and has no content, when the text is refused.
  RecurrenceText(Compiler &Host, std::string Text);
  RecurrenceText(RecurrenceText &&) noexcept;
  RecurrenceText &operator=(RecurrenceText &&) noexcept;
  ~RecurrenceText();

  bool isGood() const { return Content != nullptr; }
  const std::string &text() const;
  const attn::Recurrence &meaning() const;
  /// Null, with a failure of the running test, when `Spec` cannot be compiled.
  std::optional<Program> compile(Compiler &Host, const KernelSpec &Spec) const;

private:
  struct Impl;
  std::unique_ptr<Impl> Content;
};

/// The schedule with that chunk.
ScheduleOptions chunk(int64_t Tokens);

/// The tensors of one launch. The states that come in are absent until they are
/// made; those that come out are there, unless they are dropped.
struct LinearOperands {
  LinearOperands(const Sizes &Of, const KernelSpec &Spec, const Program &Kernel,
                 Layout Order = Layout::Bhsd,
                 Placement Where = Placement::BeforeGuard, uint64_t Seed = 1);

  /// Makes the state that comes in one that random tokens leave, as the
  /// interpreter has it.
  void comeFrom(const RecurrenceText &What, const KernelSpec &Spec,
                const Sizes &Of, uint64_t Seed = 77);
  bool gapsIntact() const;
  /// All outputs.
  bool sameResults(const LinearOperands &Other) const;

  Tensor Q, K, V, O;
  std::optional<Tensor> StateIn, SumsIn, StateOut, SumsOut;
  float Scale = 0; ///< 0 means the default
};

/// Plans and launches once. `Stats`, if given, receives the plan's counts.
testing::AssertionResult launchLinear(const Program &Kernel, const Sizes &Of,
                                      const LinearOperands &Data,
                                      int32_t Threads = 2,
                                      heddle_stats *Stats = nullptr);

/// Launches for tokens up to each of `Ends`, each with the state of the one
/// before it, which is advanced in place, and a window's keys again.
testing::AssertionResult launchParts(const Program &Kernel, const Sizes &Of,
                                     const std::vector<int64_t> &Ends,
                                     const LinearOperands &Data,
                                     int64_t Window = 0);

/// Compares what a launch has written with the interpreter: o, state and sums.
testing::AssertionResult compareLinear(const RecurrenceText &What,
                                       const KernelSpec &Spec, const Sizes &Of,
                                       const LinearOperands &Data);

/// The same with the interpreter's sums over pairs of tokens.
testing::AssertionResult comparePairs(const RecurrenceText &What,
                                      const KernelSpec &Spec, const Sizes &Of,
                                      const LinearOperands &Data);

/// Launches on one thread and on two, which must agree bit by bit, and compares
/// with the interpreter. Nothing between the rows of a tensor may have changed.
/// A failure shows what differs, and recurrence, kernel and sizes.
testing::AssertionResult runAndCompare(const RecurrenceText &What,
                                       const KernelSpec &Spec,
                                       const Program &Kernel, const Sizes &Of,
                                       LinearOperands &Data);

/// The same with random tensors, and, where `Continues`, a state that comes in.
testing::AssertionResult
checkLinear(const RecurrenceText &What, const KernelSpec &Spec,
            const Program &Kernel, const Sizes &Of, bool Continues = false,
            Layout Order = Layout::Bhsd, uint64_t Seed = 1);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_LINEARKERNELS_H
