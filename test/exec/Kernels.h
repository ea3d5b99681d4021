// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a pattern to a launch that has been compared with the interpreter.

#ifndef HEDDLE_TEST_EXEC_KERNELS_H
#define HEDDLE_TEST_EXEC_KERNELS_H

#include "frontends/cpp/Compiler.h"
#include "test/exec/Tensors.h"
#include "test/exec/Values.h"

#include "gtest/gtest.h"

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

// Their headers cost more to compile than all the rest; a test that asks them
// includes them.
namespace heddle::attn {
class HostPattern;
class Predicate;
class Variant;
} // namespace heddle::attn

namespace heddle::exec {

/// A pattern or combination as the compiler, the interpreter and the algebra
/// see it. Of a text with several, the one that no other uses.
class Pattern {
public:
  /// Fails when the compiler refuses the text.
  static Result<Pattern> parse(Compiler &Host, const std::string &Text,
                               const std::string &Name);
  /// The file `Name`.mlir of the examples. Stops the test program, saying why,
  /// when it is refused.
  static Pattern example(Compiler &Host, const std::string &Name);
  Pattern(Pattern &&) noexcept;
  Pattern &operator=(Pattern &&) noexcept;
  ~Pattern();

  const Source &source() const;
  const attn::Variant &variant() const;
  /// The keep region, of a combination that of its first source.
  const attn::Predicate &predicate() const;
  /// The formula on integers; only where all parameters are.
  attn::HostPattern sets(int64_t NumKeys,
                         const std::vector<int64_t> &Params) const;

  /// How a command line names it.
  const std::string &path() const;
  const PatternInfo &info() const;
  /// The defaults; every example has one for every parameter.
  std::vector<int64_t> defaults() const;

private:
  struct Impl;
  explicit Pattern(std::unique_ptr<Impl> Content);
  static Result<Pattern> make(Compiler &Host, Source Parsed,
                              const std::string &Path);
  std::unique_ptr<Impl> Content;
};

inline int64_t ceilDivide(int64_t X, int64_t Y) { return (X + Y - 1) / Y; }

/// The names of all examples, ascending, that are a softmax over a keep region
/// of plain sequences with nothing but integers for parameters, each with a
/// default: what tests of lengths, parameters and memory need. Found in their
/// folder, so none of these can be forgotten.
std::vector<std::string> exampleNames();

/// The levels this machine runs, best first.
std::vector<std::string> hostLevels();

/// Levels of devices whose code runs in the emulation.
const std::vector<std::string> &emulatedLevels();
bool isEmulated(const std::string &Level);

/// "f32", "f16" or "bf16".
const char *dtypeName(heddle_dtype Dtype);

/// What to compile.
struct KernelSpec {
  int64_t HeadDim = 64;
  int64_t ValueDim = 0; ///< 0 means HeadDim
  std::string Level;    ///< empty means the best of this machine
  ScheduleOptions Schedule;
  heddle_dtype Dtype = HEDDLE_F32;
  /// That of q, k and v where there is none.
  std::optional<heddle_dtype> OutputDtype;
  OutputOptions Outputs;
  bool ShortQueries = false;
  bool Tf32 = false;
  bool LineInfo = false;
  /// A recurrence over pairs of tokens.
  bool Quadratic = false;
  /// KB of a device's shared memory; 0 for what the level has.
  int64_t SharedMemory = 0;
  /// Every level takes in an emulated device: for small problems.
  bool OnDevices = false;

  int64_t valueDim() const { return ValueDim ? ValueDim : HeadDim; }
  heddle_dtype outputDtype() const { return OutputDtype.value_or(Dtype); }
  std::string str() const;
  /// As --schedule takes it; empty where nothing is chosen.
  std::string schedule() const;
};

/// A schedule that `Level` can be compiled with.
ScheduleOptions randomSchedule(std::mt19937_64 &Random,
                               const std::string &Level);

/// Null, with a failure of the running test that shows why, when `Spec` cannot
/// be compiled.
std::optional<Program> compile(Compiler &Host, const Pattern &What,
                               const KernelSpec &Spec);

/// One problem for a kernel.
struct Sizes {
  int64_t Batch = 1, HeadsQ = 1, HeadsKv = 1, SeqQ = 0, SeqK = 0;
  /// One per sequence; empty means all 0.
  std::vector<int64_t> Origin;
  ValueList Params;
  /// Of a ragged batch, where its sequences begin and the last one ends; SeqQ
  /// and SeqK are the sums then (see `ragged`).
  std::vector<int64_t> CuSeqlensQ = {}, CuSeqlensK = {};
  /// Keys of the further sources.
  std::vector<int64_t> MoreKeys = {};
  /// See heddle_problem.
  int64_t Segments = 0;
  int64_t Multiprocessors = 0;

