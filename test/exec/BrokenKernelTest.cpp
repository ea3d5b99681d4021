// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of ours that are broken on purpose, one instruction at a time: the
// emulator must name the instruction at fault, or, where a mistake is no fault
// but gives other numbers, the comparison must fail. A mistake that nobody
// notices is a failure of the test: either the instruction is not needed, and
// the code generator should not make it, or the checks are blind.

#include "codegen/nv/emulation/Driver.h"
#include "test/exec/DeviceLaunch.h"
#include "test/exec/Kernels.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Regex.h"

#include <limits>
#include <map>

using namespace heddle;
using namespace heddle::exec;
using ptx::FaultKind;

namespace {

/// What a mistake may end in.
struct Ends {
  std::vector<FaultKind> Faults;
  bool OtherNumbers = false;
};

/// A mistake that can be made in every line that an expression matches.
struct Mistake {
  const char *Name;
  const char *Line; ///< a regular expression
  const char *Instead;
  Ends In;
  /// The most lines of a kernel in which it is made, evenly spread; 0: all.
  size_t Most = 0;
  /// Where given: only lines whose result (the first register that they name)
  /// is an operand ahead of this text.
  const char *ResultAheadOf = nullptr;
};

/// Ends of a wait or barrier that is not there. What is met first is a matter
/// of which warp comes first.
const Ends Unordered = {
    {FaultKind::Race, FaultKind::Pending, FaultKind::Uninitialized}};

const std::vector<Mistake> &orderMistakes() {
  static const std::vector<Mistake> All = {
      {"without a wait", "cp\\.async\\.wait_group", "", {{FaultKind::Pending}}},
      {"with a wait for all groups but one more",
       "(cp\\.async\\.wait_group[[:space:]]+)0;",
       "\\g<1>1;",
       {{FaultKind::Pending}}},
      {"without a group",
       "cp\\.async\\.commit_group",
       "",
       {{FaultKind::Pending}}},
      {"without a barrier", "bar\\.sync[[:space:]]", "", Unordered},
      {"with a barrier that one warp need not reach",
       "bar\\.sync[[:space:]]+0;",
       "bar.sync 0, 96;",
       {{FaultKind::Barrier, FaultKind::Deadlock, FaultKind::Race,
         FaultKind::Pending, FaultKind::Uninitialized}}},
      {"with a barrier for more warps than there are",
       "bar\\.sync[[:space:]]+0;",
       "bar.sync 0, 160;",
       {{FaultKind::Barrier, FaultKind::Deadlock}}},
  };
  return All;
}

/// Of a kernel with stages of 8192 bytes.
const std::vector<Mistake> &stageMistakes() {
  static const std::vector<Mistake> All = {
      {"with another stage",
       "shl\\.b32([[:space:]]+%r[0-9]+, %r[0-9]+), 13;",
       "shl.b32\\1, 12;",
       {{FaultKind::Race, FaultKind::Pending, FaultKind::Uninitialized}, true}},
      {"with coordinates of another stage",
       "(mad\\.lo\\.s32[[:space:]]+%r[0-9]+, %r[0-9]+), 24, ",
       "\\1, 8, ",
       {{FaultKind::Race, FaultKind::Pending, FaultKind::Uninitialized}, true}},
      {"that fills a stage in use",
       "add\\.s32([[:space:]]+%r[0-9]+, %r[0-9]+), 2;",
       "add.s32\\1, 1;",
       {{FaultKind::Race, FaultKind::Pending, FaultKind::Uninitialized}, true}},
  };
  return All;
}

const std::vector<Mistake> &dataMistakes() {
  static const std::vector<Mistake> All = {
      {"with a vote of every thread by itself",
       "bar\\.red\\.or\\.pred[[:space:]]+(%p[0-9]+), 0, (%p[0-9]+);",
       "mov.pred \\1, \\2;",
       {{FaultKind::MissingLanes}, true}},
      {"with rows that swizzle otherwise",
       "(xor\\.b32[[:space:]]+%r[0-9]+, %r[0-9]+), 32;",
       "\\1, 48;",
       {{FaultKind::Uninitialized, FaultKind::Race}, true}},
      {"with rows that do not swizzle",
       "xor\\.b32([[:space:]]+%r[0-9]+, %r[0-9]+), %r[0-9]+;",
       "mov.b32\\1;",
       {{FaultKind::Uninitialized, FaultKind::Race, FaultKind::Pending}, true},
       0,
       // The number of a chunk becomes bytes.
       ", 4;"},
      {"with a transposed fragment",
       "ldmatrix\\.sync\\.aligned\\.m8n8\\.x4\\.shared",
       "ldmatrix.sync.aligned.m8n8.x4.trans.shared",
       {{}, true},
       4},
      {"with a fragment that is not transposed",
       "m8n8\\.x4\\.trans\\.shared",
       "m8n8.x4.shared",
       {{}, true},
       4},
      {"without a copy",
       "cp\\.async\\.cg\\.",
       "",
       {{FaultKind::Uninitialized}, true},
       6},
      {"with copies beyond the last row",
       "(cp\\.async\\.cg.*), 16, %r[0-9]+;",
       "\\1, 16, 16;",
       {{FaultKind::OutOfBounds}, true},
       6},
      {"without the tile's coordinates",
       "st\\.shared\\.b(32|64)[[:space:]]+\\[%rd[0-9]+\\+",
       "",
       // Where scores are computed a tile ahead, a stage may have those of
       // the tile that it held before.
       {{FaultKind::Uninitialized}, true}},
      {"with another partner of a reduction",
       "(shfl\\.sync\\.bfly.*), 2, 31, -1;",
       "\\1, 4, 31, -1;",
       {{}, true}},
      {"with a shuffle that one lane has no part in",
       "(shfl\\.sync\\.bfly.*), -1;",
       "\\1, 2147483647;",
       {{FaultKind::MissingLanes}},
       2},
  };
  return All;
}

/// Of a kernel of which one stage is filled ahead of the loop and the other
/// within it, so that no stage has the coordinates of an earlier tile when a
/// store of them is missed.
const std::vector<Mistake> &coordinateMistakes() {
  static const std::vector<Mistake> All = {
      {"without the tile's coordinates",
       "st\\.shared\\.b(32|64)[[:space:]]+\\[%rd[0-9]+\\+",
       "",
       {{FaultKind::Uninitialized}}},
  };
  return All;
}

/// A problem of one query tile, in an order of axes.
struct Problem {
  Sizes Of;
  Layout Order = Layout::Bhsd;
  bool WantsColumnSums = true; ///< of a kernel that has them
};

/// A kernel, and problems of which one at least shows any mistake.
class Subject {
public:
  Subject(Compiler &Host, const Pattern &What, KernelSpec Spec,
          std::vector<Problem> Problems);

