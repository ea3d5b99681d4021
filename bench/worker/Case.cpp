// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "bench/worker/Case.h"

#include "codegen/cpu/ReadBandwidth.h"
#include "frontends/heddle/RecurrenceCheck.h"
#include "runtime/npy/Npy.h"

#include "llvm/Support/xxhash.h"

#include <chrono>
#include <cmath>
#include <fmt/format.h>

using namespace heddle;
using namespace heddle::bench;
using namespace heddle::frontend;

namespace json = llvm::json;

using SteadyClock = std::chrono::steady_clock;

static double millisecondsSince(SteadyClock::time_point Start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - Start)
      .count();
}

json::Value bench::toJson(double Number) {
  if (std::isfinite(Number))
    return Number;
  return std::isnan(Number) ? "nan" : Number > 0 ? "inf" : "-inf";
}

static llvm::ArrayRef<uint8_t> bytesOf(const Tensor &T) {
  if (!T.exists())
    return {};
  return {static_cast<const uint8_t *>(T.data()),
          static_cast<size_t>(T.size() * npy::elementBytes(T.dtype()))};
}

ErrorText Case::loadSizes(Compiler &With, const json::Object &Asked) {
  auto Text = [&](llvm::StringRef Key) {
    return Asked.getString(Key).value_or("").str();
  };
  cli::PatternOptions Where;
  Where.Path = Text("file");
  Where.Name = Text("pattern");
  if (Where.Path.empty())
    return "the request names no 'file'";
  Result<cli::LoadedPattern> Found = cli::loadPattern(With, Where);
  if (!Found)
    return Found.failure().str();
  What.emplace(cli::Asked{std::move(*Found), {}, {}});

  Options.Shape = Text("shape");
  if (const json::Array *Items = Asked.getArray("set"))
    for (const json::Value &Item : *Items)
      Options.Items.push_back(Item.getAsString().value_or("").str());
  Options.ThreadsText = std::to_string(Asked.getInteger("threads").value_or(1));
  Options.OriginText = std::to_string(Asked.getInteger("origin").value_or(0));
  Options.LayoutText = Text("layout");
  Options.RepeatText = "1";
  if (ErrorText Bad = Options.parse())
    return Bad;
  Dtype = Asked.getString("dtype").value_or("f32").str();
  OutputDtype = Text("output_dtype");
  if (ErrorText Bad = parseDtype(Dtype, "'dtype'", Types.Input))
    return Bad;
  Types.Output = Types.Input;

  if (ErrorText Bad = cli::ask(With, Options, Types, /*Allocates=*/true, *What))
    return Bad;
  if (What->Sizes.pairs() <= 0)
    return "the problem is empty, expected at least one query and one key";
  return std::nullopt;
}

ErrorText Case::compile(Compiler &With, const json::Object &Asked) {
  CompileOptions Build;
  Build.Pattern = What->Loaded.Name;
  Build.Dtype = Dtype;
  Build.OutputDtype = OutputDtype;
  Build.HeadDimQk = What->Sizes.HeadDim;
  Build.HeadDimV = What->Sizes.ValueDim;
  Build.ShortQueries =
      !What->Sizes.isRecurrence() && What->Sizes.hasShortQueries();
  if (auto Level = Asked.getString("level"); Level && !Level->empty())
    Build.Targets = {Level->str()};
  const SteadyClock::time_point Start = SteadyClock::now();
  Result<Program> Made = With.jit(What->Loaded.From, Build);
  if (!Made)
    return Made.failure().str();
  CompileMilliseconds = millisecondsSince(Start);
  Code.emplace(std::move(*Made));
  return kernelTypes(*heddle_kernel_entry(Code->kernel()), Options, Types);
}

ErrorText Case::plan() {
  return Main.prepare(Code->kernel(), nullptr, What->Sizes, What->Values,
                      Options);
}

ErrorText Case::prepare(Compiler &With, const json::Object &Asked) {
  if (ErrorText Bad = loadSizes(With, Asked))
    return Bad;
  if (ErrorText Bad = compile(With, Asked))
    return Bad;
  if (ErrorText Bad = plan())
    return Bad;
  if (ErrorText Bad =
          loadTensors(Options.Inputs, What->Sizes, Types, Options.Order, Data))
    return Bad;
  if (ErrorText Bad = Main.run(Data, Facts))
    return Bad;
  if (ErrorText Bad = check(With, Asked.getInteger("check_rows").value_or(24)))
    return Bad;
  CheckedHash = hashOutput();
  return std::nullopt;
}

