// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler as a library: pattern text in, and out comes a bundle file, the
// text of any stage, or a program in memory that the runtime's calls run.
//
//   heddle::Compiler Compiler;
//   auto Source = Compiler.parse(Text, "causal.mlir");
//   if (!Source)
//     fail(Source.failure().str());
//   auto Program = Compiler.jit(*Source, {});
//   heddle_plan_create(Program->kernel(), &Problem, &Plan); ...
//
// A compiler keeps what is slow to make (dialects, code generators), so use one
// for many compilations. Nothing here prints. Different compilers may be used
// by different threads at the same time; one compiler, its sources included, by
// one thread at a time. Programs are independent of the compiler that made
// them.

#ifndef HEDDLE_FRONTENDS_CPP_COMPILER_H
#define HEDDLE_FRONTENDS_CPP_COMPILER_H

#include "frontends/cpp/Diagnostics.h"
#include "heddle/heddle.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace heddle {

/// A parameter of a pattern or recurrence.
struct PatternParam {
  std::string Name;
  heddle_param_kind Kind = HEDDLE_INTEGER;
  /// Axes of a table, indices that a set is asked with; 0 for the others.
  int32_t Rank = 0;
  /// Of an integer.
  std::optional<int64_t> Default;
  /// Of a real.
  std::optional<double> RealDefault;
  /// A value that would do, in the words of --set; may be empty.
  std::string Example;
};

/// What an `attn.recurrence` has beyond what patterns have.
struct RecurrenceInfo {
  /// Row i sees keys up to i only.
  bool IsCausal = true;
  /// Its state has sums, one per row, because of a normaliser.
  bool HasSums = false;
  /// Its state takes values over by the delta rule.
  bool HasDelta = false;
  /// The parameter that is the length of a window.
  std::optional<int64_t> WindowParam;
};

/// An `attn.pattern`, `attn.combine` or `attn.recurrence` of a source.
struct PatternInfo {
  std::string Name;
  /// Of a combination: those of all its sources, the first one's first, a name
  /// that several have once.
  std::vector<PatternParam> Params;
  /// Pairs of key and value tensors.
  int64_t NumSources = 1;
  /// The parameters that hold the extents of the token grid, outermost axis
  /// first; empty for plain sequences.
  std::vector<int64_t> QueryGrid, KeyGrid;
  /// Of an `attn.recurrence`.
  std::optional<RecurrenceInfo> Recurrence;
};

/// A level of a target, as `heddle targets` lists it.
struct LevelInfo {
  std::string Target;
  std::string Name;
  /// Instruction-set extensions that its code needs, and those of them that
  /// this machine lacks.
  std::vector<std::string> Features;
  std::vector<std::string> Missing;
  /// Its code runs on a device beside this machine; the runtime looks for one.
  bool IsDevice = false;
};

/// Every level of every target, the default target first, best level first.
std::vector<LevelInfo> listLevels();

/// What to print instead of making code to run.
enum class Stage {
  Attn,     ///< pattern level: formula and schedule
  Tile,     ///< tile level
  Target,   ///< the target's level
  Llvm,     ///< LLVM IR, optimised
  Assembly, ///< assembly text
  Object,   ///< an object file
};

/// The stage called `Name` ("attn", "tile", the name of a target, "llvm",
/// "asm", what a device calls its assembly text, "obj"), and all those names.
std::optional<Stage> findStage(std::string_view Name);
std::vector<std::string> stageNames();

/// Sizes of a kernel; zero leaves one to the target. See `#attn.schedule`.
struct ScheduleOptions {
  int64_t QueryTile = 0, KeyTile = 0, Rows = 0, Lanes = 0, Unroll = 0,
          Stages = 0, Heads = 0;
  /// Extents of the boxes on a token grid, outermost axis first, both or none;
  /// the tiles are their products.
  std::vector<int64_t> QueryBox = {}, KeyBox = {};

  bool isGiven() const {
    return QueryTile || KeyTile || Rows || Lanes || Unroll || Stages || Heads ||
           !QueryBox.empty() || !KeyBox.empty();
  }
};

/// What a kernel returns beside o and lse. See `#attn.outputs`.
struct OutputOptions {
  bool RowMax = false, ColumnSums = false;
  /// The blocks of the block maxima; 0 for none.
  int64_t BlockQ = 0, BlockK = 0;

  bool hasBlockMax() const { return BlockQ > 0 && BlockK > 0; }
};

