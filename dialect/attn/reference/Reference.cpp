// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Reference.h"

#include "dialect/attn/reference/Failure.h"
#include "dialect/attn/reference/Row.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <thread>

using namespace heddle::attn;

namespace {

/// Rows whose kept keys are held at once. Rows of a block are computed head by
/// head, so that a head's keys and values stay in cache.
constexpr int64_t BlockRows = 16;

/// What the threads share.
struct AttentionJob {
  AttentionJob(const Variant &Pattern, const AttentionProblem &Problem,
               const ReferenceOptions &Options, ReferenceResult &Result)
      : Pattern(Pattern), Problem(Problem), Options(Options), Result(Result) {}

  bool hasColumns() const { return Options.ColumnSums || Options.BlockQ > 0; }

  const Variant &Pattern;
  const AttentionProblem &Problem;
  const ReferenceOptions &Options;
  ReferenceResult &Result;
  /// By source, then b * key heads + key head.
  std::vector<std::vector<KeyHead>> Heads;
  /// A task is a block of rows of all heads, or, where columns are added up,
  /// all rows of one head: sums must not depend on the number of threads.
  int64_t Tasks = 0;
  std::atomic<int64_t> NextTask{0};
  std::atomic<int64_t> KeptPairs{0};
  std::mutex FailureLock;
  llvm::Error Failure = llvm::Error::success();
};

/// One thread: takes tasks until none is left.
class Worker {
public:
  explicit Worker(AttentionJob &Shared)
      : Shared(Shared), Problem(Shared.Problem),
        Kept(Shared.Pattern.sources().size(),
             std::vector<std::vector<KeyRun>>(BlockRows)),
        Sources(Kept.size()) {}

  void run() {
    int64_t Task = 0;
    while ((Task = Shared.NextTask.fetch_add(1)) < Shared.Tasks) {
      if (llvm::Error E =
              Shared.hasColumns() ? computeHead(Task) : computeBlock(Task)) {
        Shared.NextTask.store(Shared.Tasks);
        std::lock_guard<std::mutex> Guard(Shared.FailureLock);
        Shared.Failure =
            llvm::joinErrors(std::move(Shared.Failure), std::move(E));
        return;
      }
    }
    Shared.KeptPairs.fetch_add(Pairs);
  }

private:
  llvm::Error computeHead(int64_t Task) {
    const int64_t B = Task / Problem.heads(), H = Task % Problem.heads();
    for (First = 0; First < Problem.queries(B); First += BlockRows) {
      Last = std::min(First + BlockRows, Problem.queries(B));
      if (llvm::Error E = findKept(B, H))
        return E;
      if (llvm::Error E = computeRows(B, H))
        return E;
    }
    return llvm::Error::success();
  }

  llvm::Error computeBlock(int64_t Task) {
    First = Task * BlockRows;
    for (int64_t B = 0; B < Problem.batch(); ++B) {
      Last = std::min(First + BlockRows, Problem.queries(B));
      if (First >= Last)
        continue;
      for (int64_t H = 0; H < Problem.heads(); ++H) {
        // Kept keys are the same for every head that the pattern cannot tell
        // apart.
        if (H == 0 || Shared.Pattern.usesHead())
          if (llvm::Error E = findKept(B, H))
            return E;
        if (llvm::Error E = computeRows(B, H))
          return E;
      }
    }
    return llvm::Error::success();
  }

  llvm::Error findKept(int64_t B, int64_t H) {
    for (size_t S = 0; S < Kept.size(); ++S)
      for (int64_t I = First; I < Last; ++I) {
        std::vector<KeyRun> &Runs = Kept[S][static_cast<size_t>(I - First)];
        Runs.clear();
        if (llvm::Error E = Shared.Pattern.predicate(S).keptRuns(
                Problem.point(B, H, I, S), Registers, Runs))
          return E;
      }
    return llvm::Error::success();
  }

  llvm::Error computeRows(int64_t B, int64_t H) {
    ReferenceResult &Result = Shared.Result;
    for (int64_t I = First; I < Last; ++I) {
      for (size_t S = 0; S < Sources.size(); ++S) {
        const int64_t Head =
            B * Problem.keyView(S).shape[1] + Problem.keyHead(H, S);
        Sources[S] = {&Shared.Heads[S][static_cast<size_t>(Head)],
                      Kept[S][static_cast<size_t>(I - First)]};
      }
      const size_t At = Result.row(B, H, I);
      if (llvm::Error E = attendRow(
              Shared.Pattern, Problem, B, H, I, Sources, Registers, Row,
              Result.O.data() + At * static_cast<size_t>(Result.Width)))
        return E;
      Result.Lse[At] = Row.Lse;
      Result.RowMax[At] = Row.Max;
      Result.Spread[At] = Row.Spread;
      Pairs += static_cast<int64_t>(Row.Scores.size());
      if (Shared.hasColumns())
        addColumns(B, H, I);
    }
    return llvm::Error::success();
  }

