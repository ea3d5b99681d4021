// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/RunOptions.h"

#include "codegen/nv/host/Arch.h"
#include "frontends/common/Numbers.h"
#include "runtime/npy/Header.h"
#include "runtime/npy/Npy.h"
#include "runtime/src/Dtype.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

using namespace heddle;
using namespace heddle::frontend;

void frontend::addRunOptions(CLI::App &Command, RunOptions &Options) {
  Command.add_option(
      "--set", Options.Items,
      "values of pattern parameters: name=value ... (see below)");
  Command.add_option("--shape", Options.Shape,
                     "sizes: b=1,hq=8,hkv=2,sq=4096,sk=4096,d=64[,dv=64]; what "
                     "is left out comes from the .npy inputs, or is b=1, "
                     "hkv=hq, sk=sq, dv=d");
  Command.add_option("--origin", Options.OriginText,
                     "absolute position of query 0 (default 0)");
  Command.add_option("--layout", Options.LayoutText,
                     "order of the axes in memory: bhsd (default), bshd, or "
                     "packed, where q, k and v are heads of one bshd tensor");
  Command.add_option(
      "--cu-seqlens-q", Options.CuSeqlensQText,
      "a ragged batch: where its sequences begin in q, and where "
      "the last one ends, as in 0,5,12, or a .npy file of i32 or "
      "i64");
  Command.add_option("--cu-seqlens-k", Options.CuSeqlensKText,
                     "the same for k and v (default: as --cu-seqlens-q)");
  Command.add_option("--more-keys", Options.MoreKeysText,
                     "numbers of keys of the further sources of an "
                     "attn.combine, as in 16,4; their k and v are random");
  Command.add_option("--scale", Options.ScaleText,
                     "factor on q.k (default 1/sqrt(d))");
  Command.add_option("--q", Options.Inputs.Q,
                     "queries, a .npy file of the kernel's dtype");
  Command.add_option("--k", Options.Inputs.K,
                     "keys, a .npy file of the kernel's dtype");
  Command.add_option("--v", Options.Inputs.V,
                     "values, a .npy file of the kernel's dtype");
  Command.add_option("--qkv", Options.Inputs.Packed,
                     "all three, a .npy file (batch, sequence, hq + 2 hkv, d), "
                     "with --layout packed");
  Command.add_option("-o", Options.OutputPath, "write the output to this .npy");
  Command.add_option("--lse", Options.LsePath,
                     "write the log-sum-exp of every row to this .npy");
  Command.add_option("--row-max", Options.RowMaxPath,
                     "write the largest score of every row to this .npy");
  Command.add_option("--column-sums", Options.ColumnSumsPath,
                     "write the sum of the weights of every key to this .npy; "
                     "for a further source to one with its number, as in "
                     "sums.1.npy");
  Command.add_option("--block-max", Options.BlockMaxText,
                     "write the largest weight of every block to a .npy, as in "
                     "64x64=max.npy; further sources as with --column-sums");
  Command.add_option("--state-in", Options.Inputs.State,
                     "the state that a recurrence begins with, a .npy file "
                     "(batch, hq, rows, dv) of f32 (default: zero)");
  Command.add_option("--state-out", Options.StateOutPath,
                     "write the state that it ends with to this .npy");
  Command.add_option("--sums-in", Options.Inputs.Sums,
                     "the normaliser's part of the state, a .npy file (batch, "
                     "hq, rows) of f32 (default: zero)");
  Command.add_option("--sums-out", Options.SumsOutPath,
                     "write the normaliser's part of the state to this .npy");
  Command.add_option("--segments", Options.SegmentsText,
                     "parts that a sequence of a recurrence is cut into, to be "
                     "computed side by side, at most (default: 1 where every "
                     "thread has a head, else as heads and length suggest)");
  Command.add_option("--device", Options.DeviceText,
                     "run on a device: cuda, or cuda:N for number N, not on "
                     "the processor (cpu, the default)");
  Command.add_option("--threads", Options.ThreadsText,
                     "threads (default: one per core)");
  Command.add_option("--repeat", Options.RepeatText,
                     "timed runs, of which the median counts (default 5)");
  Command.add_flag("--trusted", Options.Trusted,
                   "do not examine the members of sets; wrong ones have "
                   "undefined results");
  Command.add_flag("--check", Options.Check,
                   "compare the results and fail when they differ");
  Command.add_flag("--json", Options.Json, "print the report as JSON");
}