  const std::string &text() const { return Text; }

  /// Runs a text in the place of the kernel's, on all problems up to the first
  /// that fails.
  testing::AssertionResult run(const std::string &Other,
                               uint64_t Seed = 0) const;
  /// Makes a mistake in every line where it can be made, one at a time. Returns
  /// in how many.
  size_t make(const Mistake &What) const;

  /// In how many lines of this kernel a mistake (by its name) goes unnoticed,
  /// since others of its operations order the same: no more and no fewer.
  std::map<std::string, size_t> Spare;

private:
  /// Whether it was noticed at all.
  bool expectNoticed(const Mistake &What, const std::string &Other) const;

  const Pattern &What;
  KernelSpec Spec;
  std::vector<Problem> Problems;
  std::optional<Program> Kernel;
  std::string Text;
};

} // namespace

static KernelSpec narrowSpec() {
  KernelSpec Spec;
  Spec.Level = emulatedLevels().front();
  Spec.Dtype = HEDDLE_F16;
  return Spec;
}

Subject::Subject(Compiler &Host, const Pattern &What, KernelSpec TheSpec,
                 std::vector<Problem> TheProblems)
    : What(What), Spec(std::move(TheSpec)), Problems(std::move(TheProblems)),
      Kernel(compile(Host, What, Spec)) {
  if (Kernel)
    Text = deviceCode(Kernel->kernel())->device->ptx;
}

testing::AssertionResult Subject::run(const std::string &Other,
                                      uint64_t Seed) const {
  const DeviceMode Mode(Seed, Other);
  for (const Problem &P : Problems) {
    Operands Data(P.Of, Spec, P.Order);
    if (!P.WantsColumnSums)
      Data.ColumnSums.clear();
    // In a key that some rows keep: what one warp finds in its part of the tile
    // matters to all.
    Data.V.set(0, 0, P.Of.SeqK - 3, 3, std::numeric_limits<float>::infinity());
    if (auto Good = launchAndCompare(What, Spec, *Kernel, P.Of, Data); !Good)
      return Good;
  }
  return testing::AssertionSuccess();
}

