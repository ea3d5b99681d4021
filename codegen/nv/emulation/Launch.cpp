// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/nv/emulation/Launch.h"

#include "codegen/nv/emulation/Cta.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

#include <atomic>
#include <mutex>
#include <thread>

using namespace heddle::ptx;
using llvm::Twine;

static constexpr uint64_t MaxThreads = 1024;

/// Why a launch is not possible; empty: it is.
static std::string refusal(const LaunchState &L) {
  auto Product = [](const uint32_t *Of) {
    return uint64_t(Of[0]) * Of[1] * Of[2];
  };
  const LaunchConfig &C = L.Config;
  uint64_t Threads = Product(C.Block), Most = Product(L.Info.MaxThreads),
           Exactly = Product(L.Info.RequiredThreads);
  if (!Product(C.Grid) || !Threads)
    return "the grid or a CTA is empty";
  if (Threads > MaxThreads)
    return ("a CTA of " + Twine(Threads) + " threads: at most " +
            Twine(MaxThreads) + " are possible")
        .str();
  if (Most && Threads > Most)
    return ("a CTA of " + Twine(Threads) + " threads: .maxntid allows " +
            Twine(Most))
        .str();
  if (Exactly && Threads != Exactly)
    return ("a CTA of " + Twine(Threads) + " threads: .reqntid requires " +
            Twine(Exactly))
        .str();
  if (C.Parameters.size() != L.Info.ParameterBytes)
    return (Twine(C.Parameters.size()) +
            " bytes of parameters: the kernel has " +
            Twine(L.Info.ParameterBytes))
        .str();
  if (L.SharedBytes > L.How.SharedLimit)
    return (Twine(L.SharedBytes) + " bytes of shared memory: a CTA can have " +
            Twine(L.How.SharedLimit))
        .str();
  return {};
}

namespace {
/// CTAs handed out to host threads in order; the fault of the lowest one
/// counts.
class Grid {
public:
  explicit Grid(const LaunchState &L)
      : L(L), Count(uint64_t(L.Config.Grid[0]) * L.Config.Grid[1] *
                    L.Config.Grid[2]) {}

  void work() {
    CtaState Cta(L);
    for (uint64_t N = Next++; N < Count && N < FaultAt; N = Next++)
      if (!Cta.run(N)) {
        std::lock_guard<std::mutex> Lock(Mutex);
        if (N < FaultAt) {
          FaultAt = N;
          Found = Cta.Found;
        }
        break;
      }
    std::lock_guard<std::mutex> Lock(Mutex);
    Counts.Ctas += Cta.Counts.Ctas;
    Counts.Instructions += Cta.Counts.Instructions;
    Counts.MatrixInstructions += Cta.Counts.MatrixInstructions;
    Counts.GlobalBytes += Cta.Counts.GlobalBytes;
    Counts.SharedBytes += Cta.Counts.SharedBytes;
    Counts.AsyncBytes += Cta.Counts.AsyncBytes;
    Counts.Barriers += Cta.Counts.Barriers;
  }

  std::optional<Fault> Found;
  Stats Counts;

private:
  const LaunchState &L;
  uint64_t Count;
  std::atomic<uint64_t> Next{0}, FaultAt{~uint64_t(0)};
  std::mutex Mutex;
};
} // namespace

std::optional<Fault> heddle::ptx::run(const Program &Of, const Kernel &Entry,
                                      const LaunchConfig &Config, Device &On,
                                      const Options &How, Stats *Counted) {
  LaunchState L{Of,    Of.module(), Of.module().Functions[Entry.Function],
                Entry, Config,      On,
                How};
  L.StaticShared = llvm::alignTo(Entry.SharedBytes, L.Code.DynamicSharedAlign);
  L.SharedBytes = (Config.DynamicShared ? L.StaticShared : Entry.SharedBytes) +
                  Config.DynamicShared;
  for (const Function &F : L.Code.Functions)
    L.UsesAsync |= F.UsesAsync;
  L.Threads = Config.Block[0] * Config.Block[1] * Config.Block[2];
  if (std::string Why = refusal(L); !Why.empty()) {
    Fault F;
    F.Message = "cannot launch: " + Why;
    F.Kernel = Entry.Name;
    return F;
  }
  On.load(Of);
  Grid Work(L);
  std::vector<std::thread> Helpers;
  for (unsigned T = 1; T < How.Threads; ++T)
    Helpers.emplace_back([&] { Work.work(); });
  Work.work();
  for (std::thread &T : Helpers)
    T.join();
  if (Counted)
    *Counted = Work.Counts;
  return Work.Found;
}
