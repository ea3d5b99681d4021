// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random lists and random shapes, in all dtypes, through kernels of the
// families that live on lists, against the interpreter. Every kernel is
// compiled once; what varies is what varies at run time.

#include "test/exec/Kernels.h"
#include "test/fuzz/RandomPattern.h"

#include <atomic>
#include <functional>
#include <thread>

using namespace heddle;
using namespace heddle::exec;
using namespace heddle::fuzz;

namespace {

using Engine = std::mt19937_64;

/// A pattern, and how its operands are drawn for a problem.
struct Family {
  const char *Text;
  std::function<std::vector<Value>(Engine &, const Sizes &)> Draw;
};

int64_t blocks(int64_t Length, int64_t Size) {
  return std::max<int64_t>(1, (Length + Size - 1) / Size);
}

/// Positions of queries, the origins included.
int64_t queryEnd(const Sizes &Of) {
  int64_t End = 1;
  for (int64_t B = 0; B < Of.Batch; ++B)
    End = std::max(End, Of.SeqQ + (Of.Origin.empty() ? 0 : Of.Origin[B]));
  return End;
}
int64_t atLeastOne(int64_t Length) { return std::max<int64_t>(1, Length); }

/// An axis of a table: as long as it is used, or one element for all.
int64_t orOne(Engine &Random, int64_t Extent) {
  return pick(Random, 0, 3) ? Extent : 1;
}

std::vector<Family> families() {
  return {
      {R"(
attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
       [](Engine &Random, const Sizes &Of) {
         std::vector<Value> Values;
         Values.push_back(Value::randomSets(
             Random, {orOne(Random, Of.Batch), orOne(Random, Of.HeadsQ)},
             atLeastOne(Of.SeqK)));
         Values.push_back(Value::randomSets(Random, {orOne(Random, Of.HeadsQ)},
                                            queryEnd(Of)));
         return Values;
       }},
      {R"(
attn.pattern @columns(%cols: !attn.set) keep(%b, %h, %q, %k) {
  %column = attn.in %k, %cols[]
  attn.keep %column
})",
       [](Engine &Random, const Sizes &Of) {
         return std::vector<Value>{
             Value::randomSets(Random, {}, atLeastOne(Of.SeqK))};
       }},
      {R"(
attn.pattern @blocks(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %c32 = arith.constant 32 : index
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c32 : index
  %kept = attn.in %column, %rows[%b, %h, %row]
  attn.keep %kept
})",
       [](Engine &Random, const Sizes &Of) {
         return std::vector<Value>{Value::randomSets(Random,
                                                     {orOne(Random, Of.Batch),
                                                      orOne(Random, Of.HeadsQ),
                                                      blocks(queryEnd(Of), 64)},
                                                     blocks(Of.SeqK, 32))};
       }},
      {R"(
attn.pattern @stripes(%stripes: !attn.set, %w: index) keep(%b, %h, %q, %k) {
  %c16 = arith.constant 16 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %w : index
  %row = arith.floordivsi %q, %c16 : index
  %stripe = attn.in %k, %stripes[%h, %row]
  %either = arith.ori %near, %stripe : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})",
       [](Engine &Random, const Sizes &Of) {
         return std::vector<Value>{Value::randomSets(Random,
                                                     {orOne(Random, Of.HeadsQ),
                                                      blocks(queryEnd(Of), 16)},
                                                     atLeastOne(Of.SeqK)),
                                   Value(pick(Random, 0, 40))};
       }},
      {R"(
attn.pattern @documents(%doc: tensor<?x?xindex>, %from: tensor<?xindex>)
    keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %start = attn.at %from[%h] : tensor<?xindex>
  %late = arith.cmpi sge, %k, %start : index
  %kept = arith.andi %same, %late : i1
  attn.keep %kept
})",
       [](Engine &Random, const Sizes &Of) {
         std::vector<int64_t> Shape = {
             orOne(Random, Of.Batch),
             std::max(queryEnd(Of), atLeastOne(Of.SeqK))};
         return std::vector<Value>{
             pick(Random, 0, 2) ? Value::sorted(Random, Shape, 6)
                                : Value::randomIntegers(
                                      Random, Shape, int64_t(-1), int64_t(3)),
             Value::randomIntegers(Random, {orOne(Random, Of.HeadsQ)}, -5, 60)};
       }},
      {R"(
attn.pattern @chunks(%chunk: tensor<?xindex>, %rows: !attn.set)
    keep(%b, %h, %q, %k) {
  %i = attn.at %chunk[%q] : tensor<?xindex>
  %j = attn.at %chunk[%k] : tensor<?xindex>
  %kept = attn.in %j, %rows[%h, %i]
  attn.keep %kept
})",
       [](Engine &Random, const Sizes &Of) {
         int64_t Length = std::max(queryEnd(Of), atLeastOne(Of.SeqK));
         return std::vector<Value>{
             Value::sorted(Random, {Length}, 9),
             Value::randomSets(Random, {orOne(Random, Of.HeadsQ), 9}, 9)};
       }},
  };
}

