// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random patterns through the whole compiler, with random levels, schedules and
// shapes, against the interpreter; on this machine and on emulated devices.

#include "dialect/attn/reference/Variant.h"
#include "test/exec/Kernels.h"
#include "test/fuzz/RandomPattern.h"

#include "gmock/gmock.h"

#include <atomic>
#include <thread>

using namespace heddle;
using namespace heddle::exec;
using namespace heddle::fuzz;

namespace {

enum class Machine { Host, Device };

/// One random kernel, and a few problems for it.
class KernelRun {
public:
  KernelRun(Compiler &Host, uint64_t Seed, Flavour Kind, Machine Where)
      : Host(Host), Seed(Seed), Kind(Kind), Where(Where), Random(Seed * 2 + 1) {
  }

  /// False when the compiler refuses the pattern: few grow too large for it.
  bool run() {
    const RandomPattern Made = makeRandomPattern(Seed, Kind);
    const Result<Pattern> What = Pattern::parse(
        Host, Made.Text, "seed" + std::to_string(Seed) + ".mlir");
    if (!What) {
      EXPECT_THAT(What.failure().str(), testing::HasSubstr("expected at most"));
      return false;
    }
    check(*What, Made);
    return true;
  }

private:
  void check(const Pattern &What, const RandomPattern &Made) {
    KernelSpec Spec;
    Spec.HeadDim = headDim();
    Spec.ValueDim = headDim();
    const bool IsDevice = Where == Machine::Device;
    const std::vector<std::string> Levels =
        IsDevice ? emulatedLevels() : hostLevels();
    if (IsDevice)
      Spec.Dtype = Dtypes[Seed % std::size(Dtypes)];
    Spec.Level = Levels[static_cast<size_t>(
        pick(Random, 0, static_cast<int64_t>(Levels.size()) - 1))];
    // On a grid, tiles are boxes, which the target knows to choose; blocks may
    // cut them anywhere.
    if (Kind != Flavour::Grid)
      Spec.Schedule = randomSchedule(Random, Spec.Level);
    else if (pick(Random, 0, 1) == 0)
      Spec.Outputs = {true, true, pick(Random, 1, 100), pick(Random, 1, 100)};
    if (IsDevice && Kind != Flavour::Grid && pick(Random, 0, 2) == 0) {
      // Tiles are of whole blocks.
      Spec.Schedule = {};
      Spec.Outputs = {true, true, 16 << pick(Random, 0, 2),
                      16 << pick(Random, 0, 2)};
    }
    if (!IsDevice && !What.variant().usesHead())
      Spec.Schedule.Heads = pick(Random, 1, 4);
    Spec.ShortQueries = Kind != Flavour::Grid && !Spec.Outputs.ColumnSums &&
                        pick(Random, 0, 3) == 0;
    const std::optional<Program> Kernel = compile(Host, What, Spec);
    ASSERT_TRUE(Kernel) << "seed " << Seed << "\n" << Made.Text;
    const int NumProblems = IsDevice ? 2 : 3;
    for (int Problem = 0; Problem < NumProblems; ++Problem) {
      const Sizes Of = sizes(Made, Spec.ShortQueries);
      Operands Data(Of, Spec, static_cast<Layout>(pick(Random, 0, 2)),
                    static_cast<Placement>(pick(Random, 0, 1)));
      if (IsDevice && pick(Random, 0, 3) == 0)
        Data.Scale = pick(Random, 0, 1) == 0 ? -0.25F : 0.5F;
      // Values around 0 would cancel in the long rows of a narrow v, and leave
      // the rounding of the summands.
      for (int64_t B = 0; B < Of.tensorBatch(); ++B)
        for (int64_t H = 0; H < Of.HeadsKv; ++H)
          for (int64_t J = 0; J < Of.SeqK; ++J)
            for (int64_t T = 0; T < Spec.ValueDim; ++T)
              Data.V.set(B, H, J, T, Data.V.get(B, H, J, T) + 2);
      ASSERT_TRUE(launchAndCompare(What, Spec, *Kernel, Of, Data,
                                   static_cast<int32_t>(pick(Random, 1, 3))))
          << "seed " << Seed << "\n"
          << Made.describe();
    }
  }

