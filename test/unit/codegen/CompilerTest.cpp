// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"

using namespace heddle;

/// The failure of compiling `Text` with `Options`; empty if there is none.
static std::string compileError(const char *Text,
                                const CompileOptions &Options) {
  Compiler C;
  Result<Source> From = C.parse(Text, "test.mlir");
  if (!From)
    return From.failure().str();
  Result<Program> P = C.jit(*From, Options);
  return P ? "" : P.failure().str();
}

TEST(Compiler, ListsPatterns) {
  Compiler C;
  Result<Source> From = C.parse(std::string(WindowText) + PerHeadText);
  ASSERT_TRUE(From);
  std::vector<PatternInfo> Patterns = From->patterns();
  ASSERT_EQ(Patterns.size(), 2u);
  EXPECT_EQ(Patterns[0].Name, "window");
  ASSERT_EQ(Patterns[0].Params.size(), 2u);
  EXPECT_EQ(Patterns[0].Params[0].Name, "width");
  EXPECT_EQ(Patterns[0].Params[0].Default, 128);
  EXPECT_EQ(Patterns[0].Params[1].Default, std::nullopt);
  EXPECT_EQ(Patterns[1].Name, "per_head");
}

static constexpr const char *RecurrenceText = R"(
attn.recurrence @gated(%gate: tensor<?x?x?xf32>, %w: tensor<?x?x?xf32>)
    key(%x, %b, %h, %i, %c) {
  %y = attn.project %x, %w[%h] : tensor<?x?x?xf32>
  attn.features %y
} decay(%b, %h, %i) {
  %g = attn.at %gate[%b, %h, %i] : tensor<?x?x?xf32>
  attn.decay %g
} expand power 2 normalize magnitude
)";

TEST(Compiler, DescribesRecurrences) {
  Compiler C;
  Result<Source> From = C.parse(RecurrenceText);
  ASSERT_TRUE(From) << From.failure().str();
  std::vector<PatternInfo> Patterns = From->patterns();
  ASSERT_EQ(Patterns.size(), 1u);
  ASSERT_TRUE(Patterns[0].Recurrence);
  EXPECT_TRUE(Patterns[0].Recurrence->IsCausal);
  EXPECT_TRUE(Patterns[0].Recurrence->HasSums);
  EXPECT_FALSE(Patterns[0].Recurrence->HasDelta);
  EXPECT_EQ(Patterns[0].Recurrence->WindowParam, std::nullopt);
  ASSERT_EQ(Patterns[0].Params.size(), 2u);
  EXPECT_EQ(Patterns[0].Params[0].Rank, 3);
  EXPECT_EQ(Patterns[0].Params[0].Example, "random:-0.1..0@bxhxq");
  EXPECT_EQ(Patterns[0].Params[1].Example, "normal@hxdxd");
  // 12 * 13 / 2 monomials, and the values' own row.
  Result<int64_t> Rows = C.countStateRows(*From, "gated", 12);
  ASSERT_TRUE(Rows);
  EXPECT_EQ(*Rows, 79);
  Rows = C.countStateRows(*From, "gated", 400);
  ASSERT_FALSE(Rows);
  EXPECT_NE(Rows.failure().str().find("more than 65536 features"),
            std::string::npos);
}

TEST(Compiler, RunsRecurrencesInChunksAsAsked) {
  Compiler C;
  Result<Source> From = C.parse(RecurrenceText);
  ASSERT_TRUE(From);
  CompileOptions Options;
  Options.HeadDimQk = 12;
  Options.HeadDimV = 20;
  // Rows that the level prefers do not divide it; its lanes would not either.
  Options.Schedule.KeyTile = 36;
  Options.Schedule.Lanes = 4;
  Result<Program> P = C.jit(*From, Options);
  ASSERT_TRUE(P) << P.failure().str();
  const heddle_entry &Entry = *heddle_kernel_entry(P->kernel());
  EXPECT_EQ(Entry.form, HEDDLE_LINEAR);
  EXPECT_EQ(Entry.state_rows, 79);
  EXPECT_EQ(Entry.codes[0].query_tile, 36);
  EXPECT_EQ(Entry.codes[0].key_tile, 36);
  EXPECT_GT(Entry.codes[0].chunk_flop, 0);
}

TEST(Compiler, LocatesSyntaxErrors) {
  Compiler C;
  Result<Source> From =
      C.parse("attn.pattern @p keep(%b, %h, %q, %k) {\n  attn.keep %x\n}\n",
              "test.mlir");
  ASSERT_FALSE(From);
  const Diagnostic &First = From.failure().diagnostics().front();
  EXPECT_EQ(First.Kind, Diagnostic::Severity::Error);
  EXPECT_EQ(First.File, "test.mlir");
  EXPECT_EQ(First.Line, 2u);
  EXPECT_EQ(First.Snippet, "  attn.keep %x\n            ^");
  EXPECT_EQ(First.str().find("test.mlir:2:13: error: "), 0u) << First.str();
}

TEST(Compiler, PassErrorsAreLocatedToo) {
  // Well-formed, but no formula: a product of two coordinates.
  std::string Error = compileError(R"(
attn.pattern @p keep(%b, %h, %q, %k) {
  %x = arith.muli %q, %k : index
  %c = attn.in %x, #attn.interval<0, 7>
  attn.keep %c
})",
                                   {});
  EXPECT_EQ(Error.find("test.mlir:3:"), 0u) << Error;
}