  void addColumns(int64_t B, int64_t H, int64_t I) {
    ReferenceResult &Result = Shared.Result;
    const ReferenceOptions &Options = Shared.Options;
    size_t Index = 0;
    for (size_t S = 0; S < Sources.size(); ++S)
      for (KeyRun Run : Sources[S].Kept)
        for (int64_t J = Run.Begin; J < Run.End; ++J) {
          const double Weight = Row.Weights[Index++];
          KeyResult &Keys = Result.Sources[S];
          if (Options.ColumnSums)
            Keys.ColumnSums[Result.column(B, H, J, S)] += Weight;
          if (Options.BlockQ == 0)
            continue;
          double &Max = Keys.BlockMax[Result.block(B, H, I / Options.BlockQ,
                                                   J / Options.BlockK, S)];
          if (!(Weight <= Max))
            Max = Weight;
        }
  }

  AttentionJob &Shared;
  const AttentionProblem &Problem;
  /// By source and row of the block.
  std::vector<std::vector<std::vector<KeyRun>>> Kept;
  std::vector<RowSource> Sources;
  Program::Scratch Registers;
  RowResult Row;
  int64_t First = 0;
  int64_t Last = 0;
  int64_t Pairs = 0;
};

/// Sizes and room for the outputs.
ReferenceResult makeResult(const AttentionProblem &Problem,
                           const ReferenceOptions &Options) {
  ReferenceResult Out;
  Out.Batch = Problem.batch();
  Out.Heads = Problem.heads();
  Out.Rows = Problem.Q.shape[2];
  Out.Width = Problem.V.shape[3];
  int64_t Longest = 0;
  for (int64_t B = 0; B < Out.Batch; ++B)
    Longest = std::max(Longest, Problem.queries(B));
  auto Copy = [&](const heddle_view &View, std::vector<int64_t> &To) {
    if (View.offsets)
      To.assign(View.offsets, View.offsets + View.shape[0] + 1);
  };
  Copy(Problem.Q, Out.RowOffsets);
  auto Elements = [&](bool IsRagged, int64_t Length) {
    return static_cast<size_t>((IsRagged ? 1 : Out.Batch) * Out.Heads * Length);
  };
  const size_t Rows = Elements(!Out.RowOffsets.empty(), Out.Rows);
  Out.O.resize(Rows * static_cast<size_t>(Out.Width));
  Out.Lse.resize(Rows);
  Out.RowMax.resize(Rows);
  Out.Spread.resize(Rows);
  if (Options.BlockQ > 0)
    Out.BlockRows = llvm::divideCeil(Longest, Options.BlockQ);
  for (size_t S = 0; S < Problem.numSources(); ++S) {
    KeyResult &Keys = Out.Sources.emplace_back();
    Keys.Keys = Problem.keyView(S).shape[2];
    Copy(Problem.keyView(S), Keys.Offsets);
    if (Options.ColumnSums)
      Keys.ColumnSums.resize(Elements(!Keys.Offsets.empty(), Keys.Keys));
    if (Options.BlockQ == 0)
      continue;
    for (int64_t B = 0; B < Out.Batch; ++B)
      Keys.BlockColumns = std::max<int64_t>(
          Keys.BlockColumns,
          llvm::divideCeil(Problem.keys(B, S), Options.BlockK));
    Keys.BlockMax.resize(Elements(false, Out.BlockRows * Keys.BlockColumns));
  }
  return Out;
}

} // namespace

llvm::Expected<ReferenceResult>
heddle::attn::computeReference(const Variant &Pattern,
                               const AttentionProblem &Problem,
                               const ReferenceOptions &Options) {
  if (llvm::Error E = checkProblem(Pattern, Problem))
    return E;
  if (Options.BlockQ < 0 || Options.BlockK < 0 ||
      (Options.BlockQ == 0) != (Options.BlockK == 0))
    return invalid("expected blocks with positive numbers of rows and keys, "
                   "found " +
                   llvm::Twine(Options.BlockQ) + " and " +
                   llvm::Twine(Options.BlockK));
  ReferenceResult Result = makeResult(Problem, Options);
  AttentionJob Shared(Pattern, Problem, Options, Result);
  for (size_t S = 0; S < Problem.numSources(); ++S) {
    std::vector<KeyHead> &Heads = Shared.Heads.emplace_back();
    for (int64_t B = 0; B < Problem.batch(); ++B)
      for (int64_t H = 0; H < Problem.keyView(S).shape[1]; ++H) {
        llvm::Expected<KeyHead> Head = readKeyHead(Pattern, Problem, S, B, H);
        if (!Head)
          return Head.takeError();
        Heads.push_back(std::move(*Head));
      }
  }
  Shared.Tasks = Shared.hasColumns() ? Problem.batch() * Problem.heads()
                                     : llvm::divideCeil(Result.Rows, BlockRows);
  unsigned Threads = Options.Threads;
  if (Threads == 0)
    Threads = std::max(1U, std::thread::hardware_concurrency());
  Threads = static_cast<unsigned>(
      std::max<int64_t>(1, std::min<int64_t>(Threads, Shared.Tasks)));
  std::vector<std::thread> Helpers;
  for (unsigned I = 1; I < Threads; ++I)
    Helpers.emplace_back([&Shared] { Worker(Shared).run(); });
  Worker(Shared).run();
  for (std::thread &Helper : Helpers)
    Helper.join();
  if (Shared.Failure)
    return std::move(Shared.Failure);
  Result.KeptPairs = Shared.KeptPairs.load();
  return Result;
}