  /// A ragged batch with sequences of these lengths.
  static Sizes ragged(int64_t HeadsQ, int64_t HeadsKv,
                      const std::vector<int64_t> &LengthsQ,
                      const std::vector<int64_t> &LengthsK,
                      ValueList Params = {});
  bool isRagged() const { return !CuSeqlensQ.empty(); }
  int64_t tensorBatch() const { return isRagged() ? 1 : Batch; }
  size_t numSources() const { return 1 + MoreKeys.size(); }
};

/// The problem as the runtime takes it; valid while both live.
class RuntimeProblem {
public:
  explicit RuntimeProblem(const Sizes &Of);
  const heddle_problem *get() const { return &Problem; }

private:
  std::vector<heddle_value> Params;
  heddle_problem Problem = {};
};

/// The factor on q.k that a kernel gets: what is given, or for 0 its own.
double scaleOf(const KernelSpec &Spec, float Given);
/// The view of a tensor whose sequences begin at `Offsets`, if there are any.
heddle_view viewOf(const Tensor &T, const std::vector<int64_t> &Offsets);

/// The tensors of one launch; the inputs hold the same for equal sizes and
/// seeds, whatever the layout. In the packed layout q, k and v share memory,
/// and the outputs are bshd.
struct Operands {
  Operands(const Sizes &Of, const KernelSpec &Spec, Layout Order = Layout::Bhsd,
           Placement Where = Placement::BeforeGuard, uint64_t Seed = 1);

  bool gapsIntact() const;
  /// All outputs.
  bool sameResults(const Operands &Other) const;

  /// Absent but in the packed layout.
  std::optional<Tensor> Packed;
  Tensor Q, K, V, O, Lse;
  std::vector<Tensor> MoreK, MoreV;
  /// Those that the kernel was asked for.
  std::optional<Tensor> RowMax;
  std::vector<Tensor> ColumnSums, BlockMax; ///< By source.
  float Scale = 0;                          ///< 0 means the default
};

template <auto Destroy> struct Deleter {
  template <typename T> void operator()(T *Object) const { Destroy(Object); }
};
using PlanHandle = std::unique_ptr<heddle_plan, Deleter<heddle_plan_destroy>>;

/// A pool that lives as long as the program, one for each number of threads.
heddle_pool *pool(int32_t Threads);

/// Null, with a failure of the running test, when it cannot be planned.
PlanHandle makePlan(const Program &Kernel, const Sizes &Of);

/// Whether the runtime reported nothing. Frees the error.
testing::AssertionResult succeeded(heddle_error *Error);

/// Plans and launches once. `Stats`, if given, receives the plan's counts.
testing::AssertionResult launch(const Program &Kernel, const Sizes &Of,
                                Operands &Data, int32_t Threads = 2,
                                heddle_stats *Stats = nullptr);

/// Launches, and compares all outputs and the number of kept pairs with the
/// interpreter. Nothing between the rows of a tensor may have changed. A
/// failure shows what differs, and a command line that compiles and checks the
/// same kernel.
testing::AssertionResult launchAndCompare(const Pattern &What,
                                          const KernelSpec &Spec,
                                          const Program &Kernel,
                                          const Sizes &Of, Operands &Data,
                                          int32_t Threads = 2);

/// A pattern compiled for every level of this machine, and if the kernel asks
/// for it for a device that is emulated:
///
///   OnEveryLevel Kernels(Host, R"(attn.pattern @p(%w: index) keep(...)
///   {...})"); EXPECT_TRUE(Kernels.agree({1, 4, 2, 65, 200, {}, {37}}));
///
/// Reports a failure of the running test where the text is refused; `agree`
/// then fails too.
class OnEveryLevel {
public:
  OnEveryLevel(Compiler &Host, const std::string &Text, KernelSpec Spec = {});

  /// Launches on every level with random tensors and compares with the
  /// interpreter.
  testing::AssertionResult agree(const Sizes &Of, Layout Order = Layout::Bhsd,
                                 uint64_t Seed = 1);
  /// Only when the text was accepted.
  const Pattern &pattern() const { return *What; }
  const std::vector<Program> &programs() const { return Programs; }

private:
  std::optional<Pattern> What;
  KernelSpec Spec;
  std::vector<std::string> Levels;
  std::vector<Program> Programs;
};

/// The command line; `B` is the sequence whose origin it takes.
std::string commandLine(const Pattern &What, const KernelSpec &Spec,
                        const Sizes &Of, int64_t B = 0);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_KERNELS_H