bool Subject::expectNoticed(const Mistake &Which,
                            const std::string &Other) const {
  // What cannot be read is no mistake that a run finds.
  auto Read = ptx::Program::parse(Other, "broken");
  EXPECT_TRUE(bool(Read)) << llvm::toString(Read.takeError());
  const testing::AssertionResult Ran = run(Other);
  if (Ran)
    return false;
  const std::optional<ptx::Fault> Found = ptx::emulatedFault();
  if (!Found) {
    EXPECT_TRUE(Which.In.OtherNumbers) << Ran.message();
    return true;
  }
  EXPECT_TRUE(llvm::is_contained(Which.In.Faults, Found->Kind))
      << ptx::faultName(Found->Kind).str() << ": " << Found->describe();
  // The message names an instruction of the text.
  llvm::SmallVector<llvm::StringRef> Lines;
  llvm::StringRef(Other).split(Lines, '\n');
  if (Found->Line < 1 || Found->Line > Lines.size()) {
    ADD_FAILURE() << Found->describe();
    return true;
  }
  const std::string At = "at line " + std::to_string(Found->Line) + ": ";
  EXPECT_NE(std::string(Ran.message()).find(At + Found->Text),
            std::string::npos)
      << Ran.message();
  EXPECT_TRUE(Lines[Found->Line - 1].contains(
      llvm::StringRef(Found->Text).take_until([](char C) {
        return C == ' ' || C == '\t';
      })))
      << Found->Text;
  return true;
}

/// The register that an instruction writes.
static std::string resultOf(llvm::StringRef Line) {
  return Line.drop_until([](char C) { return C == '%'; })
      .take_until([](char C) { return C == ','; })
      .str();
}

size_t Subject::make(const Mistake &Which) const {
  llvm::Regex Expression(Which.Line);
  llvm::SmallVector<llvm::StringRef> Lines;
  llvm::StringRef(Text).split(Lines, '\n');
  std::vector<size_t> Matching;
  for (size_t I = 0; I < Lines.size(); ++I)
    if (Expression.match(Lines[I]) &&
        (!Which.ResultAheadOf ||
         llvm::StringRef(Text).contains(", " + resultOf(Lines[I]) +
                                        Which.ResultAheadOf)))
      Matching.push_back(I);
  const size_t Step =
      Which.Most ? (Matching.size() + Which.Most - 1) / Which.Most : 1;
  size_t Unnoticed = 0;
  std::string Where;
  for (size_t N = 0; N < Matching.size(); N += Step) {
    const size_t I = Matching[N];
    const llvm::StringRef Old = Lines[I];
    const std::string New =
        *Which.Instead ? Expression.sub(Which.Instead, Old) : std::string();
    EXPECT_NE(New, Old.str());
    Lines[I] = New;
    const std::string At = " line " + std::to_string(I + 1) + ": " + Old.str();
    SCOPED_TRACE("a kernel " + std::string(Which.Name) + ", at" + At);
    if (!expectNoticed(Which, llvm::join(Lines, "\n"))) {
      ++Unnoticed;
      Where += At;
    }
    Lines[I] = Old;
  }
  const auto Known = Spare.find(Which.Name);
  EXPECT_EQ(Unnoticed, Known == Spare.end() ? 0 : Known->second)
      << "nobody notices a kernel " << Which.Name << Where;
  return Matching.size();
}

/// Makes all of these mistakes; none may have become impossible to make.
static void makeAll(const Subject &Of, llvm::ArrayRef<Mistake> Mistakes) {
  ASSERT_FALSE(Of.text().empty());
  // Nothing is wrong with the text itself, in whatever order warps run.
  for (uint64_t Seed : {0, 1, 2})
    ASSERT_TRUE(Of.run(Of.text(), Seed));
  for (const Mistake &Which : Mistakes)
    EXPECT_GT(Of.make(Which), 0U) << Which.Name;
}

namespace {

/// Four key tiles; rows that are no multiple of what a copy moves; few rows and
/// keys.
std::vector<Problem> causalProblems() {
  return {{{1, 1, 1, 64, 200, {136}, {}}},
          {{1, 1, 1, 64, 200, {136}, {}}, Layout::Padded},
          {{1, 1, 1, 5, 9, {4}, {}}}};
}

TEST(BrokenKernels, Causal) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  const Subject Of(Host, What, narrowSpec(), causalProblems());
  makeAll(Of, orderMistakes());
  makeAll(Of, dataMistakes());
}

/// Products by FMA, which read queries from shared memory: they have arrived
/// when the first keys have, so that there is no need to wait for them alone.
TEST(BrokenKernels, Wide) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  KernelSpec Spec = narrowSpec();
  Spec.Dtype = HEDDLE_F32;
  Subject Of(Host, What, Spec, causalProblems());
  for (const char *Name :
       {"without a wait", "with a wait for all groups but one more",
        "without a group", "without a barrier"})
    Of.Spare[Name] = 1;
  makeAll(Of, orderMistakes());
}

/// The copies of the stage behind the next one may be under way.
TEST(BrokenKernels, ThreeStages) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  KernelSpec Spec = narrowSpec();
  Spec.Schedule.Stages = 3;
  Spec.Schedule.KeyTile = 32;
  const Subject Of(Host, What, Spec, causalProblems());
  makeAll(Of, orderMistakes());
  makeAll(Of, stageMistakes());
}

