// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed code on a device: what is launched with which tasks, where partial
// results go, and that rows come out right. Groups run on the host; the kernel
// keeps all keys.

#include "DeviceScene.h"

using namespace heddle;
using namespace heddle::test;
using namespace heddle::test::fake;

namespace {

constexpr int64_t PackedRows = 4, PackedHeads = 12, PackedHeadsKv = 2;
constexpr int64_t PartialFloats = HEDDLE_PARTIAL_FLOATS(PackedRows, ValueDim);

/// Ordinary code visits all tiles of keys.
void countOrdinary(const heddle_args *Args, int64_t B, int64_t, int64_t,
                   int32_t Exact, int64_t Out[3]) {
  const int64_t Keys = length(Args->sources[0].k, B);
  Out[0] = (Keys + KeyTile - 1) / KeyTile;
  Out[1] = 0;
  Out[2] = Exact ? Keys * length(Args->q, B) : 0;
}

/// Packed code those that hold one of its keys.
void countPart(const heddle_args *Args, int64_t B, int64_t, int64_t,
               int32_t Exact, int64_t Out[3]) {
  const int64_t Begin = Args->operands[2].integer,
                End = std::min(Args->operands[3].integer,
                               length(Args->sources[0].k, B));
  Out[0] = 0;
  Out[1] = Begin < End ? (End - 1) / KeyTile - Begin / KeyTile + 1 : 0;
  Out[2] = Exact && Begin < End ? (End - Begin) * length(Args->q, B) : 0;
}

/// One row over keys [Begin, End): where to write and in which dtype.
template <int32_t Out>
void attend(const heddle_args &Args, int64_t B, int64_t H, int64_t Query,
            int64_t Begin, int64_t End, const heddle_view &O, int64_t AtO,
            float *Lse, float *RowMax) {
  double Norm = 0, Max = -INFINITY, Values[ValueDim] = {};
  const int64_t Kv = H / (PackedHeads / PackedHeadsKv);
  const heddle_source &Source = Args.sources[0];
  for (int64_t K = Begin; K < End; ++K) {
    double S = 0;
    for (int64_t F = 0; F < HeadDim; ++F)
      S += read<HEDDLE_F32>(Args.q, offset(Args.q, B, H, Query) + F) *
           read<HEDDLE_F32>(Source.k, offset(Source.k, B, Kv, K) + F) *
           static_cast<double>(Args.scale);
    Max = std::max(Max, S);
    Norm += std::exp(S);
    for (int64_t F = 0; F < ValueDim; ++F)
      Values[F] += std::exp(S) *
                   read<HEDDLE_F32>(Source.v, offset(Source.v, B, Kv, K) + F);
  }
  for (int64_t F = 0; F < ValueDim; ++F)
    write<Out>(O, AtO + F, Norm > 0 ? Values[F] / Norm : 0);
  if (Lse)
    *Lse = static_cast<float>(std::log(Norm));
  if (RowMax)
    *RowMax = static_cast<float>(Max);
}

float *statOf(const heddle_view &View, int64_t B, int64_t H, int64_t Query) {
  return View.data ? static_cast<float *>(View.data) + offset(View, B, H, Query)
                   : nullptr;
}

/// Shared between the test and the functions of the device: what was seen.
struct Seen {
  int64_t Tasks = 0, Merges = 0, Keys = 0;
  /// Where the tasks begin, in their order.
  std::vector<int64_t> Begins;
};
Seen *TheSeen = nullptr;

template <int32_t Out> void runTask(const Block &Of, const int64_t *Task) {
  const heddle_args &Args = Of.Args;
  const int64_t B = Task[0], Group = PackedHeads / PackedHeadsKv;
  EXPECT_EQ(Task[4], Task[1] * Group);
  const int64_t Query = Task[5] - Args.origin[B];
  EXPECT_LT(Query, length(Args.q, B));
  ++TheSeen->Tasks;
  TheSeen->Keys += Task[7] - Task[6];
  TheSeen->Begins.push_back(Task[6]);
  for (int64_t Row = 0; Row < PackedRows; ++Row) {
    const int64_t Local = Task[2] * PackedRows + Row;
    if (Local >= Group)
      break;
    const int64_t H = Task[4] + Local;
    if (Task[3] < 0) {
      attend<Out>(Args, B, H, Query, Task[6], Task[7], Args.o,
                  offset(Args.o, B, H, Query), statOf(Args.lse, B, H, Query),
                  statOf(Args.row_max, B, H, Query));
      continue;
    }
    float *Room =
        static_cast<float *>(Of.Launch.workspace) + Task[3] * PartialFloats;
    EXPECT_TRUE(FakeDriver::current()->owns(reinterpret_cast<uint64_t>(Room),
                                            PartialFloats * sizeof(float)));
    const heddle_view Part = {Room, {}, {}, nullptr};
    attend<HEDDLE_F32>(Args, B, H, Query, Task[6], Task[7], Part,
                       Row * ValueDim, Room + PackedRows * ValueDim + Row,
                       Room + PackedRows * (ValueDim + 1) + Row);
  }
}

template <int32_t Out> void runMerge(const Block &Of, const int64_t *Task) {
  const heddle_args &Args = Of.Args;
  const int64_t B = Task[0], H = Task[1], Query = Task[2], Row = Task[4];
  EXPECT_GT(Task[5], 1);
  EXPECT_EQ(Task[6] | Task[7], 0);
  ++TheSeen->Merges;
  double Norm = 0, Max = -INFINITY, Values[ValueDim] = {};
  for (int64_t Part = 0; Part < Task[5]; ++Part) {
    const float *Room = static_cast<float *>(Of.Launch.workspace) +
                        (Task[3] + Part) * PartialFloats;
    const double Share =
        std::exp(static_cast<double>(Room[PackedRows * ValueDim + Row]));
    Norm += Share;
    Max = std::max(
        Max, static_cast<double>(Room[PackedRows * (ValueDim + 1) + Row]));
    for (int64_t F = 0; F < ValueDim; ++F)
      Values[F] += Share * static_cast<double>(Room[Row * ValueDim + F]);
  }
  for (int64_t F = 0; F < ValueDim; ++F)
    write<Out>(Args.o, offset(Args.o, B, H, Query) + F, Values[F] / Norm);
  if (float *Lse = statOf(Args.lse, B, H, Query))
    *Lse = static_cast<float>(std::log(Norm));
  if (float *RowMax = statOf(Args.row_max, B, H, Query))
    *RowMax = static_cast<float>(Max);
}

/// A dense kernel with ordinary and packed code for a device.
template <int32_t Out> struct PackedKernel {
  Kernel Fake = Kernel::make<HEDDLE_F32, Out, 1>();
  heddle_device_code Ordinary = {}, Packed = {};
  heddle_code Codes[2], PackedCode;

  PackedKernel() {
    Ordinary.target = "nv";
    Ordinary.task = "the_task";
    Ordinary.ptx = "ptx text";
    Ordinary.ptx_bytes = 8;
    Ordinary.arch = 80;
    Ordinary.threads = 128;
    Ordinary.shared_bytes = 4096;
    Packed = Ordinary;
    Packed.task = "the_packed";
    Packed.threads = 32;
    Packed.shared_bytes = 2048;
    Packed.merge = "the_merge";
    Packed.merge_threads = 64;
    Packed.merge_shared_bytes = 256;
    Codes[0] = Fake.code();
    Codes[1] = Fake.code();
    Codes[1].level = "device";
    Codes[1].task = nullptr;
    Codes[1].columns = nullptr;
    Codes[1].check = nullptr;
    Codes[1].count = countOrdinary;
    Codes[1].workspace_bytes = 0;
    Codes[1].device = &Ordinary;
    PackedCode = Codes[1];
    PackedCode.count = countPart;
    PackedCode.query_tile = PackedRows;
    PackedCode.device = &Packed;
    Codes[1].packed = &PackedCode;
    heddle_entry &Entry = Fake.entry();
    Entry.num_params = Entry.num_checks = 0;
    Entry.uses_batch = Entry.uses_head = 0;
    Entry.has_column_sums = Entry.has_block_max = 0;
    Entry.codes = Codes;
    Entry.num_codes = 2;
  }

  static void run(const LaunchRecord &Record, int64_t Group) {
    const Block Of(Record.Block, 1, 0);
    ASSERT_TRUE(Of.Launch.tasks);
    const int64_t *Task = Of.Launch.tasks + 8 * Group;
    if (Record.Function == "the_packed")
      runTask<Out>(Of, Task);
    else if (Record.Function == "the_merge")
      runMerge<Out>(Of, Task);
    else
      ADD_FAILURE() << Record.Function;
  }
};

/// Lengths of sequences, ragged or alike, with tensors.
struct PackedStage {
  std::vector<int64_t> Queries, Keys, OffsetsQ{0}, OffsetsK{0}, Origin;
  bool Ragged;
  TestTensor Q, K, V, O, Lse, RowMax;

