// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Keep.h"
#include "test/unit/importers/Support.h"

#include <filesystem>
#include <fstream>

using namespace heddle;
using namespace heddle::importers;
using namespace heddle::importers::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class FilesTest : public ImportTest {
protected:
  static Import example() {
    Import From;
    From.Pattern = "example";
    From.Text = "text";
    From.Operands.push_back(Operand::table("lengths", {1, 2}, {3, 4}));
    From.Operands.push_back(Operand::sets("cols", {2}, 100, {{9, 5, 9}, {}}));
    From.Shape = {1, 2, 2, 10, 10};
    return From;
  }
  std::string failure(const Import &From, const std::string &Folder) {
    importers::Written Files;
    return importers::write(From, Folder, Files).value_or("");
  }
  std::string content(const std::string &Path) {
    std::ifstream File(Path);
    return {std::istreambuf_iterator<char>(File), {}};
  }
};

} // namespace

TEST_F(FilesTest, WritesAllFilesAndSaysHowToRun) {
  importers::Written Files;
  ASSERT_EQ(importers::write(example(), path("out"), Files), std::nullopt);
  EXPECT_THAT(filesIn(path("out")),
              ElementsAre("cols_indices.npy", "cols_indptr.npy", "example.mlir",
                          "lengths.npy"));
  EXPECT_EQ(content(path("out/example.mlir")), "text");
  const std::string O = path("out");
  EXPECT_EQ(Files.RunLine,
            "heddle run " + O +
                "/example.mlir --shape "
                "b=1,hq=2,hkv=2,sq=10,sk=10,d=64 --set lengths=" +
                O + "/lengths.npy cols=csr:" + O + "/cols_indptr.npy," + O +
                "/cols_indices.npy,size=100");
  npy::Array Indptr, Indices;
  ASSERT_EQ(npy::read(path("out/cols_indptr.npy"), Indptr, {HEDDLE_I32}),
            std::nullopt);
  EXPECT_THAT(std::vector<int32_t>(Indptr.Data.data<int32_t>(),
                                   Indptr.Data.data<int32_t>() + 3),
              ElementsAre(0, 2, 2));
  ASSERT_EQ(npy::read(path("out/cols_indices.npy"), Indices, {HEDDLE_I32}),
            std::nullopt);
  EXPECT_THAT(std::vector<int32_t>(Indices.Data.data<int32_t>(),
                                   Indices.Data.data<int32_t>() + 2),
              ElementsAre(5, 9));
}

TEST_F(FilesTest, AllFilesOrNone) {
  // The pattern's place is taken by a folder: no operand appears either.
  std::filesystem::create_directories(path("out/example.mlir"));
  EXPECT_THAT(failure(example(), path("out")), HasSubstr("it is a folder"));
  EXPECT_THAT(filesIn(path("out")), ElementsAre("example.mlir"));
  EXPECT_THAT(failure(example(), path("no/such")), HasSubstr("cannot make the "
                                                             "folder"));
  EXPECT_FALSE(std::filesystem::exists(path("no")));
  writeText("file", "");
  EXPECT_THAT(failure(example(), path("file")), HasSubstr("cannot make the "
                                                          "folder"));
  EXPECT_THAT(failure(example(), path("a,b")), HasSubstr("comma"));
  EXPECT_THAT(failure(example(), ""), HasSubstr("is empty"));
}

TEST_F(FilesTest, StorageIsTheSmallest) {
  // Few members: lists. Rows of very different lengths: CSR. Most of a small
  // universe: a map.
  EXPECT_EQ(Operand::sets("x", {}, 1000, {{1, 2}}).As, Storage::Lists);
  EXPECT_EQ(Operand::sets("x", {3}, 1000, {{1, 2, 3, 4, 5, 6}, {}, {}}).As,
            Storage::Csr);
  EXPECT_EQ(Operand::sets("x", {1}, 4, {{0, 1, 2, 3}}).As, Storage::Map);
  EXPECT_EQ(Operand::sets("x", {1}, 4, {{0, 1, 2, 3}}).bytes(), 4);
}

TEST_F(FilesTest, WordsAreQuotedForTheShell) {
  Import From = example();
  importers::Written Files;
  ASSERT_EQ(importers::write(From, path("it's here"), Files), std::nullopt);
  EXPECT_THAT(Files.RunLine, HasSubstr("heddle run '" + path("it'\\''s here")));
  EXPECT_THAT(report(From, Files), HasSubstr("operands  "));
}

TEST_F(FilesTest, KeepPrintsOneOperationPerValue) {
  Keep Of("p");
  Expr D = Of.called(Of.sub(Of.q(), Of.k()), "d");
  Expr Past = Of.called(Of.notNegative(Of.sub(Of.q(), Of.k())), "past");
  Expr Near = Of.called(Of.less(D, Of.integer("window", -3)), "near");
  Of.residue(D, 1, 2); // not needed, not printed
  Of.keep(Of.called(Of.both(Past, Near), "kept"));
  EXPECT_EQ(Of.print({"A comment."}),
            "// A comment.\n"
            "attn.pattern @p(%window: index = -3) keep(%b, %h, %q, %k) {\n"
            "  %d = arith.subi %q, %k : index\n"
            "  %past = attn.in %d, #attn.interval<0, inf>\n"
            "  %near = arith.cmpi slt, %d, %window : index\n"
            "  %kept = arith.andi %past, %near : i1\n"
            "  attn.keep %kept\n"
            "}\n");
}