/// What to make of a source.
struct CompileOptions {
  /// The pattern, combination or recurrence, with or without '@'; may be empty
  /// when there is only one that no other uses.
  std::string Pattern;
  /// The kernel's name in the bundle; empty: that of the pattern.
  std::string Kernel;
  /// Names of targets (all their levels) and of levels. Empty: the default
  /// target. A JIT takes the best level among them that this machine runs, and
  /// those of devices.
  std::vector<std::string> Targets;
  /// Element type of q, k and v in memory: "f32", "f16" or "bf16".
  std::string Dtype = "f32";
  /// That of o; empty: the same.
  std::string OutputDtype;
  /// Head dims in [1, 512]; HeadDimV 0 means HeadDimQk.
  int64_t HeadDimQk = 64;
  int64_t HeadDimV = 0;
  OutputOptions Outputs;
  /// Let tensor cores multiply f32, rounded to tf32 (10 bits after the point),
  /// at the levels that have them; others multiply f32 as ever. Fails where no
  /// level has, or q, k and v are not f32.
  bool Tf32 = false;
  ScheduleOptions Schedule;
  /// Kilobytes of a device's shared memory that kernels may take at most; 0:
  /// what the level has. Schedules are chosen to fit.
  int64_t SharedMemory = 0;
  /// Also make code for short queries, whose rows are the heads of a group
  /// (see `attn-pack-heads`), where the pattern and the outputs allow it, for
  /// levels that are not of devices; the
  /// plan of a problem takes what is less work. Compiling takes longer.
  bool ShortQueries = false;
  /// Code of devices says for every instruction which line of the text it comes
  /// from, for profilers and for what an emulation finds. The bundle names the
  /// source file then. Nothing is done to the code itself.
  bool LineInfo = false;
  /// A recurrence over all pairs of tokens (`attn-expand-linear`), not by
  /// chunks and by tokens: to hold the others to, at the cost of the square of
  /// the tokens. Fails for a delta rule.
  bool Quadratic = false;
  /// Assemble the code of devices where an assembler is installed, so that no
  /// driver has to. Of no use to an emulation.
  bool Assemble = true;
};

/// Where the time of a compilation went, in milliseconds.
struct Timings {
  double Parse = 0;    ///< text to verified module
  double Passes = 0;   ///< pattern level to LLVM dialect
  double Llvm = 0;     ///< translation to LLVM IR and its optimisation
  double Codegen = 0;  ///< LLVM IR to object
  double Assemble = 0; ///< text of devices to their code, by another program
  double Link = 0;     ///< object to file, or to memory

  double total() const {
    return Parse + Passes + Llvm + Codegen + Assemble + Link;
  }
};

/// A parsed and verified text. Keeps the compiler's context alive.
class Source {
public:
  Source(Source &&) noexcept;
  Source &operator=(Source &&) noexcept;
  ~Source();

  /// Its patterns, combinations and recurrences in the order of the text.
  std::vector<PatternInfo> patterns() const;
  /// The module, for code that looks at the IR itself.
  mlir::ModuleOp module() const;
  /// Milliseconds that parsing took.
  double parseTime() const;

private:
  friend class Compiler;
  struct Impl;
  explicit Source(std::unique_ptr<Impl> Content);
  std::unique_ptr<Impl> Content;
};

/// Compiled code in memory, seen through the runtime. Owns code and bundle:
/// plans made from it must be destroyed before it.
class Program {
public:
  Program(Program &&) noexcept;
  Program &operator=(Program &&) noexcept;
  ~Program();

  const heddle_bundle *bundle() const;
  /// The kernel of the pattern that was compiled.
  const heddle_kernel *kernel() const;
  const Timings &timings() const;

private:
  friend class Compiler;
  struct Impl;
  explicit Program(std::unique_ptr<Impl> Content);
  std::unique_ptr<Impl> Content;
};

class Compiler {
public:
  Compiler();
  Compiler(Compiler &&) noexcept;
  Compiler &operator=(Compiler &&) noexcept;
  ~Compiler();

  /// Parses a text; `Name` stands for it in messages.
  Result<Source> parse(std::string_view Text,
                       const std::string &Name = "<pattern>");
  Result<Source> parseFile(const std::string &Path);

  /// The name of the pattern, combination or recurrence that `Name` chooses. An
  /// empty one chooses the only one that no other of the source uses.
  Result<std::string> choosePattern(const Source &From,
                                    const std::string &Name) const;

  /// The rows of the state of a recurrence with that head dim of q and k; fails
  /// when they are too many.
  Result<int64_t> countStateRows(const Source &From, const std::string &Name,
                                 int64_t HeadDimQk) const;

  /// A module that holds the chosen pattern with its formula, and the patterns
  /// it uses with theirs.
  Result<Source> normalize(const Source &From, const std::string &Pattern);

  /// A module at the pattern level: the patterns with their formulas, and one
  /// kernel per level with its schedule.
  Result<Source> schedule(const Source &From, const CompileOptions &Options);

  /// Why `Options.ShortQueries` would be without effect; empty where it has
  /// one.
  Result<std::string> findShortQueriesObstacle(const Source &From,
                                               const CompileOptions &Options);

  /// The text of a stage, or the bytes of an object file. Where all levels are
  /// of devices, those up to assembly are the devices' own, the last two of one
  /// level only.
  Result<std::string> emit(const Source &From, const CompileOptions &Options,
                           Stage Until);

  /// The same by the name of the stage. That of a target, or of a device's
  /// assembly text, chooses the levels of that target among those asked for, or
  /// all of them where none is asked for.
  Result<std::string> emit(const Source &From, const CompileOptions &Options,
                           std::string_view StageName);

  /// Writes a bundle to `Path`, and, unless `HeaderPath` is empty, a C header
  /// that describes it. Writes both or, on failure, none.
  Result<Timings> writeBundle(const Source &From, const CompileOptions &Options,
                              const std::string &Path,
                              const std::string &HeaderPath = "");

  /// Makes a program for this machine.
  Result<Program> jit(const Source &From, const CompileOptions &Options);

private:
  struct Impl;
  std::unique_ptr<Impl> Content;
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_COMPILER_H