  int64_t headDim() {
    return pick(Random, 0, 3) == 0 ? pick(Random, 1, 80) : pick(Random, 1, 20);
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

  Sizes ragged(int64_t HeadsQ, int64_t HeadsKv) {
    std::vector<int64_t> Queries, Keys;
    for (int64_t B = pick(Random, 1, 4); B > 0; --B) {
      Queries.push_back(length() / 2);
      Keys.push_back(length() / 2);
    }
    return Sizes::ragged(HeadsQ, HeadsKv, Queries, Keys);
  }

  /// The same sets in any of the forms that a caller may give.
  Value valueOf(const RandomOperand &Operand) {
    if (Operand.kind() == HEDDLE_INTEGER)
      return Operand.integer();
    if (Operand.kind() != HEDDLE_SET)
      return Value::table(Operand.shape(), Operand.elements());
    switch (pick(Random, 0, Operand.shape().empty() ? 1 : 2)) {
    case 0:
      return Value::sets(Operand.shape(), Operand.size(), Operand.lists());
    case 1:
      return Value::map(Operand.shape(), Operand.size(), Operand.lists());
    default:
      return Value::csr(Operand.shape(), Operand.size(), Operand.lists());
    }
  }

  Sizes sizes(const RandomPattern &Made, bool IsShort) {
    Sizes Of;
    Of.Batch = pick(Random, 1, 2);
    // Two heads that share keys are all that is new for an emulated device.
    const bool IsDevice = Where == Machine::Device;
    Of.HeadsKv = IsDevice ? 1 : pick(Random, 1, 2);
    Of.HeadsQ = Of.HeadsKv * pick(Random, 1, IsDevice ? 2 : 3);
    Of.SeqQ = IsShort ? pick(Random, 1, 3) : length();
    // Long enough for devices to split them.
    Of.SeqK = length() * (IsDevice && IsShort ? 4 : 1);
    if (IsDevice && Kind == Flavour::Plain && pick(Random, 0, 3) == 0)
      Of = ragged(Of.HeadsQ, Of.HeadsKv);
    std::vector<Value> Params;
    for (const RandomOperand &Operand : Made.Operands)
      Params.push_back(valueOf(Operand));
    Of.Params = std::move(Params);
    int64_t Low = -90, High = 300;
    switch (Kind) {
    case Flavour::Plain:
      break;
    case Flavour::Tables: // Every position must be one that tables have.
      Of.SeqQ = std::min(Of.SeqQ, NumTablePositions);
      Of.SeqK = std::min(Of.SeqK, NumTablePositions);
      Low = 0;
      High = NumTablePositions - Of.SeqQ;
      break;
    case Flavour::Grid:
      Of.SeqQ = 1;
      for (int64_t Extent : Made.Extents)
        Of.SeqQ *= Extent;
      Of.SeqK = Of.SeqQ;
      return Of;
    }
    for (int64_t B = 0; B < Of.Batch; ++B)
      Of.Origin.push_back(pick(Random, 0, 2) == 0 ? pick(Random, Low, High)
                                                  : 0);
    return Of;
  }

  static constexpr heddle_dtype Dtypes[] = {HEDDLE_F16, HEDDLE_BF16,
                                            HEDDLE_F32};
  Compiler &Host;
  uint64_t Seed;
  Flavour Kind;
  Machine Where;
  std::mt19937_64 Random;
};

void checkKernels(uint64_t Runs, Flavour Kind, Machine Where = Machine::Host) {
  const uint64_t Begin = firstRun();
  std::atomic<uint64_t> Next{Begin}, Refused{0};
  auto Work = [&] {
    Compiler Host;
    while (!testing::Test::HasFailure()) {
      // Every refused pattern has a successor in its stead.
      const uint64_t Seed = Next.fetch_add(1);
      if (Seed >= Begin + Runs + Refused)
        return;
      Refused += !KernelRun(Host, Seed, Kind, Where).run();
    }
  };
  std::vector<std::thread> Helpers;
  for (unsigned I = 1; I < std::thread::hardware_concurrency(); ++I)
    Helpers.emplace_back(Work);
  Work();
  for (std::thread &Helper : Helpers)
    Helper.join();
  EXPECT_LE(Refused * 20, Runs + 20);
}

TEST(KernelFuzz, AgreesWithTheInterpreter) {
  checkKernels(numRuns(500), Flavour::Plain);
}

TEST(KernelFuzz, AgreesOnTablesAndSets) {
  checkKernels(numRuns(300), Flavour::Tables);
}

TEST(KernelFuzz, AgreesOnGrids) { checkKernels(numRuns(150), Flavour::Grid); }

TEST(DeviceFuzz, AgreesWithTheInterpreter) {
  checkKernels(numRuns(4), Flavour::Plain, Machine::Device);
}

TEST(DeviceFuzz, AgreesOnTablesAndSets) {
  checkKernels(numRuns(4), Flavour::Tables, Machine::Device);
}

TEST(DeviceFuzz, AgreesOnGrids) {
  checkKernels(numRuns(3), Flavour::Grid, Machine::Device);
}

} // namespace