  PackedStage(std::vector<int64_t> LengthsQ, std::vector<int64_t> LengthsK,
              bool Ragged, heddle_dtype Out)
      : Queries(std::move(LengthsQ)), Keys(std::move(LengthsK)),
        Ragged(Ragged) {
    for (size_t B = 0; B < Queries.size(); ++B) {
      OffsetsQ.push_back(OffsetsQ.back() + Queries[B]);
      OffsetsK.push_back(OffsetsK.back() + Keys[B]);
      Origin.push_back(100 + 7 * static_cast<int64_t>(B));
    }
    auto Make = [&](int64_t Heads, bool OfQueries, int64_t Features,
                    heddle_dtype Dtype, int32_t Rank = 4) {
      const auto &Offsets = OfQueries ? OffsetsQ : OffsetsK;
      const auto &Lengths = OfQueries ? Queries : Keys;
      const auto Batch = static_cast<int64_t>(Queries.size());
      return Ragged ? TestTensor({1, Heads, Offsets.back(), Features},
                                 Layout::Bshd, Rank, Dtype)
                    : TestTensor({Batch, Heads, Lengths[0], Features},
                                 Layout::Bhsd, Rank, Dtype);
    };
    Q = Make(PackedHeads, true, HeadDim, HEDDLE_F32).fillNormal(1);
    K = Make(PackedHeadsKv, false, HeadDim, HEDDLE_F32).fillNormal(2);
    V = Make(PackedHeadsKv, false, ValueDim, HEDDLE_F32).fillNormal(3);
    O = Make(PackedHeads, true, ValueDim, Out).fill(77);
    Lse = Make(PackedHeads, true, 1, HEDDLE_F32, 3).fill(77);
    RowMax = Lse;
  }