ErrorText Case::check(Compiler &With, int64_t Rows) {
  if (What->Sizes.isRecurrence())
    return checkLinear();
  Result<cli::Interpreter> Reference = cli::Interpreter::create(
      With, What->Loaded, Options, What->Sizes, What->Values, Data);
  if (!Reference)
    return Reference.failure().str();
  return checkRows(*Reference, What->Sizes, Types, Data.Out, Facts, Rows,
                   Checked);
}

/// Whole: the interpreter's time grows with the length only.
ErrorText Case::checkLinear() {
  Report Copy = Facts;
  if (ErrorText Bad =
          cli::checkRecurrence(*What, Options, Data, Copy, Checked.Why))
    return Bad;
  const Problem &Sizes = What->Sizes;
  Checked.Rows = Sizes.Batch * Sizes.HeadsQ * Sizes.SeqQ;
  Checked.IsComplete = true;
  Checked.Found = *Copy.Check;
  return std::nullopt;
}

uint64_t Case::hashOutput() const {
  return llvm::xxh3_64bits(bytesOf(Data.Out.O));
}

bool Case::isUnchanged() const { return hashOutput() == CheckedHash; }

/// The products of all chunks, or steps, of a recurrence.
static double linearFlop(const Report &Of) {
  const RecurrenceReport &Form = *Of.Recurrence;
  return Form.IsStep ? Form.StepFlop *
                           static_cast<double>(Of.Sizes.SeqQ * Of.Sizes.HeadsQ *
                                               Of.Sizes.Batch)
                     : Form.ChunkFlop * static_cast<double>(Form.Chunks);
}

json::Object Case::facts() const {
  const Problem &Sizes = What->Sizes;
  const bool IsLinear = Facts.Recurrence.has_value();
  double Bytes = 0;
  for (const Tensor *T :
       {&Data.Q, &Data.K, &Data.V, &Data.Out.O, &Data.Out.Lse})
    Bytes += static_cast<double>(bytesOf(*T).size());
  json::Object Check{{"passed", Checked.passed()},
                     {"against", Checked.Found.Against},
                     {"rows", Checked.Rows},
                     {"complete", Checked.IsComplete},
                     {"largest_o", toJson(Checked.Found.LargestO)},
                     {"largest_lse", toJson(Checked.Found.LargestLse)},
                     {"tolerance", Checked.Found.Tolerance},
                     {"why", Checked.Why}};
  json::Object Numbers, Operands;
  for (const auto &[Name, Value] : Facts.Numbers)
    Numbers[Name] = Value;
  for (const auto &[Name, Summary] : Facts.Operands)
    Operands[Name] = Summary;
  json::Object Shape{{"b", Sizes.Batch},     {"hq", Sizes.HeadsQ},
                     {"hkv", Sizes.HeadsKv}, {"sq", Sizes.SeqQ},
                     {"sk", Sizes.SeqK},     {"d", Sizes.HeadDim},
                     {"dv", Sizes.ValueDim}};
  json::Object Tiles{{"full", Facts.Stats.tiles_full},
                     {"partial", Facts.Stats.tiles_partial},
                     {"empty", Facts.Stats.tiles_empty},
                     {"queries", Facts.QueryTile},
                     {"keys", Facts.KeyTile},
                     {"query_box", json::Array(Facts.QueryBox)},
                     {"key_box", json::Array(Facts.KeyBox)}};
  return json::Object{
      {"pattern", Facts.Pattern},
      {"level", Facts.Level},
      {"dtype", Facts.Dtype},
      {"threads", Facts.Threads},
      {"shape", std::move(Shape)},
      {"origin", Facts.Origin},
      {"numbers", std::move(Numbers)},
      {"operands", std::move(Operands)},
      {"tiles", std::move(Tiles)},
      {"kept_pairs", Facts.Stats.kept_pairs},
      {"density", Facts.density()},
      {"useful_flop", IsLinear ? linearFlop(Facts) : Facts.usefulFlop()},
      {"executed_flop", IsLinear ? linearFlop(Facts) : Facts.executedFlop()},
      {"bytes", Bytes},
      {"key_bytes",
       static_cast<double>(bytesOf(Data.K).size() + bytesOf(Data.V).size())},
      {"compile_ms", CompileMilliseconds},
      {"plan_ms", Facts.PlanMilliseconds},
      {"index_ms", Facts.IndexMilliseconds},
      {"plan_bytes", Facts.PlanBytes},
      {"check", std::move(Check)}};
}