TEST(BrokenKernels, OneStage) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  KernelSpec Spec = narrowSpec();
  Spec.Schedule.Stages = 1;
  const Subject Of(Host, What, Spec, causalProblems());
  makeAll(Of, orderMistakes());
}

/// Gathered columns, which the copies find in a list in shared memory.
TEST(BrokenKernels, Columns) {
  Compiler Host;
  const Result<Pattern> What = Pattern::parse(Host, R"(
attn.pattern @columns(%cols: !attn.set) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[]
  %kept = arith.andi %past, %column : i1
  attn.keep %kept
})",
                                              "columns.mlir");
  ASSERT_TRUE(What) << What.failure().str();
  std::vector<int64_t> Columns;
  for (int64_t I = 0; I < 300; ++I)
    if (I % 3 != 1)
      Columns.push_back(I);
  const std::vector<Value> Sets = {Value::sets({}, 300, {Columns})};
  const Subject Of(Host, *What, narrowSpec(),
                   {{{1, 1, 1, 64, 300, {236}, Sets}},
                    {{1, 1, 1, 64, 300, {236}, Sets}, Layout::Padded}});
  makeAll(Of, orderMistakes());
}

/// Keys of two sources, one after the other through the same memory.
TEST(BrokenKernels, TwoLoops) {
  Compiler Host;
  const Result<Pattern> What = Pattern::parse(Host, R"(
attn.pattern @old keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.pattern @new keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
attn.combine @both [@new, @old])",
                                              "both.mlir");
  ASSERT_TRUE(What) << What.failure().str();
  std::vector<Problem> Problems(2);
  for (size_t I = 0; I < 2; ++I) {
    Problems[I].Of = {1, 1, 1, 64, 64 + 64 * static_cast<int64_t>(I), {64}, {}};
    Problems[I].Of.MoreKeys = {200};
  }
  const Subject Of(Host, *What, narrowSpec(), Problems);
  makeAll(Of, orderMistakes());
}

/// The sweep over columns, whose warps add up their sums in shared memory.
/// Where nobody wants them, their barriers order nothing else. Queries are in
/// registers before anybody reads keys: the barrier ahead of the next ones is
/// for f32.
TEST(BrokenKernels, ColumnSums) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "causal");
  KernelSpec Spec = narrowSpec();
  Spec.Outputs = {false, true, 16, 16};
  std::vector<Problem> Problems = causalProblems();
  Problems.push_back({{1, 1, 1, 130, 70, {0}, {}}});
  Problems.push_back({{1, 1, 1, 130, 70, {0}, {}}, Layout::Bhsd, false});
  Subject Of(Host, What, Spec, Problems);
  Of.Spare["without a barrier"] = 1;
  makeAll(Of, orderMistakes());
}

/// Queries and keys are rotated where they lie.
TEST(BrokenKernels, Rotation) {
  Compiler Host;
  const Pattern What = Pattern::example(Host, "rope");
  std::mt19937_64 Random(1);
  const std::vector<Value> Tables = {
      Value::randomReals(Random, {300, 32}, -1, 1),
      Value::randomReals(Random, {300, 32}, -1, 1)};
  const Subject Of(Host, What, narrowSpec(),
                   {{{1, 1, 1, 64, 200, {136}, Tables}},
                    {{1, 1, 1, 64, 200, {136}, Tables}, Layout::Padded}});
  makeAll(Of, orderMistakes());
  makeAll(Of, coordinateMistakes());
}

/// Where the code has lines, the emulator names that of the pattern too.
TEST(BrokenKernels, NameTheLineOfThePattern) {
  Compiler Host;
  const Result<Pattern> What = Pattern::parse(Host, R"(
attn.pattern @past keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
})",
                                              "lines.mlir");
  ASSERT_TRUE(What) << What.failure().str();
  KernelSpec Spec = narrowSpec();
  Spec.LineInfo = true;
  const Subject Of(Host, *What, Spec, causalProblems());
  ASSERT_TRUE(Of.run(Of.text()));
  std::string Other = Of.text();
  const std::string Wait = "cp.async.wait_group";
  for (size_t At; (At = Other.find(Wait)) != Other.npos;)
    Other.replace(At, Wait.size(), "// ");
  ASSERT_FALSE(Of.run(Other));
  const std::optional<ptx::Fault> Found = ptx::emulatedFault();
  ASSERT_TRUE(Found);
  EXPECT_EQ(Found->Source, "lines.mlir:2");
  // What decides about pairs has a line of its own.
  EXPECT_NE(Of.text().find("\t.loc\t1 5 "), std::string::npos);
}

} // namespace