  float *row(TestTensor &Of, const std::vector<int64_t> &Offsets, size_t B,
             int64_t H, int64_t I) const {
    return Ragged ? Of.row(0, H, Offsets[B] + I)
                  : Of.row(static_cast<int64_t>(B), H, I);
  }

  Owned<heddle_plan> plan(const heddle_kernel *Kernel, const heddle_code *Code,
                          int64_t Multiprocessors) const {
    heddle_problem Problem = plainProblem(
        static_cast<int64_t>(Queries.size()), PackedHeads, PackedHeadsKv,
        Ragged ? OffsetsQ.back() : Queries[0],
        Ragged ? OffsetsK.back() : Keys[0], Origin.data(), nullptr);
    if (Ragged) {
      Problem.cu_seqlens_q = OffsetsQ.data();
      Problem.cu_seqlens_k = OffsetsK.data();
    }
    Problem.multiprocessors = Multiprocessors;
    heddle_plan *Plan = nullptr;
    expectOk(heddle_plan_create_with(Kernel, Code, &Problem, &Plan));
    return Owned<heddle_plan>(Plan);
  }

  void expectRows(float Tolerance) {
    O.load();
    const float Scale = 1 / std::sqrt(static_cast<float>(HeadDim));
    for (size_t B = 0; B < Queries.size(); ++B)
      for (int64_t H = 0; H < PackedHeads; ++H)
        for (int64_t I = 0; I < Queries[B]; ++I) {
          const int64_t Kv = H / (PackedHeads / PackedHeadsKv);
          double Norm = 0, Max = -INFINITY, Want[ValueDim] = {};
          for (int64_t J = 0; J < Keys[B]; ++J) {
            double S = 0;
            for (int64_t F = 0; F < HeadDim; ++F)
              S += double(row(Q, OffsetsQ, B, H, I)[F]) *
                   double(row(K, OffsetsK, B, Kv, J)[F]) * double(Scale);
            Max = std::max(Max, S);
            Norm += std::exp(S);
            for (int64_t F = 0; F < ValueDim; ++F)
              Want[F] += std::exp(S) * double(row(V, OffsetsK, B, Kv, J)[F]);
          }
          for (int64_t F = 0; F < ValueDim; ++F)
            EXPECT_NEAR(row(O, OffsetsQ, B, H, I)[F],
                        Norm > 0 ? Want[F] / Norm : 0, Tolerance);
          if (Norm > 0) {
            EXPECT_NEAR(*row(Lse, OffsetsQ, B, H, I), std::log(Norm), 1e-5);
            EXPECT_NEAR(*row(RowMax, OffsetsQ, B, H, I), Max, 1e-5);
          }
        }
  }
};

/// What one launch did.
struct PackedRun {
  int64_t Parts = 0, Rooms = 0;
  std::vector<LaunchRecord> Launches;
  Seen Counts;
};

} // namespace

