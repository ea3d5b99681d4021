// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Linear.h"

#include "dialect/attn/reference/Failure.h"
#include "dialect/attn/reference/LinearHead.h"
#include "dialect/attn/reference/Problem.h"
#include "dialect/attn/reference/View.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

using namespace heddle::attn;

int64_t LinearProblem::queries(int64_t B) const { return countRows(Q, B); }

int64_t LinearProblem::keys(int64_t B) const { return countRows(K, B); }

int64_t LinearProblem::keysBefore(const Recurrence &What, int64_t B) const {
  return What.window() ? keys(B) - queries(B) : 0;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static llvm::Error checkState(const Recurrence &What,
                              const LinearProblem &Problem,
                              const NamedView &Given, int64_t Width) {
  if (!Given.View.data)
    return llvm::Error::success();
  if (llvm::Error E = checkView(Given))
    return E;
  const int64_t Want[4] = {Problem.batch(), Problem.heads(),
                           What.numStateRows(Problem.Q.shape[3]), Width};
  auto Text = [](const int64_t *Shape) {
    return (llvm::Twine(Shape[0]) + "x" + llvm::Twine(Shape[1]) + "x" +
            llvm::Twine(Shape[2]) + "x" + llvm::Twine(Shape[3]))
        .str();
  };
  if (Given.View.offsets || !std::equal(Want, Want + 4, Given.View.shape))
    return invalid(llvm::Twine("expected '") + Given.Name +
                   "' to have the shape " + Text(Want) + ", found " +
                   Text(Given.View.shape));
  return llvm::Error::success();
}

static llvm::Error checkLengths(const Recurrence &What,
                                const LinearProblem &Problem) {
  if (What.isBidirectional())
    return llvm::Error::success();
  for (int64_t B = 0; B < Problem.batch(); ++B) {
    const int64_t Queries = Problem.queries(B), Keys = Problem.keys(B);
    if (What.window() ? Keys < Queries : Keys != Queries)
      return invalid(
          "recurrence '" + What.name() + "' wants " +
          (What.window() ? "no fewer keys than" : "as many keys as") +
          " queries in sequence " + llvm::Twine(B) + ", found " +
          llvm::Twine(Keys) + " keys and " + llvm::Twine(Queries) + " queries");
  }
  return llvm::Error::success();
}

llvm::Error heddle::attn::checkLinear(const Recurrence &What,
                                      const LinearProblem &Problem) {
  if (Problem.Type != HEDDLE_F32 && Problem.Type != HEDDLE_F16 &&
      Problem.Type != HEDDLE_BF16)
    return invalid("expected f32, f16 or bf16 as element type");
  if (llvm::Error E =
          checkSource({"q", Problem.Q}, {"k", Problem.K}, {"v", Problem.V}))
    return E;
  if (!Problem.Origin.empty() &&
      static_cast<int64_t>(Problem.Origin.size()) != Problem.batch())
    return invalid("expected one origin per sequence, " +
                   llvm::Twine(Problem.batch()) + ", found " +
                   llvm::Twine(Problem.Origin.size()));
  if (llvm::Error E = Problem.Params.check("recurrence '" + What.name() + "'",
                                           What.params()))
    return E;
  if (What.window() && Problem.Params[*What.window()].integer() < 0)
    return invalid("expected a window of at least 0 for parameter '" +
                   What.params()[*What.window()].Name + "', found " +
                   llvm::Twine(Problem.Params[*What.window()].integer()));
  if (What.numFeatures(Problem.Q.shape[3]) > kMaxFeatures)
    return invalid("recurrence '" + What.name() + "' expands rows of " +
                   llvm::Twine(What.numMapped(Problem.Q.shape[3])) +
                   " features to more than " + llvm::Twine(kMaxFeatures));
  if (!What.hasSums() && Problem.SumsIn.data)
    return invalid("recurrence '" + What.name() +
                   "' has no normaliser, expected no sums");
  if (llvm::Error E = checkState(What, Problem, {"state_in", Problem.StateIn},
                                 Problem.V.shape[3]))
    return E;
  if (llvm::Error E = checkState(What, Problem, {"sums_in", Problem.SumsIn}, 1))
    return E;
  return checkLengths(What, Problem);
}

//===----------------------------------------------------------------------===//
// All heads
//===----------------------------------------------------------------------===//

namespace {

/// What the threads share: a task is a head of a sequence.
struct LinearJob {
  LinearJob(const Recurrence &What, const LinearProblem &Problem,
            LinearForm Form, LinearResult &Result)
      : What(What), Problem(Problem), Form(Form), Result(Result) {}

  void run() {
    int64_t Task = 0;
    Program::Scratch Registers;
    const int64_t Tasks = Problem.batch() * Problem.heads();
    while ((Task = NextTask.fetch_add(1)) < Tasks)
      if (llvm::Error E = compute(Task / Problem.heads(),
                                  Task % Problem.heads(), Registers)) {
        NextTask.store(Tasks);
        std::lock_guard<std::mutex> Guard(FailureLock);
        Failure = llvm::joinErrors(std::move(Failure), std::move(E));
        return;
      }
  }

  llvm::Error compute(int64_t B, int64_t H, Program::Scratch &Registers) {
    llvm::Expected<LinearHead> Head =
        readLinearHead(What, Problem, B, H, Registers);
    if (!Head)
      return Head.takeError();
    RowFinisher Rows(What, Problem, B, H, *Head, Registers);
    const size_t Row = Result.row(B, H, 0), StateRow = Result.stateRow(B, H, 0);
    const size_t Width = static_cast<size_t>(Result.Width);
    const bool HasSums = What.hasSums();
    const LinearOutputs Out = {
        Result.O.data() + Row * Width,
        Result.OScale.data() + Row,
        Result.State.data() + StateRow * Width,
        Result.StateScale.data() + StateRow,
        HasSums ? Result.Sums.data() + StateRow : nullptr,
        HasSums ? Result.SumsScale.data() + StateRow : nullptr};
    return Form == LinearForm::Recurrent ? recurHead(What, *Head, Rows, Out)
                                         : sumHead(What, *Head, Rows, Out);
  }

  const Recurrence &What;
  const LinearProblem &Problem;
  LinearForm Form;
  LinearResult &Result;
  std::atomic<int64_t> NextTask{0};
  std::mutex FailureLock;
  llvm::Error Failure = llvm::Error::success();
};

LinearResult makeResult(const Recurrence &What, const LinearProblem &Problem) {
  LinearResult Out;
  Out.Batch = Problem.batch();
  Out.Heads = Problem.heads();
  Out.Rows = Problem.Q.shape[2];
  Out.Width = Problem.V.shape[3];
  Out.StateRows = What.numStateRows(Problem.Q.shape[3]);
  if (Problem.Q.offsets)
    Out.RowOffsets.assign(Problem.Q.offsets, Problem.Q.offsets + Out.Batch + 1);
  const size_t Rows = static_cast<size_t>((Problem.Q.offsets ? 1 : Out.Batch) *
                                          Out.Heads * Out.Rows);
  const size_t StateRows =
      static_cast<size_t>(Out.Batch * Out.Heads * Out.StateRows);
  Out.O.resize(Rows * static_cast<size_t>(Out.Width));
  Out.OScale.resize(Rows);
  Out.State.resize(StateRows * static_cast<size_t>(Out.Width));
  Out.StateScale.resize(StateRows);
  if (What.hasSums()) {
    Out.Sums.resize(StateRows);
    Out.SumsScale.resize(StateRows);
  }
  for (int64_t B = 0; B < Out.Batch; ++B) {
    const int64_t Queries = Problem.queries(B);
    // The first sees the keys before it and its own, the next one more.
    const int64_t Pairs = What.isBidirectional()
                              ? Queries * Problem.keys(B)
                              : Queries * Problem.keysBefore(What, B) +
                                    Queries * (Queries + 1) / 2;
    Out.KeptPairs += Out.Heads * Pairs;
  }
  return Out;
}

} // namespace

llvm::Expected<LinearResult>
heddle::attn::evaluateLinear(const Recurrence &What,
                             const LinearProblem &Problem,
                             const LinearOptions &Options) {
  if (llvm::Error E = checkLinear(What, Problem))
    return std::move(E);
  LinearResult Result = makeResult(What, Problem);
  LinearJob Shared(What, Problem, Options.Form, Result);
  unsigned Threads = Options.Threads;
  if (Threads == 0)
    Threads = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> Helpers;
  for (unsigned I = 1; I < Threads && I < Problem.batch() * Problem.heads();
       ++I)
    Helpers.emplace_back([&Shared] { Shared.run(); });
  Shared.run();
  for (std::thread &Helper : Helpers)
    Helper.join();
  if (Shared.Failure)
    return std::move(Shared.Failure);
  return Result;
}