const char *frontend::operandHelp() {
  return "values of --set, by kind of parameter (docs/operands.md):\n"
         "  integer   256\n"
         "  real      0.5\n"
         "  table     doc.npy; [1,5,9]; fill:X, iota[:STEP], random:LO..HI,\n"
         "            integers also sorted:GROUPS, reals also normal, "
         "cos:BASE,\n"
         "            sin:BASE, with a shape, as in random:0..9@bxq\n"
         "  sets      lists:IDX.npy[,LENGTHS.npy]; csr:INDPTR.npy,IDX.npy;\n"
         "            map:MAP.npy; [1,5,9]; random:COUNT, random:PERCENT%, as "
         "in\n"
         "            random:5%@bxhxq/64,size=k/64\n"
         "  A shape is of numbers and the sizes b, h, q, k, d, v, each perhaps "
         "divided,\n"
         "  and f, rows of a recurrence's state. Gates of a recurrence are "
         "tables of\n"
         "  reals, as in random:-0.1..0@bxhxqxd; inf and -inf are elements "
         "too.\n";
}

ErrorText frontend::parsePair(std::string_view Text, const std::string &What,
                              int64_t Max, int64_t &First, int64_t &Second) {
  std::vector<std::string_view> Parts = split(Text, 'x');
  if (Parts.size() != 2)
    return fmt::format("{} is '{}', expected queries x keys, as in 64x64", What,
                       Text);
  if (ErrorText Bad =
          parseInteger(Parts[0], "the height in " + What, 1, Max, First))
    return Bad;
  return parseInteger(Parts[1], "the width in " + What, 1, Max, Second);
}

ErrorText frontend::parseDtype(const std::string &Text,
                               const std::string &Option, heddle_dtype &Out) {
  for (heddle_dtype Known : {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16})
    if (Text == runtime::dtypeName(Known)) {
      Out = Known;
      return std::nullopt;
    }
  return fmt::format("{} is '{}', expected f32, f16 or bf16", Option, Text);
}

/// "64x64=max.npy"
static ErrorText parseBlockMax(const std::string &Text, RunOptions &Out) {
  constexpr int64_t MaxBlock = 512;
  size_t Equals = Text.find('=');
  if (Equals == Text.npos || Equals + 1 == Text.size())
    return fmt::format("--block-max is '{}', expected blocks and a file, as in "
                       "64x64=max.npy",
                       Text);
  Out.BlockMaxPath = Text.substr(Equals + 1);
  return parsePair(std::string_view(Text).substr(0, Equals), "--block-max",
                   MaxBlock, Out.BlockQ, Out.BlockK);
}

static ErrorText parseMoreKeys(const std::string &Text,
                               std::vector<int64_t> &Out) {
  for (std::string_view Part : split(Text, ',')) {
    Out.emplace_back();
    if (ErrorText Bad = parseInteger(Part, "a number in --more-keys", 0,
                                     int64_t(1) << 31, Out.back()))
      return Bad;
  }
  return std::nullopt;
}

/// "cuda:1"
static ErrorText parseDevice(const std::string &Text, RunOptions &Out) {
  const std::string Name = nv::DeviceName;
  if (Text == "cpu")
    return std::nullopt;
  Out.OnDevice = true;
  if (Text == Name)
    return std::nullopt;
  int64_t Ordinal = 0;
  if (Text.compare(0, Name.size() + 1, Name + ":") != 0)
    return fmt::format("--device is '{}', expected cpu, {} or {}:N", Text, Name,
                       Name);
  if (ErrorText Bad =
          parseInteger(Text.substr(Name.size() + 1), "the number in --device",
                       0, INT32_MAX, Ordinal))
    return Bad;
  Out.Ordinal = static_cast<int32_t>(Ordinal);
  return std::nullopt;
}

