// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// No access outside: every tensor and the workspace end, or begin, at a page
// without access. An access there ends the program, after naming the problem.

#include "heddle/index.h"
#include "test/exec/Kernels.h"

#include <csignal>
#include <cstring>
#include <unistd.h>

using namespace heddle;
using namespace heddle::exec;

namespace {

/// What is running, for the signal handler.
std::string &running() {
  static std::string Text;
  return Text;
}

void report(int Signal) {
  const char Head[] = "access outside of a tensor: ";
  const std::string &Text = running();
  (void)!write(STDERR_FILENO, Head, sizeof(Head) - 1);
  (void)!write(STDERR_FILENO, Text.data(), Text.size());
  (void)!write(STDERR_FILENO, "\n", 1);
  // Returning repeats the access, now with the default action.
  (void)signal(Signal, SIG_DFL);
}

/// Reports accesses while it lives.
class Watch {
public:
  Watch() {
    struct sigaction Action = {};
    Action.sa_handler = report;
    sigaction(SIGSEGV, &Action, &Before);
  }
  ~Watch() { sigaction(SIGSEGV, &Before, nullptr); }
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;

private:
  struct sigaction Before;
};

/// Runs all tasks of a problem on this thread, in a workspace of our own.
void runTasks(const heddle_code &Code, const Sizes &Of, const Operands &Data,
              void *Workspace) {
  heddle_args Args = {};
  Args.q = Data.Q.view();
  const heddle_source Source = {Data.K.view(), Data.V.view(), {}, {}};
  Args.sources = &Source;
  Args.index = heddle_index_functions();
  Args.o = Data.O.view();
  Args.lse = Data.Lse.view();
  Args.origin = Of.Origin.data();
  std::vector<heddle_operand> Params;
  for (int64_t Integer : Of.Params.integers()) {
    Params.emplace_back();
    Params.back().integer = Integer;
  }
  Args.operands = Params.data();
  Args.scale = 0.125F;
  for (int64_t B = 0; B < Of.Batch; ++B)
    for (int64_t H = 0; H < Of.HeadsQ; ++H)
      for (int64_t T = 0; T * Code.query_tile < Of.SeqQ; ++T)
        Code.task(&Args, B, H, T, Workspace);
}

using GuardCase = std::tuple<std::string, std::string>;

class Guards : public testing::TestWithParam<GuardCase> {
protected:
  Compiler Host;
};

constexpr std::pair<int64_t, int64_t> GuardedLengths[] = {
    {0, 0},   {1, 1},     {63, 63},     {64, 64},  {65, 65},  {500, 500},
    {0, 64},  {64, 0},    {1000, 1000}, {1, 1000}, {65, 500}, {500, 63},
    {47, 49}, {1000, 65}, {16, 8},      {17, 9},
};

TEST_P(Guards, NoAccessOutside) {
  const auto &[Level, Name] = GetParam();
  const Pattern What = Pattern::example(Host, Name);
  const Watch Watching;
  for (auto [Qk, V] : {std::pair(40, 64), std::pair(33, 7)}) {
    KernelSpec Spec;
    Spec.HeadDim = Qk;
    Spec.ValueDim = V;
    Spec.Level = Level;
    std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel);
    const heddle_code *Code = nullptr;
    ASSERT_TRUE(succeeded(heddle_kernel_code(Kernel->kernel(), &Code)));
    for (auto [SeqQ, SeqK] : GuardedLengths)
      for (auto [Where, Order] :
           {std::pair(Placement::BeforeGuard, Layout::Bhsd),
            std::pair(Placement::BeforeGuard, Layout::Bshd),
            std::pair(Placement::AfterGuard, Layout::Bhsd)}) {
        const Sizes Of = {1, 2, 1, SeqQ, SeqK, {7}, What.defaults()};
        running() = commandLine(What, Spec, Of);
        Operands Direct(Of, Spec, Order, Where);
        const GuardedBlock Workspace(static_cast<size_t>(Code->workspace_bytes),
                                     Where, 64);
        // Its contents mean nothing.
        std::memset(Workspace.data(), 0xff,
                    static_cast<size_t>(Code->workspace_bytes));
        runTasks(*Code, Of, Direct, Workspace.data());
        // What the runtime does gives the same.
        Operands Launched(Of, Spec, Order, Where);
        Launched.Scale = 0.125F;
        ASSERT_TRUE(launch(*Kernel, Of, Launched)) << running();
        ASSERT_TRUE(Launched.sameResults(Direct)) << running();
      }
  }
}

std::string caseName(const testing::TestParamInfo<GuardCase> &Info) {
  std::string Text = std::get<0>(Info.param) + "_" + std::get<1>(Info.param);
  for (char &C : Text)
    if (!std::isalnum(C))
      C = '_';
  return Text;
}

INSTANTIATE_TEST_SUITE_P(Examples, Guards,
                         testing::Combine(testing::ValuesIn(hostLevels()),
                                          testing::ValuesIn(exampleNames())),
                         caseName);

/// The guards guard.
TEST(GuardsDeathTest, AccessOutsideEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Tensor After({1, 1, 3, 5}, Layout::Bhsd, Placement::BeforeGuard);
  const Tensor Before({1, 1, 3, 5}, Layout::Bhsd, Placement::AfterGuard);
  volatile float *End = &After.at(0, 0, 3, 0);
  volatile float *Front = &Before.at(0, 0, 0, -1);
  EXPECT_DEATH(*End = 1, "");
  EXPECT_DEATH(*Front = 1, "");
}

} // namespace
