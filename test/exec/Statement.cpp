// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/exec/Statement.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

using namespace heddle;
using namespace heddle::exec;

static heddle_tensor makeTensor(const std::vector<float> &Data,
                                const std::vector<int64_t> &Shape) {
  return {const_cast<float *>(Data.data()), HEDDLE_F32,
          static_cast<int32_t>(Shape.size()), Shape.data(), nullptr};
}

template <auto Destroy> struct Deleter {
  template <typename T> void operator()(T *Object) const { Destroy(Object); }
};

static testing::AssertionResult succeeded(heddle_error *Error) {
  if (!Error)
    return testing::AssertionSuccess();
  testing::AssertionResult Bad = testing::AssertionFailure()
                                 << heddle_error_message(Error);
  heddle_error_free(Error);
  return Bad;
}

static heddle_pool *pool() {
  static std::unique_ptr<heddle_pool, Deleter<heddle_pool_destroy>> Made = [] {
    heddle_pool *New = nullptr;
    if (heddle_error *Error = heddle_pool_create(2, &New))
      llvm::report_fatal_error(heddle_error_message(Error),
                               /*gen_crash_diag=*/false);
    return decltype(Made)(New);
  }();
  return Made.get();
}

Outputs exec::merge(const Inputs &In, const std::vector<Outputs> &Parts) {
  const std::vector<int64_t> OShape = {In.Batch, In.HeadsQ, In.Queries,
                                       In.Depth},
                             LseShape = {In.Batch, In.HeadsQ, In.Queries};
  Outputs Out = Parts.at(0);
  std::vector<heddle_tensor> Tensors;
  for (const Outputs &Part : Parts) {
    Tensors.push_back(makeTensor(Part.O, OShape));
    Tensors.push_back(makeTensor(Part.Lse, LseShape));
  }
  std::vector<heddle_part> All;
  for (size_t I = 0; I < Tensors.size(); I += 2)
    All.push_back({&Tensors[I], &Tensors[I + 1]});
  const heddle_tensor O = makeTensor(Out.O, OShape),
                      Lse = makeTensor(Out.Lse, LseShape);
  EXPECT_TRUE(succeeded(heddle_merge(
      All.data(), static_cast<int64_t>(All.size()), &O, &Lse, pool())));
  return Out;
}

std::vector<std::string> exec::levels() {
  std::vector<std::string> Names;
  for (const LevelInfo &L : listLevels())
    if (L.Missing.empty())
      Names.push_back(L.Name);
  return Names;
}

Statement Statement::example(const std::string &Name) {
  std::ifstream File(HEDDLE_EXAMPLES_DIR "/" + Name + ".mlir");
  std::stringstream Text;
  Text << File.rdbuf();
  if (!File || Text.str().empty())
    llvm::report_fatal_error(llvm::StringRef("no example '" + Name + "'"),
                             /*gen_crash_diag=*/false);
  return Statement(Text.str(), Name);
}

Statement::Statement(std::string Text, std::string Pattern)
    : Text(std::move(Text)), Pattern(std::move(Pattern)),
      Programs(
          std::make_shared<std::map<std::string, std::unique_ptr<Program>>>()) {
}

Statement Statement::with(const std::string &Old,
                          const std::string &New) const {
  std::string Changed = Text;
  size_t At = Changed.find(Old);
  EXPECT_NE(At, std::string::npos) << "no '" << Old << "' in\n" << Text;
  for (; At != std::string::npos; At = Changed.find(Old, At + New.size()))
    Changed.replace(At, Old.size(), New);
  return Statement(std::move(Changed), Pattern);
}

testing::AssertionResult exec::compileText(const std::string &Text,
                                           const CompileOptions &Options,
                                           std::unique_ptr<Program> &Out) {
  static Compiler Host;
  Result<Source> Parsed = Host.parse(Text);
  if (!Parsed)
    return testing::AssertionFailure() << Parsed.failure().str();
  Result<Program> Made = Host.jit(*Parsed, Options);
  if (!Made)
    return testing::AssertionFailure() << Made.failure().str();
  Out = std::make_unique<Program>(std::move(*Made));
  return testing::AssertionSuccess();
}

testing::AssertionResult exec::bindValues(const heddle_entry &Entry,
                                          const Values &Params,
                                          std::vector<heddle_value> &Out) {
  size_t Used = 0;
  for (int64_t I = 0; I < Entry.num_params; ++I) {
    const heddle_param &P = Entry.params[I];
    auto Found = Params.find(P.name);
    if (Found == Params.end() && !P.has_default)
      return testing::AssertionFailure()
             << "no value for parameter '" << P.name << "'";
    heddle_value Default = {};
    Default.integer = P.default_value.integer;
    if (P.kind == HEDDLE_REAL)
      Default.real = P.default_value.real;
    Out.push_back(Found == Params.end() ? Default : Found->second.get());
    Used += Found != Params.end();
  }
  if (Used != Params.size())
    return testing::AssertionFailure() << "a value for no parameter";
  return testing::AssertionSuccess();
}