/// Two outputs must not have one file.
static ErrorText checkDistinct(const RunOptions &Options) {
  const std::vector<OutputPlace> Files = Options.outputFiles();
  for (const OutputPlace &A : Files)
    for (const OutputPlace &B : Files)
      if (&A < &B && A.Path == B.Path)
        return fmt::format("{} and {} both name '{}'", A.Option, B.Option,
                           A.Path);
  return std::nullopt;
}

/// Options that need or exclude one another.
static ErrorText checkTogether(const RunOptions &Options) {
  const InputPaths &In = Options.Inputs;
  if (Options.Order == Layout::Packed) {
    if (!In.Q.empty() || !In.K.empty() || !In.V.empty())
      return "--layout packed has one tensor for q, k and v; give it as --qkv";
  } else if (!In.Packed.empty()) {
    return "--qkv needs --layout packed";
  }
  if (Options.CuSeqlensQText.empty() && !Options.CuSeqlensKText.empty())
    return "--cu-seqlens-k needs --cu-seqlens-q";
  return std::nullopt;
}

ErrorText RunOptions::parse() {
  if (!OriginText.empty())
    if (ErrorText Bad = parseInteger(OriginText, "--origin", -IntegerLimit,
                                     IntegerLimit - 1, Origin))
      return Bad;
  if (!LayoutText.empty())
    if (ErrorText Bad = parseLayout(LayoutText, Order))
      return Bad;
  if (!ScaleText.empty()) {
    double Value = 0;
    if (ErrorText Bad = parseNumber(ScaleText, "--scale", Value))
      return Bad;
    Scale = static_cast<float>(Value);
    // Zero is how the runtime is told to choose.
    if (Scale == 0 || !std::isfinite(Scale))
      return fmt::format("--scale is '{}', expected an f32 other than zero",
                         ScaleText);
  }
  if (!DeviceText.empty())
    if (ErrorText Bad = parseDevice(DeviceText, *this))
      return Bad;
  int64_t Count = 0;
  if (!ThreadsText.empty()) {
    if (ErrorText Bad = parseInteger(ThreadsText, "--threads", 1, 1024, Count))
      return Bad;
    Threads = static_cast<int32_t>(Count);
  }
  if (!RepeatText.empty())
    if (ErrorText Bad =
            parseInteger(RepeatText, "--repeat", 1, 1000000, Repeat))
      return Bad;
  if (!SegmentsText.empty())
    if (ErrorText Bad =
            parseInteger(SegmentsText, "--segments", 1, IntegerLimit, Segments))
      return Bad;
  if (!MoreKeysText.empty())
    if (ErrorText Bad = parseMoreKeys(MoreKeysText, MoreKeys))
      return Bad;
  if (!BlockMaxText.empty())
    if (ErrorText Bad = parseBlockMax(BlockMaxText, *this))
      return Bad;
  if (ErrorText Bad = checkTogether(*this))
    return Bad;
  return checkDistinct(*this);
}

TensorTypes RunOptions::types() const {
  TensorTypes Result;
  Result.RowMax = !RowMaxPath.empty();
  Result.ColumnSums = !ColumnSumsPath.empty();
  Result.BlockQ = BlockQ;
  Result.BlockK = BlockK;
  return Result;
}

/// "sums.npy" for the first source, "sums.1.npy" for the next.
static std::string pathOfSource(const std::string &Path, size_t Source) {
  constexpr std::string_view Suffix = ".npy";
  if (Source == 0)
    return Path;
  const bool Has =
      Path.size() > Suffix.size() &&
      Path.compare(Path.size() - Suffix.size(), Suffix.npos, Suffix) == 0;
  return fmt::format("{}.{}{}",
                     Path.substr(0, Path.size() - (Has ? Suffix.size() : 0)),
                     Source, Has ? Suffix : "");
}

