// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/LinearStatement.h"

#include "test/exec/Kernels.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace heddle;
using namespace heddle::exec;

std::vector<float> exec::numbers(int64_t Count, uint64_t Seed, float Low,
                                 float High) {
  std::mt19937_64 Random(Seed);
  std::uniform_real_distribution<float> Draw(Low, High);
  std::vector<float> Made(static_cast<size_t>(Count));
  for (float &X : Made)
    X = Draw(Random);
  return Made;
}

Rows Rows::fill(std::array<int64_t, 4> Shape, float With) {
  return {Shape, std::vector<float>(static_cast<size_t>(Shape[0] * Shape[1] *
                                                        Shape[2] * Shape[3]),
                                    With)};
}

Rows Rows::normal(std::array<int64_t, 4> Shape, uint64_t Seed,
                  float Deviation) {
  std::mt19937_64 Random(Seed);
  std::normal_distribution<float> Draw(0, Deviation);
  Rows Made = fill(Shape, 0);
  for (float &X : Made.Data)
    X = Draw(Random);
  return Made;
}

Rows Rows::rows(int64_t From, int64_t To) const {
  Rows Part = fill({Shape[0], Shape[1], To - From, Shape[3]}, 0);
  float *Next = Part.Data.data();
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      Next = std::copy_n(Data.data() + index(B, H, From, 0),
                         (To - From) * Shape[3], Next);
  return Part;
}

/// The same numbers as a tensor whose memory ends where it does.
static Tensor tensorOf(const Rows &From, heddle_dtype Dtype) {
  Tensor Made(From.Shape, Layout::Bhsd, Placement::BeforeGuard, Dtype);
  for (int64_t B = 0; B < From.Shape[0]; ++B)
    for (int64_t H = 0; H < From.Shape[1]; ++H)
      for (int64_t I = 0; I < From.Shape[2]; ++I)
        for (int64_t C = 0; C < From.Shape[3]; ++C)
          Made.set(B, H, I, C, From.Data[From.index(B, H, I, C)]);
  return Made;
}

static Rows rowsOf(const Tensor &From) {
  Rows Made = Rows::fill(From.shape(), 0);
  for (int64_t B = 0; B < Made.Shape[0]; ++B)
    for (int64_t H = 0; H < Made.Shape[1]; ++H)
      for (int64_t I = 0; I < Made.Shape[2]; ++I)
        for (int64_t C = 0; C < Made.Shape[3]; ++C)
          Made.at(B, H, I, C) = From.get(B, H, I, C);
  return Made;
}

Rows Rows::rounded(heddle_dtype To) const {
  return rowsOf(tensorOf(*this, To));
}

Tokens::Tokens(int64_t Batch, int64_t HeadsQ, int64_t HeadsKv, int64_t Count,
               int64_t Depth, int64_t DepthV, uint64_t Seed)
    : Q(Rows::normal({Batch, HeadsQ, Count, Depth}, 3 * Seed)),
      K(Rows::normal({Batch, HeadsKv, Count, Depth}, 3 * Seed + 1)),
      V(Rows::normal({Batch, HeadsKv, Count, DepthV ? DepthV : Depth},
                     3 * Seed + 2)) {}

double Tokens::dot(int64_t B, int64_t H, int64_t I, int64_t J) const {
  double Sum = 0;
  for (int64_t C = 0; C < Q.Shape[3]; ++C)
    Sum += Q.get(B, H, I, C) * key(B, H, J, C);
  return Sum;
}

double Tokens::scale() const {
  return 1 / std::sqrt(static_cast<double>(Q.Shape[3]));
}

Tokens Tokens::part(int64_t From, int64_t To, int64_t Before) const {
  Tokens Part;
  Part.Q = Q.rows(From, To);
  Part.K = K.rows(From - Before, To);
  Part.V = V.rows(From - Before, To);
  Part.Origin = Origin + From;
  return Part;
}

Rows exec::weigh(const Tokens &In, const Weight &Of, bool IsCausal,
                 bool Divide) {
  Rows Out =
      Rows::fill({In.Q.Shape[0], In.headsQ(), In.count(), In.V.Shape[3]}, 0);
  std::vector<double> Sums(static_cast<size_t>(In.V.Shape[3]));
  for (int64_t B = 0; B < Out.Shape[0]; ++B)
    for (int64_t H = 0; H < Out.Shape[1]; ++H)
      for (int64_t I = 0; I < Out.Shape[2]; ++I) {
        std::fill(Sums.begin(), Sums.end(), 0);
        double Total = 0;
        const int64_t End = IsCausal ? I + 1 : In.K.Shape[2];
        for (int64_t J = 0; J < End; ++J) {
          const double W = Of(B, H, I, J);
          Total += W;
          for (size_t C = 0; C < Sums.size(); ++C)
            Sums[C] += W * In.value(B, H, J, static_cast<int64_t>(C));
        }
        for (size_t C = 0; C < Sums.size(); ++C)
          Out.at(B, H, I, static_cast<int64_t>(C)) = static_cast<float>(
              !Divide ? Sums[C] : (Total == 0 ? 0 : Sums[C] / Total));
      }
  return Out;
}