testing::AssertionResult Statement::run(const Inputs &In, const Values &Params,
                                        Outputs &Out, const std::string &Level,
                                        const OutputOptions &More) const {
  CompileOptions Options;
  Options.Pattern = Pattern;
  Options.Targets = {Level.empty() ? levels().front() : Level};
  Options.HeadDimQk = In.Depth;
  Options.Outputs = More;
  std::unique_ptr<Program> &Kernel =
      (*Programs)[Options.Targets[0] + " " + std::to_string(In.Depth) + " " +
                  std::to_string(More.BlockQ) + "x" +
                  std::to_string(More.BlockK)];
  if (!Kernel)
    if (auto Good = compileText(Text, Options, Kernel); !Good)
      return Good;

  const heddle_entry *Entry = heddle_kernel_entry(Kernel->kernel());
  std::vector<heddle_value> All;
  if (auto Good = bindValues(*Entry, Params, All); !Good)
    return Good;

  std::vector<int64_t> MoreKeys;
  for (size_t I = 1; I < In.Sources.size(); ++I)
    MoreKeys.push_back(In.Sources[I].Keys);
  heddle_problem Problem = {};
  Problem.batch = In.Batch;
  Problem.heads_q = In.HeadsQ;
  Problem.heads_kv = In.HeadsKv;
  Problem.seq_q = In.Queries;
  Problem.seq_k = In.Sources[0].Keys;
  const bool AtZero = std::all_of(In.Origin.begin(), In.Origin.end(),
                                  [](int64_t At) { return At == 0; });
  Problem.origin = AtZero ? nullptr : In.Origin.data();
  Problem.params = All.data();
  Problem.more_seq_k = MoreKeys.data();
  heddle_plan *Made = nullptr;
  if (auto Good =
          succeeded(heddle_plan_create(Kernel->kernel(), &Problem, &Made));
      !Good)
    return Good;
  const std::unique_ptr<heddle_plan, Deleter<heddle_plan_destroy>> Plan(Made);

  const float NaN = std::numeric_limits<float>::quiet_NaN();
  Out = {};
  Out.O.assign(In.Q.size(), NaN);
  Out.Lse.assign(static_cast<size_t>(In.Batch * In.HeadsQ * In.Queries), NaN);
  const std::vector<int64_t> QShape = {In.Batch, In.HeadsQ, In.Queries,
                                       In.Depth},
                             LseShape = {In.Batch, In.HeadsQ, In.Queries};
  std::vector<std::vector<int64_t>> Shapes;
  std::vector<heddle_tensor> Keys, Values;
  for (const KeySource &From : In.Sources)
    Shapes.push_back({In.Batch, In.HeadsKv, From.Keys, In.Depth});
  for (size_t I = 0; I < Shapes.size(); ++I) {
    Keys.push_back(makeTensor(In.Sources[I].K, Shapes[I]));
    Values.push_back(makeTensor(In.Sources[I].V, Shapes[I]));
  }
  std::vector<const heddle_tensor *> MoreK, MoreV;
  for (size_t I = 1; I < Shapes.size(); ++I) {
    MoreK.push_back(&Keys[I]);
    MoreV.push_back(&Values[I]);
  }
  const heddle_tensor Q = makeTensor(In.Q, QShape),
                      O = makeTensor(Out.O, QShape),
                      Lse = makeTensor(Out.Lse, LseShape);
  heddle_tensors Tensors = {};
  Tensors.q = &Q;
  Tensors.k = &Keys[0];
  Tensors.v = &Values[0];
  Tensors.o = &O;
  Tensors.lse = Entry->has_lse ? &Lse : nullptr;
  Tensors.more_k = MoreK.data();
  Tensors.more_v = MoreV.data();
  std::vector<int64_t> BlockShape;
  heddle_tensor BlockMax = {};
  if (More.hasBlockMax()) {
    BlockShape = {In.Batch, In.HeadsQ,
                  (In.Queries + More.BlockQ - 1) / More.BlockQ,
                  (In.Sources[0].Keys + More.BlockK - 1) / More.BlockK};
    Out.BlockMax.assign(static_cast<size_t>(BlockShape[0] * BlockShape[1] *
                                            BlockShape[2] * BlockShape[3]),
                        NaN);
    BlockMax = makeTensor(Out.BlockMax, BlockShape);
    Tensors.block_max = &BlockMax;
  }
  if (auto Good = succeeded(heddle_launch(Plan.get(), &Tensors, pool())); !Good)
    return Good;
  heddle_stats Stats = {};
  if (auto Good = succeeded(heddle_plan_stats(Plan.get(), pool(), &Stats));
      !Good)
    return Good;
  Out.KeptPairs = Stats.kept_pairs;
  Out.FullTiles = Stats.tiles_full;
  Out.PartialTiles = Stats.tiles_partial;
  Out.QueryTile = heddle_plan_code(Plan.get())->query_tile;
  Out.KeyTile = heddle_plan_code(Plan.get())->key_tile;
  return testing::AssertionSuccess();
}

Outputs Statement::result(const Inputs &In, const Values &Params) const {
  Outputs Out;
  EXPECT_TRUE(run(In, Params, Out));
  return Out;
}

testing::AssertionResult
Statement::equals(const Inputs &In, const Values &Params, const Keep &Kept,
                  const Change &Score, const Change &Factor) const {
  const Outputs Expected = attend(In, Kept, Score, Factor);
  for (const std::string &Level : levels()) {
    Outputs Found;
    if (auto Good = run(In, Params, Found, Level); !Good)
      return testing::AssertionFailure() << Level << ": " << Good.message();
    if (Found.KeptPairs != Expected.KeptPairs)
      return testing::AssertionFailure()
             << Level << ": found " << Found.KeptPairs
             << " kept pairs, expected " << Expected.KeptPairs;
    if (auto Good = agree(Found, Expected); !Good)
      return testing::AssertionFailure() << Level << ": " << Good.message();
  }
  return testing::AssertionSuccess();
}

std::string Statement::refusal(const Inputs &In, const Values &Params) const {
  Outputs Out;
  const testing::AssertionResult Good = run(In, Params, Out);
  return Good ? "" : Good.message();
}