/// A family's kernels, one per dtype and output dtype drawn, each compiled when
/// it is first asked for.
struct Kernels {
  Kernels(Compiler &Host, const Family &Of, uint64_t Number, bool OnDevice)
      : Host(Host), Of(Of),
        What(Pattern::parse(Host, Of.Text,
                            "family" + std::to_string(Number) + ".mlir")) {
    EXPECT_TRUE(What) << What.failure().str();
    const std::vector<std::string> Levels = hostLevels();
    uint64_t Turn = Number;
    for (heddle_dtype Dtype : {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16}) {
      KernelSpec Spec;
      Spec.Dtype = Dtype;
      // Any level must do, and the best one most of all.
      Spec.Level = OnDevice   ? emulatedLevels().front()
                   : Turn % 2 ? Levels[Turn % Levels.size()]
                              : Levels.front();
      Spec.HeadDim = static_cast<int64_t>(8 + 16 * (Turn % 3));
      Spec.ValueDim = static_cast<int64_t>(5 + 11 * (Turn % 4));
      if (Turn++ % 3 == 0)
        Spec.OutputDtype = HEDDLE_F32;
      All.emplace_back(Spec, std::nullopt);
    }
  }

  using Kernel = std::pair<KernelSpec, std::optional<Program>>;
  /// Without a program where it does not compile.
  const Kernel &get(uint64_t Number) {
    Kernel &Result = All[Number % All.size()];
    if (!Result.second)
      Result.second = compile(Host, *What, Result.first);
    return Result;
  }

  Compiler &Host;
  const Family &Of;
  Result<Pattern> What;
  std::vector<Kernel> All;
};

int64_t drawLength(Engine &Random) {
  switch (pick(Random, 0, 5)) {
  case 0:
    return pick(Random, 0, 3);
  case 1:
    return 64 * pick(Random, 1, 3) + pick(Random, -1, 1);
  default:
    return pick(Random, 1, 200);
  }
}

/// `Seed` draws the problem, `Number` the kernel.
void checkDraw(Kernels &Which, uint64_t Number, uint64_t Seed) {
  Engine Random(Seed);
  const auto &[Spec, Kernel] = Which.get(Number);
  ASSERT_TRUE(Kernel);
  Sizes Of;
  Of.Batch = pick(Random, 1, 2);
  Of.HeadsKv = pick(Random, 1, 2);
  Of.HeadsQ = Of.HeadsKv * pick(Random, 1, 2);
  Of.SeqQ = drawLength(Random);
  Of.SeqK = drawLength(Random);
  if (pick(Random, 0, 2) == 0)
    for (int64_t B = 0; B < Of.Batch; ++B)
      Of.Origin.push_back(pick(Random, 0, 100));
  Of.Params = Which.Of.Draw(Random, Of);
  Operands Data(Of, Spec, static_cast<Layout>(pick(Random, 0, 2)),
                static_cast<Placement>(pick(Random, 0, 1)), Seed);
  // Devices round weights: sums that cancel in all of the few elements of a row
  // would leave the rounding.
  if (isEmulated(Spec.Level))
    for (int64_t B = 0; B < Of.Batch; ++B)
      for (int64_t H = 0; H < Of.HeadsKv; ++H)
        for (int64_t J = 0; J < Of.SeqK; ++J)
          for (int64_t T = 0; T < Spec.valueDim(); ++T)
            Data.V.set(B, H, J, T, Data.V.get(B, H, J, T) + 2);
  ASSERT_TRUE(launchAndCompare(*Which.What, Spec, *Kernel, Of, Data, 1))
      << "draw " << Seed << " of\n"
      << Which.Of.Text;
}

void checkDraws(uint64_t Runs, bool OnDevice) {
  const std::vector<Family> Families = families();
  const uint64_t Begin = firstRun();
  std::atomic<uint64_t> Next{Begin};
  auto Work = [&] {
    Compiler Host;
    std::vector<Kernels> Compiled;
    for (uint64_t I = 0; I < Families.size(); ++I)
      Compiled.emplace_back(Host, Families[I], I, OnDevice);
    while (!testing::Test::HasFailure()) {
      const uint64_t Seed = Next.fetch_add(1);
      if (Seed >= Begin + Runs)
        return;
      // Few draws have one kernel of every family.
      const uint64_t Count = Compiled.size(), Turn = Seed / Count;
      if (OnDevice)
        checkDraw(Compiled[Seed % Count], Seed + Turn, Seed);
      else
        checkDraw(Compiled[Seed / 3 % Count], Seed, Seed);
    }
  };
  std::vector<std::thread> Helpers;
  for (unsigned I = 1; I < std::thread::hardware_concurrency(); ++I)
    Helpers.emplace_back(Work);
  Work();
  for (std::thread &Helper : Helpers)
    Helper.join();
}

TEST(ListFuzz, RandomListsAgreeInAllDtypes) {
  checkDraws(numRuns(2400), /*OnDevice=*/false);
}

TEST(DeviceFuzz, RandomListsAgreeInAllDtypes) {
  checkDraws(numRuns(6), /*OnDevice=*/true);
}

} // namespace