LinearStatement::LinearStatement(Statement Text)
    : Text(std::move(Text)),
      Programs(
          std::make_shared<std::map<std::string, std::unique_ptr<Program>>>()) {
}

/// A state or sums as a launch takes them, and back.
static std::optional<Tensor> carriedTensor(const Rows &From) {
  if (From.empty())
    return std::nullopt;
  return tensorOf(From, HEDDLE_F32);
}

testing::AssertionResult LinearStatement::run(const Tokens &In,
                                              const Values &Params,
                                              LinearResult &Out,
                                              const LinearOptions &How) const {
  CompileOptions Options;
  Options.Pattern = Text.pattern();
  Options.Targets = {How.Level.empty() ? levels().front() : How.Level};
  Options.Dtype = dtypeName(How.Dtype);
  Options.HeadDimQk = In.Q.Shape[3];
  Options.HeadDimV = In.V.Shape[3];
  Options.Schedule.QueryTile = Options.Schedule.KeyTile = How.Chunk;
  std::unique_ptr<Program> &Kernel =
      (*Programs)[Options.Targets[0] + " " + Options.Dtype + " " +
                  std::to_string(Options.HeadDimQk) + " " +
                  std::to_string(Options.HeadDimV) + " " +
                  std::to_string(How.Chunk)];
  if (!Kernel)
    if (auto Good = compileText(Text.text(), Options, Kernel); !Good)
      return Good;
  const heddle_entry *Entry = heddle_kernel_entry(Kernel->kernel());
  std::vector<heddle_value> All;
  if (auto Good = bindValues(*Entry, Params, All); !Good)
    return Good;

  const bool IsRagged = !In.Offsets.empty();
  const int64_t Batch =
      IsRagged ? static_cast<int64_t>(In.Offsets.size()) - 1 : In.Q.Shape[0];
  const std::vector<int64_t> Origins(static_cast<size_t>(Batch), In.Origin);
  heddle_problem Problem = {};
  Problem.batch = Batch;
  Problem.heads_q = In.headsQ();
  Problem.heads_kv = In.K.Shape[1];
  Problem.seq_q = In.count();
  Problem.seq_k = In.K.Shape[2];
  Problem.origin = In.Origin == 0 ? nullptr : Origins.data();
  Problem.params = All.data();
  Problem.cu_seqlens_q = Problem.cu_seqlens_k =
      IsRagged ? In.Offsets.data() : nullptr;
  heddle_plan *Made = nullptr;
  if (auto Good =
          succeeded(heddle_plan_create(Kernel->kernel(), &Problem, &Made));
      !Good)
    return Good;
  const PlanHandle Plan(Made);

  const Tensor Q = tensorOf(In.Q, How.Dtype), K = tensorOf(In.K, How.Dtype),
               V = tensorOf(In.V, How.Dtype);
  Tensor O({In.Q.Shape[0], In.headsQ(), In.count(), In.V.Shape[3]},
           Layout::Bhsd, Placement::BeforeGuard, How.Dtype);
  const heddle_tensor HandleQ = Q.handle(), HandleK = K.handle(),
                      HandleV = V.handle(), HandleO = O.handle();
  heddle_tensors Tensors = {};
  Tensors.q = &HandleQ;
  Tensors.k = &HandleK;
  Tensors.v = &HandleV;
  Tensors.o = &HandleO;
  Tensors.scale = How.Scale;
  std::optional<Tensor> StateIn, SumsIn, StateOut, SumsOut;
  heddle_tensor Handles[4] = {};
  if (How.From) {
    StateIn = carriedTensor(How.From->State);
    SumsIn = carriedTensor(How.From->Sums);
  }
  if (How.To) {
    StateOut.emplace(std::array<int64_t, 4>{Batch, In.headsQ(),
                                            Entry->state_rows, In.V.Shape[3]},
                     Layout::Bhsd);
    if (Entry->has_sums)
      SumsOut.emplace(
          std::array<int64_t, 4>{Batch, In.headsQ(), Entry->state_rows, 1},
          Layout::Bhsd);
  }
  auto Pass = [&](const std::optional<Tensor> &From, size_t At, int32_t Rank,
                  const heddle_tensor *&To) {
    if (!From)
      return;
    Handles[At] = From->handle(Rank);
    To = &Handles[At];
  };
  Pass(StateIn, 0, 4, Tensors.state_in);
  Pass(SumsIn, 1, 3, Tensors.sums_in);
  Pass(StateOut, 2, 4, Tensors.state_out);
  Pass(SumsOut, 3, 3, Tensors.sums_out);
  if (auto Good = succeeded(heddle_launch(Plan.get(), &Tensors, pool(2)));
      !Good)
    return Good;
  if (auto Good = succeeded(heddle_plan_stats(Plan.get(), pool(2), &Out.Stats));
      !Good)
    return Good;
  Out.O = rowsOf(O);
  Out.Chunk = heddle_plan_code(Plan.get())->query_tile;
  if (How.To) {
    How.To->State = rowsOf(*StateOut);
    How.To->Sums = SumsOut ? rowsOf(*SumsOut) : Rows();
  }
  return testing::AssertionSuccess();
}