ErrorText Case::time(double AtLeastMs, bool WithPlan, json::Object &Out) {
  if (WithPlan) {
    const SteadyClock::time_point Start = SteadyClock::now();
    if (ErrorText Bad = plan())
      return Bad;
    Out["plan_ms"] = millisecondsSince(Start);
  }
  const SteadyClock::time_point Start = SteadyClock::now();
  int64_t Launches = 0;
  double Spent = 0;
  do {
    if (ErrorText Bad = Main.launch(Data, Data.Out))
      return Bad;
    ++Launches;
    Spent = millisecondsSince(Start);
  } while (Spent < AtLeastMs);
  Out["ms"] = Spent / static_cast<double>(Launches);
  Out["launches"] = Launches;
  return std::nullopt;
}

ErrorText Case::readKeys(json::Object &Out) const {
  const llvm::ArrayRef<uint8_t> K = bytesOf(Data.K), V = bytesOf(Data.V);
  const double Seconds = cpu::readSeconds(
      {{K.data(), K.size()}, {V.data(), V.size()}}, Facts.Threads);
  if (Seconds <= 0)
    return fmt::format("cannot start {} threads", Facts.Threads);
  const auto Bytes = static_cast<double>(K.size() + V.size());
  Out["ms"] = Seconds * 1e3;
  Out["gb_per_s"] = Bytes / Seconds * 1e-9;
  return std::nullopt;
}

static int64_t elementOf(const npy::Array &Of, int64_t I) {
  return Of.Dtype == HEDDLE_I64 ? Of.Data.data<int64_t>()[I]
                                : Of.Data.data<int32_t>()[I];
}

/// Lists as one byte per number in [0, size).
static ErrorText saveLists(const Operand &Of, const std::string &Path) {
  const int64_t Capacity = Of.Indices.Shape.back(), Size = Of.Sets.size;
  std::vector<int64_t> Shape = Of.Indices.Shape;
  Shape.back() = Size;
  const int64_t Rows = Capacity ? Of.Indices.Data.size() / Capacity : 0;
  const int64_t Lengths = Of.Lengths.Data.size();
  if (Lengths > 1 && Lengths != Rows)
    return fmt::format(
        "'{}' cannot be saved: its lengths are shared by several "
        "lists",
        Path);
  std::vector<uint8_t> Map(static_cast<size_t>(Rows * Size));
  for (int64_t R = 0; R < Rows; ++R) {
    const int64_t Count =
        Lengths == 0 ? Capacity : elementOf(Of.Lengths, Lengths == 1 ? 0 : R);
    for (int64_t I = 0; I < Count; ++I)
      Map[static_cast<size_t>(R * Size +
                              elementOf(Of.Indices, R * Capacity + I))] = 1;
  }
  return npy::write(Path, Shape, Map.data(), HEDDLE_BOOL);
}

static ErrorText saveOperand(const Parameter &P, const Operand &Of,
                             const std::string &Path) {
  switch (P.Kind) {
  case HEDDLE_INTEGER:
  case HEDDLE_REAL:
    return std::nullopt;
  case HEDDLE_SET:
    if (Of.Sets.format == HEDDLE_MAP)
      return npy::write(Path, Of.Map.Shape, Of.Map.Data.data<void>(),
                        HEDDLE_BOOL);
    if (Of.Sets.format == HEDDLE_LISTS)
      return saveLists(Of, Path);
    return fmt::format("'{}' cannot be saved: it is given in CSR, expected "
                       "lists or a map",
                       Path);
  default:
    return npy::write(Path, Of.Table.Shape, Of.Table.Data.data<void>(),
                      Of.Table.Dtype);
  }
}

ErrorText Case::save(const std::string &Directory) const {
  const std::pair<const char *, const Tensor *> Tensors[] = {
      {"q", &Data.Q}, {"k", &Data.K}, {"v", &Data.V}, {"o", &Data.Out.O}};
  for (auto [Name, T] : Tensors)
    if (ErrorText Bad = npy::write(fmt::format("{}/{}.npy", Directory, Name),
                                   T->storedShape(), T->data(), T->dtype()))
      return Bad;
  const PatternValues &Values = What->Values;
  for (size_t I = 0; I < Values.size(); ++I) {
    const Parameter &P = Values.parameters()[I];
    if (ErrorText Bad =
            saveOperand(P, Values.operand(I),
                        fmt::format("{}/set-{}.npy", Directory, P.Name)))
      return Bad;
  }
  return std::nullopt;
}
