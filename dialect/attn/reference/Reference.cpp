// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/Reference.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>

using namespace heddle::attn;

namespace {

constexpr double Infinity = std::numeric_limits<double>::infinity();

/// Rows whose kept keys are held at once. Rows of a block are computed head by
/// head, so that a head's keys and values stay in cache.
constexpr int64_t BlockRows = 16;

double dot(const double *A, const double *B, int64_t N) {
  // Independent sums, so that additions need not wait for one another.
  constexpr int64_t Lanes = 8;
  double Sum[Lanes] = {};
  int64_t I = 0;
  for (; I + Lanes <= N; I += Lanes)
    for (int64_t L = 0; L < Lanes; ++L)
      Sum[L] += A[I + L] * B[I + L];
  for (int64_t L = 0; I < N; ++I, ++L)
    Sum[L] += A[I] * B[I];
  return ((Sum[0] + Sum[4]) + (Sum[1] + Sum[5])) +
         ((Sum[2] + Sum[6]) + (Sum[3] + Sum[7]));
}

/// Calls `Function(Key)` for every kept key in ascending order.
template <typename FunctionT>
void forEachKey(llvm::ArrayRef<KeyRun> Kept, FunctionT Function) {
  for (KeyRun Run : Kept)
    for (int64_t J = Run.Begin; J < Run.End; ++J)
      Function(J);
}

llvm::Error invalid(const llvm::Twine &Message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), Message);
}

} // namespace

llvm::Error heddle::attn::checkProblem(const Predicate &Pattern,
                                       const AttentionProblem &Problem) {
  struct Named {
    const char *Name;
    const heddle_view &View;
  } Views[] = {{"q", Problem.Q}, {"k", Problem.K}, {"v", Problem.V}};
  for (const Named &N : Views) {
    for (int64_t Size : N.View.shape)
      if (Size < 0)
        return invalid(llvm::Twine("'") + N.Name + "' has the negative size " +
                       llvm::Twine(Size));
    if (!N.View.data && llvm::all_of(N.View.shape, [](int64_t S) { return S; }))
      return invalid(llvm::Twine("'") + N.Name + "' has no data");
  }
  auto Same = [&](const char *What, const Named &A, const Named &B,
                  int Axis) -> llvm::Error {
    if (A.View.shape[Axis] == B.View.shape[Axis])
      return llvm::Error::success();
    return invalid(llvm::Twine("expected '") + A.Name + "' and '" + B.Name +
                   "' to have the same " + What + ", found " +
                   llvm::Twine(A.View.shape[Axis]) + " and " +
                   llvm::Twine(B.View.shape[Axis]));
  };
  if (auto E = Same("batch", Views[0], Views[1], 0))
    return E;
  if (auto E = Same("batch", Views[0], Views[2], 0))
    return E;
  if (auto E = Same("number of heads", Views[1], Views[2], 1))
    return E;
  if (auto E = Same("number of keys", Views[1], Views[2], 2))
    return E;
  if (auto E = Same("head dim", Views[0], Views[1], 3))
    return E;
  const int64_t HeadsQ = Problem.Q.shape[1];
  const int64_t HeadsKv = Problem.K.shape[1];
  if (HeadsQ != 0 && (HeadsKv == 0 || HeadsQ % HeadsKv != 0))
    return invalid("the " + llvm::Twine(HeadsQ) +
                   " heads of 'q' are not a multiple of the " +
                   llvm::Twine(HeadsKv) + " heads of 'k'");
  if (!Problem.Origin.empty() &&
      static_cast<int64_t>(Problem.Origin.size()) != Problem.batch())
    return invalid("expected one origin per sequence, " +
                   llvm::Twine(Problem.batch()) + ", found " +
                   llvm::Twine(Problem.Origin.size()));
  if (Problem.Params.size() != Pattern.numParams())
    return invalid("pattern '" + Pattern.name() + "' has " +
                   llvm::Twine(Pattern.numParams()) + " parameters, found " +
                   llvm::Twine(Problem.Params.size()) + " values");
  return llvm::Error::success();
}

