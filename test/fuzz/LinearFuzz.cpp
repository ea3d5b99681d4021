// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random recurrences through the whole compiler, with random levels, chunks,
// shapes and states, against the interpreter; on this machine and on emulated
// devices.

#include "test/exec/LinearKernels.h"
#include "test/fuzz/RandomPattern.h"
#include "test/fuzz/RandomRecurrence.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <thread>

using namespace heddle;
using namespace heddle::exec;
using namespace heddle::fuzz;

namespace {

/// One random kernel, and a few problems for it.
class LinearRun {
public:
  LinearRun(Compiler &Host, uint64_t Seed, bool OnDevice)
      : Host(Host), Seed(Seed), OnDevice(OnDevice), Random(Seed * 2 + 1),
        Made(makeRandomRecurrence(Seed)) {}

  void run() {
    const RecurrenceText What(Host, Made.Text);
    ASSERT_TRUE(What.isGood()) << reproducer();
    KernelSpec Spec;
    Spec.HeadDim = headDim();
    Spec.ValueDim = pick(Random, 1, 70);
    const std::vector<std::string> Levels =
        OnDevice ? emulatedLevels() : hostLevels();
    Spec.Level = Levels[static_cast<size_t>(
        pick(Random, 0, static_cast<int64_t>(Levels.size()) - 1))];
    constexpr int64_t Chunks[] = {0, 0, 16, 32, 64, 256};
    Spec.Schedule = chunk(Chunks[pick(Random, 0, OnDevice ? 3 : 5)]);
    constexpr heddle_dtype Types[] = {HEDDLE_F32, HEDDLE_F32, HEDDLE_F32,
                                      HEDDLE_F16, HEDDLE_BF16};
    Spec.Dtype = Types[pick(Random, 0, 4)];
    const std::optional<Program> Kernel = What.compile(Host, Spec);
    ASSERT_TRUE(Kernel) << reproducer();
    const int NumProblems = OnDevice ? 2 : 3;
    for (int Problem = 0; Problem < NumProblems; ++Problem) {
      const Sizes Of = sizes(Spec);
      ASSERT_TRUE(checkLinear(What, Spec, *Kernel, Of, pick(Random, 0, 1) == 0,
                              static_cast<Layout>(pick(Random, 0, 2)),
                              static_cast<uint64_t>(Problem) + 1))
          << reproducer() << ", problem " << Problem;
    }
  }

private:
  std::string reproducer() const {
    return "HEDDLE_FUZZ_FIRST=" + std::to_string(Seed) +
           " HEDDLE_FUZZ_RUNS=1 heddle-fuzz-tests "
           "--gtest_filter=" +
           (OnDevice ? "DeviceFuzz.AgreesOnRecurrences" : "LinearFuzz.*");
  }

  /// Expansions of more elements take long.
  int64_t headDim() {
    const int64_t Most = Made.Power == 1   ? 80
                         : Made.Power == 2 ? 20
                         : Made.Power == 3 ? 10
                                           : 6;
    return pick(Random, 1, std::max<int64_t>(1, Most / Made.NumFeatures));
  }

  int64_t length() {
    switch (pick(Random, 0, 5)) {
    case 0:
      return pick(Random, 0, 3);
    case 1:
      return 64 * pick(Random, 1, 4) + pick(Random, -1, 1);
    default:
      return pick(Random, 1, 260);
    }
  }

  Sizes sizes(const KernelSpec &Spec) {
    Sizes Of;
    const int64_t HeadsKv = OnDevice ? 1 : pick(Random, 1, 2);
    const int64_t HeadsQ = HeadsKv * pick(Random, 1, OnDevice ? 2 : 3);
    int64_t Longest = 9;
    auto More = [&](int64_t Tokens) {
      if (Made.IsBidirectional)
        return length();
      return Tokens + (Made.HasWindow ? pick(Random, 0, 80) : 0);
    };
    if (pick(Random, 0, 3) == 0) {
      std::vector<int64_t> Queries, Keys;
      for (int64_t B = pick(Random, 1, 5); B > 0; --B) {
        Queries.push_back(pick(Random, 0, 2) == 0 ? pick(Random, 0, 2)
                                                  : pick(Random, 0, 120));
        Keys.push_back(More(Queries.back()));
        Longest = std::max({Longest, Queries.back(), Keys.back()});
      }
      Of = Sizes::ragged(HeadsQ, HeadsKv, Queries, Keys);
    } else {
      Of.Batch = pick(Random, 1, 2);
      Of.HeadsQ = HeadsQ;
      Of.HeadsKv = HeadsKv;
      Of.SeqQ = length();
      Of.SeqK = More(Of.SeqQ);
      Longest = std::max({Longest, Of.SeqQ, Of.SeqK});
    }
    // Tables have no negative positions, where the keys before the first query
    // of a window would be.
    int64_t Before = 0;
    if (Made.HasWindow)
      Before = 400;
    for (int64_t B = 0; B < Of.Batch; ++B)
      Of.Origin.push_back(Before + pick(Random, 0, 40));
    // Devices work sequences off in one piece.
    Of.Segments =
        pick(Random, 0, 1) == 0 ? 0 : pick(Random, 1, OnDevice ? 1 : 6);
    Of.Params = Made.values(Random, {Of.Batch, HeadsQ, Longest + Before + 40,
                                     Spec.HeadDim, Spec.valueDim()});
    return Of;
  }

  Compiler &Host;
  uint64_t Seed;
  bool OnDevice;
  std::mt19937_64 Random;
  RandomRecurrence Made;
};

void checkRecurrences(uint64_t Runs, bool OnDevice) {
  const uint64_t Begin = firstRun();
  const uint64_t End = Begin + Runs;
  std::atomic<uint64_t> Next{Begin};
  auto Work = [&] {
    Compiler Host;
    while (!testing::Test::HasFailure()) {
      const uint64_t Seed = Next.fetch_add(1);
      if (Seed >= End)
        return;
      LinearRun(Host, Seed, OnDevice).run();
    }
  };
  std::vector<std::thread> Helpers;
  for (unsigned I = 1; I < std::thread::hardware_concurrency(); ++I)
    Helpers.emplace_back(Work);
  Work();
  for (std::thread &Helper : Helpers)
    Helper.join();
}

TEST(LinearFuzz, AgreesWithTheInterpreter) {
  checkRecurrences(numRuns(200), /*OnDevice=*/false);
}

TEST(DeviceFuzz, AgreesOnRecurrences) {
  checkRecurrences(numRuns(3), /*OnDevice=*/true);
}

} // namespace