std::vector<OutputPlace> RunOptions::outputFiles() const {
  std::vector<OutputPlace> Files;
  auto Add = [&](FileRole Role, const char *Option, const std::string &Path,
                 size_t NumSources) {
    for (size_t Source = 0; !Path.empty() && Source < NumSources; ++Source)
      Files.push_back({Role, Source, Option, pathOfSource(Path, Source)});
  };
  const size_t NumSources = 1 + MoreKeys.size();
  Add(FileRole::O, "-o", OutputPath, 1);
  Add(FileRole::Lse, "--lse", LsePath, 1);
  Add(FileRole::RowMax, "--row-max", RowMaxPath, 1);
  Add(FileRole::ColumnSums, "--column-sums", ColumnSumsPath, NumSources);
  Add(FileRole::BlockMax, "--block-max", BlockMaxPath, NumSources);
  Add(FileRole::State, "--state-out", StateOutPath, 1);
  Add(FileRole::Sums, "--sums-out", SumsOutPath, 1);
  return Files;
}

/// "0,5,12" or a file. Whether they ascend is checked by the runtime too, but
/// sizes are derived from them before.
static ErrorText loadOffsets(const std::string &Text, const char *Option,
                             std::vector<int64_t> &Out) {
  if (Text.size() > 4 && Text.compare(Text.size() - 4, 4, ".npy") == 0) {
    npy::Array Array;
    if (ErrorText Bad = npy::read(Text, Array, {HEDDLE_I32, HEDDLE_I64}))
      return Bad;
    if (Array.Shape.size() != 1)
      return fmt::format("'{}' has rank {} (shape {}), expected rank 1 for {}",
                         Text, Array.Shape.size(), npy::shapeText(Array.Shape),
                         Option);
    for (int64_t I = 0; I < Array.Data.size(); ++I)
      Out.push_back(Array.Dtype == HEDDLE_I64 ? Array.Data.data<int64_t>()[I]
                                              : Array.Data.data<int32_t>()[I]);
  } else {
    for (std::string_view Part : split(Text, ',')) {
      Out.emplace_back();
      if (ErrorText Bad =
              parseInteger(Part, fmt::format("a number in {}", Option),
                           INT64_MIN, INT64_MAX, Out.back()))
        return Bad;
    }
  }
  if (Out.empty() || Out.front() != 0)
    return fmt::format("{} begins with {}, expected 0", Option,
                       Out.empty() ? "nothing" : std::to_string(Out.front()));
  for (size_t I = 1; I < Out.size(); ++I)
    if (Out[I] < Out[I - 1] || Out[I] > IntegerLimit)
      return fmt::format("{} has {} after {}, expected ascending numbers up to "
                         "2^31",
                         Option, Out[I], Out[I - 1]);
  return std::nullopt;
}

ErrorText frontend::collectShape(const RunOptions &Options, heddle_dtype Input,
                                 ShapeSolver &Solver) {
  if (!Options.CuSeqlensQText.empty()) {
    std::vector<int64_t> Q, K;
    if (ErrorText Bad =
            loadOffsets(Options.CuSeqlensQText, "--cu-seqlens-q", Q))
      return Bad;
    K = Q;
    if (!Options.CuSeqlensKText.empty()) {
      K.clear();
      if (ErrorText Bad =
              loadOffsets(Options.CuSeqlensKText, "--cu-seqlens-k", K))
        return Bad;
    }
    if (ErrorText Bad = Solver.addRagged(Q, K))
      return Bad;
  }
  if (!Options.Shape.empty())
    if (ErrorText Bad = Solver.addText(Options.Shape))
      return Bad;
  npy::Info Found;
  if (!Options.Inputs.Packed.empty()) {
    if (ErrorText Bad = npy::readInfo(Options.Inputs.Packed, Found, {Input}))
      return Bad;
    return Solver.addPacked(Found.Shape, Options.Inputs.Packed);
  }
  const std::pair<char, const std::string *> Files[] = {
      {'q', &Options.Inputs.Q},
      {'k', &Options.Inputs.K},
      {'v', &Options.Inputs.V}};
  for (const auto &[Name, Path] : Files) {
    if (Path->empty())
      continue;
    if (ErrorText Bad = npy::readInfo(*Path, Found, {Input}))
      return Bad;
    if (ErrorText Bad =
            Solver.addTensor(Name, Found.Shape, Options.Order, *Path))
      return Bad;
  }
  return std::nullopt;
}