/// Plans for a device, launches twice, compares everything.
template <int32_t Out>
static PackedRun launchPacked(PackedStage &T, int64_t Multiprocessors) {
  FakeDriver Driver;
  PackedRun Result;
  TheSeen = &Result.Counts;
  Driver.Run = PackedKernel<Out>::run;
  {
    PackedKernel<Out> Both;
    OnDevice<heddle_device> Device = openFake();
    Owned<heddle_plan> Plan =
        T.plan(Both.Fake.get(), &Both.Codes[1], Multiprocessors);
    heddle_device_plan *Made = nullptr;
    expectOk(heddle_device_plan_create(Device.get(), Plan.get(), &Made));
    if (!Plan || !Made)
      return Result;
    OnDevice<heddle_device_plan> There(Made);
    Result.Parts = heddle_plan_parts(Plan.get());
    const int64_t Bytes = heddle_device_plan_bytes(Made);
    {
      DeviceTensors Twins(*Device);
      heddle_tensors Tensors = {};
      Tensors.q = Twins.copy(T.Q);
      Tensors.k = Twins.copy(T.K);
      Tensors.v = Twins.copy(T.V);
      Tensors.o = Twins.copy(T.O);
      Tensors.lse = Twins.copy(T.Lse);
      Tensors.row_max = Twins.copy(T.RowMax);
      expectOk(Twins.takeError());
      const int64_t Allocations = Driver.calls("MemAlloc");
      int Stream = 0;
      expectOk(heddle_device_plan_launch(Made, &Tensors, &Stream));
      // Without some of the outputs.
      heddle_tensors Fewer = Tensors;
      Fewer.lse = Fewer.row_max = nullptr;
      expectOk(heddle_device_plan_launch(Made, &Fewer, nullptr));
      EXPECT_EQ(Driver.calls("MemAlloc"), Allocations);
      EXPECT_EQ(heddle_device_plan_bytes(Made), Bytes);
      for (const LaunchRecord &Record : Driver.Launches)
        EXPECT_EQ(Record.Stream,
                  &Record - Driver.Launches.data() <
                          static_cast<int64_t>(Driver.Launches.size()) / 2
                      ? &Stream
                      : nullptr);
      expectOk(Twins.fetch());
    }
    Result.Launches = Driver.Launches;
    // One module has the ordinary code and all of the packed code.
    EXPECT_EQ(Driver.calls("ModuleLoadDataEx"), 1);
  }
  EXPECT_TRUE(Driver.isIdle());
  return Result;
}

static void expectLaunch(const LaunchRecord &Record, const char *Function,
                         int64_t Groups, int64_t Threads, int64_t Shared) {
  EXPECT_EQ(Record.Function, Function);
  EXPECT_EQ(Record.Groups, Groups);
  EXPECT_EQ(Record.Threads, Threads);
  EXPECT_EQ(Record.Shared, Shared);
}

TEST(DevicePacked, MergesWhatIsSplit) {
  // Four tiles of heads (4 and 2 of six, twice), 24 key tiles each, for eight
  // groups at once.
  PackedStage T({1}, {118}, false, HEDDLE_F32);
  const PackedRun R = launchPacked<HEDDLE_F32>(T, 4);
  EXPECT_EQ(R.Parts, 2);
  ASSERT_EQ(R.Launches.size(), 4);
  for (size_t I : {0, 2}) {
    expectLaunch(R.Launches[I], "the_packed", 8, 32, 2048);
    // A group for every row.
    expectLaunch(R.Launches[I + 1], "the_merge", 12, 64, 256);
  }
  EXPECT_EQ(R.Counts.Tasks, 16);
  EXPECT_EQ(R.Counts.Keys, 2 * 4 * 118);
  EXPECT_EQ(R.Counts.Merges, 24);
  // All heads go through the keys side by side, and so do both launches.
  ASSERT_EQ(R.Counts.Begins.size(), 16);
  for (size_t I = 0; I < 16; ++I)
    EXPECT_EQ(R.Counts.Begins[I] == 0, I % 8 < 4) << I;
  T.expectRows(1e-5F);
}

TEST(DevicePacked, StoresWholeRowsAtOnce) {
  PackedStage T({2, 2, 2}, {30, 30, 30}, false, HEDDLE_F16);
  const PackedRun R = launchPacked<HEDDLE_F16>(T, 3);
  EXPECT_EQ(R.Parts, 1);
  ASSERT_EQ(R.Launches.size(), 2);
  for (const LaunchRecord &Record : R.Launches)
    expectLaunch(Record, "the_packed", 24, 32, 2048);
  EXPECT_EQ(R.Counts.Merges, 0);
  T.expectRows(4e-3F);
}