void heddle::attn::widenRow(const heddle_view &View, int64_t B, int64_t H,
                            int64_t I, double *Out) {
  const auto *Row = static_cast<const float *>(View.data) + B * View.stride[0] +
                    H * View.stride[1] + I * View.stride[2];
  for (int64_t T = 0; T < View.shape[3]; ++T)
    Out[T] = static_cast<double>(Row[T * View.stride[3]]);
}

void heddle::attn::widenHead(const heddle_view &View, int64_t B, int64_t H,
                             std::vector<double> &Out) {
  const auto Width = static_cast<size_t>(View.shape[3]);
  const size_t First = Out.size();
  Out.resize(First + static_cast<size_t>(View.shape[2]) * Width);
  if (Width == 0)
    return;
  for (int64_t I = 0; I < View.shape[2]; ++I)
    widenRow(View, B, H, I,
             Out.data() + First + static_cast<size_t>(I) * Width);
}

void heddle::attn::attendRow(const double *Query, const KeyHead &Head,
                             double Scale, llvm::ArrayRef<KeyRun> Kept,
                             RowResult &Row, double *Out) {
  Row.Scores.clear();
  Row.Weights.clear();
  std::fill_n(Out, Head.Width, 0.0);
  double Max = -Infinity;
  bool AnyNan = false;
  forEachKey(Kept, [&](int64_t J) {
    double Score = Scale * dot(Query, Head.K + J * Head.Depth, Head.Depth);
    AnyNan |= std::isnan(Score);
    Max = std::max(Max, Score);
    Row.Scores.push_back(Score);
  });
  if (Max == -Infinity && !AnyNan) {
    Row.Weights.assign(Row.Scores.size(), 0.0);
    Row.Lse = -Infinity;
    return;
  }
  double Sum = 0;
  for (double Score : Row.Scores) {
    Row.Weights.push_back(std::exp(Score - Max));
    Sum += Row.Weights.back();
  }
  for (double &Weight : Row.Weights)
    Weight /= Sum;
  Row.Lse = Max + std::log(Sum);
  size_t Index = 0;
  forEachKey(Kept, [&](int64_t J) {
    const double Weight = Row.Weights[Index++];
    const double *Value = Head.V + J * Head.Width;
    for (int64_t T = 0; T < Head.Width; ++T)
      Out[T] += Weight * Value[T];
  });
}

namespace {

/// What the threads share.
struct Job {
  Job(const Predicate &Pattern, const AttentionProblem &Problem,
      ReferenceResult &Result)
      : Pattern(Pattern), Problem(Problem), Result(Result) {}

  const Predicate &Pattern;
  const AttentionProblem &Problem;
  ReferenceResult &Result;
  std::vector<std::vector<double>> Keys; ///< by b * key heads + key head
  std::vector<std::vector<double>> Values;
  std::atomic<int64_t> NextBlock{0};
  std::atomic<int64_t> KeptPairs{0};
  std::mutex FailureLock;
  llvm::Error Failure = llvm::Error::success();
};

/// One thread: takes blocks of rows until none is left.
class Worker {
public:
  explicit Worker(Job &Shared)
      : Shared(Shared), Problem(Shared.Problem),
        Query(static_cast<size_t>(Problem.Q.shape[3])), Kept(BlockRows) {}