LinearResult LinearStatement::result(const Tokens &In, const Values &Params,
                                     const LinearOptions &How) const {
  LinearResult Out;
  EXPECT_TRUE(run(In, Params, Out, How));
  return Out;
}

testing::AssertionResult LinearStatement::equals(const Tokens &In,
                                                 const Values &Params,
                                                 const Rows &Expected,
                                                 float Scale) const {
  for (const std::string &Level : levels())
    for (int64_t Chunk : {0, 16, 32, 128, 1024}) {
      // Levels do the same to all chunks.
      if (Chunk > 32 && Level != levels().front())
        continue;
      LinearOptions How;
      How.Level = Level;
      How.Chunk = Chunk;
      How.Scale = Scale;
      LinearResult Found;
      auto Good = run(In, Params, Found, How);
      if (Good)
        Good = agree(Found.O, Expected);
      if (!Good)
        return testing::AssertionFailure()
               << Level << ", chunks of " << Chunk << ": " << Good.message();
    }
  return testing::AssertionSuccess();
}

Rows LinearStatement::inParts(const Tokens &In, const Values &Params,
                              const std::vector<int64_t> &Cuts, float Scale,
                              int64_t Window) const {
  Rows All =
      Rows::fill({In.Q.Shape[0], In.headsQ(), In.count(), In.V.Shape[3]}, 0);
  Carried State;
  int64_t Begin = 0;
  std::vector<int64_t> Ends = Cuts;
  Ends.push_back(In.count());
  for (int64_t End : Ends) {
    LinearOptions How;
    How.Scale = Scale;
    How.From = Begin == 0 ? nullptr : &State;
    How.To = &State;
    const Rows Part =
        result(In.part(Begin, End, std::min(Begin, Window)), Params, How).O;
    for (int64_t B = 0; B < Part.Shape[0]; ++B)
      for (int64_t H = 0; H < Part.Shape[1]; ++H)
        for (int64_t I = 0; I < Part.Shape[2]; ++I)
          for (int64_t C = 0; C < Part.Shape[3]; ++C)
            All.at(B, H, Begin + I, C) = Part.Data[Part.index(B, H, I, C)];
    Begin = End;
  }
  return All;
}

std::vector<int64_t> exec::tokenByToken(int64_t Count, int64_t First) {
  std::vector<int64_t> Cuts;
  for (int64_t I = First; I < Count; ++I)
    Cuts.push_back(I);
  return Cuts;
}

testing::AssertionResult exec::agree(const Rows &Found, const Rows &Expected,
                                     double Tolerance) {
  if (Found.Shape != Expected.Shape)
    return testing::AssertionFailure() << "shapes differ";
  for (int64_t B = 0; B < Found.Shape[0]; ++B)
    for (int64_t H = 0; H < Found.Shape[1]; ++H)
      for (int64_t I = 0; I < Found.Shape[2]; ++I) {
        double Largest = 1;
        for (int64_t C = 0; C < Found.Shape[3]; ++C)
          Largest = std::max(Largest, std::abs(Expected.get(B, H, I, C)));
        for (int64_t C = 0; C < Found.Shape[3]; ++C) {
          const double X = Found.get(B, H, I, C), Y = Expected.get(B, H, I, C);
          if (!(std::abs(X - Y) <= Tolerance * Largest))
            return testing::AssertionFailure()
                   << "o[" << B << ", " << H << ", " << I << ", " << C
                   << "] is " << X << ", expected " << Y
                   << ", largest of its row " << Largest;
        }
      }
  return testing::AssertionSuccess();
}