ErrorText frontend::solveShape(const RunOptions &Options, ShapeSolver &Solver,
                               const std::string &Pattern, int64_t NumSources,
                               Problem &Out) {
  if (ErrorText Bad = Solver.solve(Out))
    return Bad;
  if (Options.Order == Layout::Packed &&
      (Out.SeqQ != Out.SeqK || Out.HeadDim != Out.ValueDim ||
       Out.CuSeqlensQ != Out.CuSeqlensK))
    return fmt::format("--layout packed needs as many keys as queries and one "
                       "head dim, found {} and {}, and {} and {}",
                       Out.SeqQ, Out.SeqK, Out.HeadDim, Out.ValueDim);
  Out.MoreKeys = Options.MoreKeys;
  const auto Given = static_cast<int64_t>(Options.MoreKeys.size());
  if (Given != NumSources - 1)
    return fmt::format("--more-keys has {} number{}, expected {}: '{}' has {} "
                       "source{}",
                       Given, Given == 1 ? "" : "s", NumSources - 1, Pattern,
                       NumSources, NumSources == 1 ? "" : "s");
  return std::nullopt;
}

ErrorText frontend::checkMeaningful(const RunOptions &Options,
                                    const std::string &Pattern,
                                    bool IsRecurrence, bool HasSums) {
  const struct {
    const char *Option;
    const std::string &Text;
    bool OfRecurrences;
    const char *Lacks;
  } All[] = {
      {"--lse", Options.LsePath, false, "log-sum-exp"},
      {"--row-max", Options.RowMaxPath, false, "largest score"},
      {"--column-sums", Options.ColumnSumsPath, false, "weights of keys"},
      {"--block-max", Options.BlockMaxPath, false, "weights of keys"},
      {"--more-keys", Options.MoreKeysText, false, "further sources"},
      {"--state-in", Options.Inputs.State, true, "state"},
      {"--state-out", Options.StateOutPath, true, "state"},
      {"--sums-in", Options.Inputs.Sums, true, "state"},
      {"--sums-out", Options.SumsOutPath, true, "state"},
      {"--segments", Options.SegmentsText, true, "state"}};
  for (const auto &Item : All)
    if (!Item.Text.empty() && Item.OfRecurrences != IsRecurrence)
      return fmt::format("{} is for {}, but '@{}' is a {}, which has no {}",
                         Item.Option, IsRecurrence ? "patterns" : "recurrences",
                         Pattern, IsRecurrence ? "recurrence" : "pattern",
                         Item.Lacks);
  for (const auto &[Option, Text] :
       {std::pair("--sums-in", &Options.Inputs.Sums),
        std::pair("--sums-out", &Options.SumsOutPath)})
    if (!Text->empty() && !HasSums)
      return fmt::format("{} is for recurrences with a normaliser, which "
                         "'@{}' has not",
                         Option, Pattern);
  return std::nullopt;
}

Extents frontend::extentsOf(const RunOptions &Options, const Problem &Sizes) {
  Extents Result;
  Result.Batch = Sizes.Batch;
  Result.Heads = Sizes.HeadsQ;
  Result.SeqQ = std::max<int64_t>(0, Options.Origin) + Sizes.longestQ();
  Result.SeqK = Sizes.longestK();
  Result.HeadDim = Sizes.HeadDim;
  Result.ValueDim = Sizes.ValueDim;
  Result.StateRows = Sizes.StateRows;
  return Result;
}

int frontend::reportParseError(const CLI::App &Command,
                               const std::string &Program,
                               const CLI::ParseError &Error) {
  if (Error.get_exit_code() == 0)
    return Command.exit(Error);
  std::string Text = Error.what();
  if (Text.size() > 1 && std::islower(static_cast<unsigned char>(Text[1])))
    Text[0] =
        static_cast<char>(std::tolower(static_cast<unsigned char>(Text[0])));
  while (!Text.empty() && (Text.back() == '.' || Text.back() == '\n'))
    Text.pop_back();
  fmt::print(stderr, "{}: error: {}; see {} --help\n", Program, Text, Program);
  return 2;
}