  void run() {
    const int64_t Rows = Problem.queries();
    const int64_t Blocks = (Rows + BlockRows - 1) / BlockRows;
    int64_t Block = 0;
    while ((Block = Shared.NextBlock.fetch_add(1)) < Blocks) {
      First = Block * BlockRows;
      Last = std::min(First + BlockRows, Rows);
      if (llvm::Error E = computeBlock()) {
        Shared.NextBlock.store(Blocks);
        std::lock_guard<std::mutex> Guard(Shared.FailureLock);
        Shared.Failure =
            llvm::joinErrors(std::move(Shared.Failure), std::move(E));
        return;
      }
    }
    Shared.KeptPairs.fetch_add(Pairs);
  }

private:
  llvm::Error computeBlock() {
    const Predicate &Pattern = Shared.Pattern;
    for (int64_t B = 0; B < Problem.batch(); ++B)
      for (int64_t H = 0; H < Problem.heads(); ++H) {
        // Kept keys are the same for every head and sequence that the pattern
        // cannot tell apart.
        bool Known = (B > 0 || H > 0) && (H == 0 || !Pattern.usesHead()) &&
                     (H > 0 || (!Pattern.usesBatch() && !Pattern.usesHead() &&
                                Problem.origin(B) == Problem.origin(B - 1)));
        if (!Known)
          if (llvm::Error E = findKept(B, H))
            return E;
        computeRows(B, H);
      }
    return llvm::Error::success();
  }

  llvm::Error findKept(int64_t B, int64_t H) {
    for (int64_t I = First; I < Last; ++I) {
      PredicatePoint At;
      At.B = B;
      At.H = H;
      At.Q = I + Problem.origin(B);
      At.NumKeys = Problem.keys();
      At.Params = Problem.Params;
      std::vector<KeyRun> &Runs = Kept[static_cast<size_t>(I - First)];
      Runs.clear();
      if (llvm::Error E = Shared.Pattern.keptRuns(At, Registers, Runs))
        return E;
    }
    return llvm::Error::success();
  }

  void computeRows(int64_t B, int64_t H) {
    ReferenceResult &Result = Shared.Result;
    auto Index =
        static_cast<size_t>(B * Problem.K.shape[1] + Problem.keyHead(H));
    KeyHead Head{Shared.Keys[Index].data(), Shared.Values[Index].data(),
                 Problem.Q.shape[3], Result.Width};
    for (int64_t I = First; I < Last; ++I) {
      const std::vector<KeyRun> &Runs = Kept[static_cast<size_t>(I - First)];
      widenRow(Problem.Q, B, H, I, Query.data());
      const size_t At = Result.row(B, H, I);
      attendRow(Query.data(), Head, Problem.Scale, Runs, Row,
                Result.O.data() + At * static_cast<size_t>(Result.Width));
      Result.Lse[At] = Row.Lse;
      Pairs += static_cast<int64_t>(Row.Scores.size());
    }
  }

  Job &Shared;
  const AttentionProblem &Problem;
  std::vector<double> Query;
  std::vector<std::vector<KeyRun>> Kept; ///< by row of the block
  Predicate::Scratch Registers;
  RowResult Row;
  int64_t First = 0;
  int64_t Last = 0;
  int64_t Pairs = 0;
};

} // namespace

llvm::Expected<ReferenceResult>
heddle::attn::computeReference(const Predicate &Pattern,
                               const AttentionProblem &Problem,
                               unsigned Threads) {
  if (llvm::Error E = checkProblem(Pattern, Problem))
    return E;
  ReferenceResult Result;
  Result.Batch = Problem.batch();
  Result.Heads = Problem.heads();
  Result.Rows = Problem.queries();
  Result.Width = Problem.V.shape[3];
  const auto Rows =
      static_cast<size_t>(Result.Batch * Result.Heads * Result.Rows);
  Result.O.resize(Rows * static_cast<size_t>(Result.Width));
  Result.Lse.resize(Rows);

  Job Shared(Pattern, Problem, Result);
  for (int64_t B = 0; B < Problem.batch(); ++B)
    for (int64_t H = 0; H < Problem.K.shape[1]; ++H) {
      widenHead(Problem.K, B, H, Shared.Keys.emplace_back());
      widenHead(Problem.V, B, H, Shared.Values.emplace_back());
    }

  if (Threads == 0)
    Threads = std::max(1U, std::thread::hardware_concurrency());
  const int64_t Blocks = (Result.Rows + BlockRows - 1) / BlockRows;
  Threads = static_cast<unsigned>(
      std::max<int64_t>(1, std::min<int64_t>(Threads, Blocks)));
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