TEST(DevicePacked, SplitsLongSequencesAmongShortOnes) {
  PackedStage T({1, 0, 2, 1, 1}, {7, 9, 3, 0, 600}, true, HEDDLE_BF16);
  const PackedRun R = launchPacked<HEDDLE_BF16>(T, 5);
  // Twenty blocks of 496 tiles in all; 120 are worth two of ten groups.
  EXPECT_EQ(R.Parts, 2);
  ASSERT_EQ(R.Launches.size(), 4);
  expectLaunch(R.Launches[0], "the_packed", 16 + 8, 32, 2048);
  expectLaunch(R.Launches[1], "the_merge", 12, 64, 256);
  T.expectRows(3e-2F);
}

TEST(DevicePacked, StopsWhereTheDriverRefuses) {
  PackedStage T({1}, {118}, false, HEDDLE_F32);
  for (const char *Function :
       {"LaunchKernel", "ModuleGetFunction", "FuncSetAttribute", "MemAlloc"}) {
    FakeDriver Driver;
    Seen Counts;
    TheSeen = &Counts;
    {
      PackedKernel<HEDDLE_F32> Both;
      OnDevice<heddle_device> Device = openFake();
      Owned<heddle_plan> Plan = T.plan(Both.Fake.get(), &Both.Codes[1], 4);
      DeviceTensors Twins(*Device);
      heddle_tensors Tensors = {};
      Tensors.q = Twins.copy(T.Q);
      Tensors.k = Twins.copy(T.K);
      Tensors.v = Twins.copy(T.V);
      Tensors.o = Twins.copy(T.O);
      expectOk(Twins.takeError());
      Driver.FailIn = Function;
      Driver.Failure = 7;
      heddle_device_plan *Made = nullptr;
      heddle_error *Error =
          heddle_device_plan_create(Device.get(), Plan.get(), &Made);
      OnDevice<heddle_device_plan> There(Made);
      if (Made)
        Error = heddle_device_plan_launch(Made, &Tensors, nullptr);
      expectError(Error, HEDDLE_DEVICE_FAILED, {"FAKE_BAD"});
      EXPECT_TRUE(Driver.Launches.empty());
      Driver.FailIn.clear();
    }
    EXPECT_TRUE(Driver.isIdle());
  }
}

TEST(DevicePacked, RefusesBundlesThatLackIt) {
  auto Open = [](PackedKernel<HEDDLE_F32> &Of) {
    heddle_descriptor Descriptor = {HEDDLE_ABI_MAGIC,
                                    HEDDLE_ABI_VERSION,
                                    sizeof(heddle_descriptor),
                                    "test",
                                    nullptr,
                                    "{}",
                                    1,
                                    &Of.Fake.entry()};
    const std::string Arch(cpu::hostArch());
    Descriptor.arch = Arch.c_str();
    heddle_bundle *Bundle = nullptr;
    heddle_error *Error = heddle_bundle_from_descriptor(&Descriptor, &Bundle);
    heddle_bundle_close(Bundle);
    return Error;
  };
  PackedKernel<HEDDLE_F32> Sound;
  expectOk(Open(Sound));
  const auto Refused = [&](auto Break) {
    PackedKernel<HEDDLE_F32> Of;
    Break(Of);
    expectError(Open(Of), HEDDLE_INVALID_BUNDLE,
                {"level 'device' of kernel 'fake' has packed code that cannot "
                 "be run"});
  };
  using Broken = PackedKernel<HEDDLE_F32>;
  Refused([](Broken &Of) { Of.Packed.merge = nullptr; });
  Refused([](Broken &Of) { Of.Packed.merge_threads = 0; });
  Refused([](Broken &Of) { Of.PackedCode.device = nullptr; });
  Refused([](Broken &Of) { Of.PackedCode.count = nullptr; });
  Refused([](Broken &Of) { Of.Packed.task = nullptr; });
}

TEST(DevicePacked, ChecksWhatItIsPlannedFor) {
  PackedStage T({1}, {118}, false, HEDDLE_F32);
  PackedKernel<HEDDLE_F32> Both;
  heddle_problem Problem =
      plainProblem(1, PackedHeads, PackedHeadsKv, 1, 118, nullptr, nullptr);
  Problem.multiprocessors = -1;
  heddle_plan *Plan = nullptr;
  expectError(
      heddle_plan_create_with(Both.Fake.get(), &Both.Codes[1], &Problem, &Plan),
      HEDDLE_INVALID_ARGUMENT, {"'multiprocessors' is -1"});
}