TEST(Compiler, ChoosesPatterns) {
  std::string Both = std::string(WindowText) + PerHeadText;
  EXPECT_EQ(compileError(Both.c_str(), {}),
            "error: 'test.mlir' has several patterns, choose one of "
            "'@window', '@per_head'");
  CompileOptions Options;
  Options.Pattern = "@nothing";
  EXPECT_EQ(compileError(Both.c_str(), Options),
            "error: 'test.mlir' has no pattern '@nothing'; it has '@window', "
            "'@per_head'");
  EXPECT_EQ(compileError("module {}", {}),
            "error: 'test.mlir' has no pattern; expected an 'attn.pattern' or "
            "'attn.recurrence'");
  for (const char *Name : {"per_head", "@per_head"}) {
    Options.Pattern = Name;
    EXPECT_EQ(compileError(Both.c_str(), Options), "");
  }
}

TEST(Compiler, RefusesBadOptions) {
  auto Error = [](auto Change) {
    CompileOptions Options;
    Change(Options);
    return compileError(PerHeadText, Options);
  };
  EXPECT_EQ(Error([](CompileOptions &O) { O.HeadDimQk = 0; }),
            "error: head dim of q and k is 0; expected 1 to 512");
  EXPECT_EQ(Error([](CompileOptions &O) { O.HeadDimV = 513; }),
            "error: head dim of v is 513; expected 1 to 512");
  EXPECT_EQ(Error([](CompileOptions &O) { O.HeadDimV = -1; }),
            "error: head dim of v is -1; expected 1 to 512");
  EXPECT_EQ(Error([](CompileOptions &O) { O.Dtype = "f8"; }),
            "error: unknown dtype 'f8'; expected 'f32', 'f16' or 'bf16'");
  EXPECT_EQ(Error([](CompileOptions &O) {
              O.Targets = {"abacus"};
            }).find("error: unknown target 'abacus'; expected one of '"),
            0u);
  EXPECT_EQ(Error([](CompileOptions &O) {
              O.Kernel = "a b";
            }).find("error: kernel name 'a b' is not usable"),
            0u);
  EXPECT_NE(Error([](CompileOptions &O) {
              O.Schedule.QueryTile = -48;
            }).find("[schedule-1]"),
            std::string::npos);
  EXPECT_NE(Error([](CompileOptions &O) {
              O.Schedule.Rows = 7;
            }).find("[schedule-3]"),
            std::string::npos);
  EXPECT_NE(Error([](CompileOptions &O) {
              O.Schedule.KeyTile = 1 << 20;
            }).find("expected at most"),
            std::string::npos);
}

TEST(Compiler, BuildsTheScheduleAskedFor) {
  Compiler C;
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  CompileOptions Options;
  Options.Schedule.KeyTile = 32;
  Result<Program> P = C.jit(*From, Options);
  ASSERT_TRUE(P) << P.failure().str();
  EXPECT_EQ(heddle_kernel_entry(P->kernel())->codes[0].key_tile, 32);
}

TEST(Compiler, PrintsEveryStage) {
  Compiler C;
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  const std::pair<Stage, const char *> Expected[] = {
      {Stage::Attn, "#attn.formula<"},     {Stage::Tile, "tile.scores"},
      {Stage::Target, "llvm.func hidden"}, {Stage::Llvm, "define hidden void"},
      {Stage::Assembly, ".hidden\t"},      {Stage::Object, "\177ELF"}};
  for (auto [Until, Needle] : Expected) {
    Result<std::string> Text = C.emit(*From, {}, Until);
    ASSERT_TRUE(Text) << Text.failure().str();
    EXPECT_NE(Text->find(Needle), std::string::npos) << Needle;
  }
  for (const std::string &Name : stageNames())
    EXPECT_TRUE(findStage(Name)) << Name;
  EXPECT_FALSE(findStage("everything"));
}

TEST(Compiler, IsReusableAfterAnError) {
  Compiler C;
  EXPECT_FALSE(C.parse("attn.pattern"));
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  CompileOptions Bad;
  Bad.Schedule.Rows = 7;
  EXPECT_FALSE(C.jit(*From, Bad));
  EXPECT_TRUE(C.jit(*From, {}));
  EXPECT_TRUE(C.jit(*From, {}));
}

TEST(Compiler, SameInputSameBytes) {
  Compiler First, Second;
  Result<Source> A = First.parse(WindowText), B = Second.parse(WindowText);
  ASSERT_TRUE(A && B);
  Result<std::string> X = First.emit(*A, {}, Stage::Object);
  Result<std::string> Y = Second.emit(*B, {}, Stage::Object);
  Result<std::string> Z = Second.emit(*B, {}, Stage::Object);
  ASSERT_TRUE(X && Y && Z);
  EXPECT_EQ(*X, *Y);
  EXPECT_EQ(*Y, *Z);
}

TEST(Compiler, VerifiesFunctionsOfTheUser) {
  std::string Error = compileError(R"(
func.func @f(%q: tensor<?x8x?x64xf32>, %s: f32)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
  %o, %lse = attn.attention @nowhere() q(%q) k(%q) v(%q) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
})",
                                   {});
  EXPECT_EQ(Error.find("test.mlir:4:"), 0u) << Error;
}

TEST(Compiler, MissingFileIsAnError) {
  TemporaryFolder Folder;
  Compiler C;
  Result<Source> From = C.parseFile(Folder.file("none.mlir"));
  ASSERT_FALSE(From);
  EXPECT_NE(From.failure().str().find("no such file or directory"),
            std::string::npos);
}
