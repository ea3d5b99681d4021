// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/npy/Npy.h"
#include "Support.h"
#include "runtime/npy/Header.h"

#include <fmt/format.h>

#include <cstring>
#include <sys/stat.h>

using namespace heddle;
using namespace heddle::test;

/// A .npy file put together by hand.
static std::string npyBytes(const std::string &Dictionary,
                            const std::string &Elements, int Version = 1) {
  std::string Header = Dictionary + "\n";
  std::string Bytes = "\x93NUMPY";
  Bytes += static_cast<char>(Version);
  Bytes += '\0';
  for (int Byte = 0; Byte < (Version == 1 ? 2 : 4); ++Byte)
    Bytes += static_cast<char>(Header.size() >> (8 * Byte) & 0xff);
  return Bytes + Header + Elements;
}

static std::string floats(int Count) {
  std::string Bytes(4 * Count, '\0');
  for (int I = 0; I < Count; ++I) {
    auto Value = static_cast<float>(I);
    std::memcpy(&Bytes[4 * I], &Value, 4);
  }
  return Bytes;
}

static constexpr const char *TwoByThree =
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

namespace {

class Npy : public testing::Test {
protected:
  /// Reads bytes as a file.
  ErrorText read(const std::string &Bytes) {
    std::string Path = Folder / "a.npy";
    writeFile(Path, Bytes);
    std::vector<int64_t> Shape;
    ErrorText OfShape = npy::readShape(Path, Shape);
    ErrorText Bad = npy::read(Path, Array);
    EXPECT_EQ(OfShape, Bad);
    if (!Bad) {
      EXPECT_EQ(Shape, Array.Shape);
    }
    return Bad;
  }
  void expectBad(const std::string &Bytes,
                 std::initializer_list<const char *> Parts) {
    ErrorText Bad = read(Bytes);
    ASSERT_TRUE(Bad) << "accepted " << Bytes;
    for (const char *Part : Parts)
      EXPECT_NE(Bad->find(Part), std::string::npos)
          << "'" << Part << "' is not in: " << *Bad;
    EXPECT_NE(Bad->find("a.npy"), std::string::npos) << *Bad;
  }

  ScratchFolder Folder;
  npy::Array Array;
};

} // namespace

TEST_F(Npy, ReadsEveryVersion) {
  for (int Version : {1, 2, 3}) {
    ErrorText Bad = read(npyBytes(TwoByThree, floats(6), Version));
    ASSERT_FALSE(Bad) << *Bad;
    EXPECT_EQ(Array.Shape, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(Array.Data.size(), 6);
    EXPECT_EQ(Array.Data.data()[5], 5);
  }
}

TEST_F(Npy, ReadsOddButLegalHeaders) {
  for (const char *Dictionary :
       {"{\"shape\":(6,),\"descr\":\"<f4\",\"fortran_order\":False}",
        "  { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 6 , ) }  ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 6, 1), }"}) {
    ErrorText Bad = read(npyBytes(Dictionary, floats(6)));
    EXPECT_FALSE(Bad) << *Bad;
  }
  EXPECT_FALSE(read(npyBytes(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", floats(1))));
  EXPECT_FALSE(read(npyBytes(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 0, 9), }", "")));
  EXPECT_EQ(Array.Data.size(), 0);
}

TEST_F(Npy, RefusesOtherFiles) {
  std::vector<int64_t> Shape;
  EXPECT_NE(npy::readShape(Folder / "none.npy", Shape)->find("No such file"),
            std::string::npos);
  EXPECT_NE(npy::readShape(Folder.path(), Shape)->find("regular file"),
            std::string::npos);
  expectBad("", {"truncated", "0 bytes"});
  expectBad("PK\x03\x04 an archive of arrays", {"not a .npy file"});
  expectBad("hi", {"not a .npy file"});
  expectBad(npyBytes(TwoByThree, floats(6), 4), {"version 4.0", "1.0"});
}

TEST_F(Npy, RefusesEveryTruncation) {
  std::string Whole = npyBytes(TwoByThree, floats(6));
  for (size_t Size = 0; Size < Whole.size(); ++Size)
    expectBad(Whole.substr(0, Size), {"truncated"});
  expectBad(Whole + "x", {"1 bytes after its elements"});
}

TEST_F(Npy, RefusesOtherElements) {
  for (const char *Type : {"<f8", "<f2", ">f4", "<i4", "|b1", "|O"})
    expectBad(npyBytes(fmt::format("{{'descr': '{}', 'fortran_order': False, "
                                   "'shape': (2, 3), }}",
                                   Type),
                       floats(6)),
              {Type, "expected '<f4'"});
  expectBad(npyBytes("{'descr': [('a', '<f4'), ('b', '<i4', (2,))], "
                     "'fortran_order': False, 'shape': (2, 3), }",
                     floats(6)),
            {"structured type", "expected '<f4'"});
  expectBad(npyBytes("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), "
                     "}",
                     floats(6)),
            {"Fortran order", "ascontiguousarray"});
}

TEST_F(Npy, ReadsEveryDtype) {
  const struct {
    const char *Descr;
    heddle_dtype Dtype;
    int64_t Bytes;
  } Cases[] = {{"<f4", HEDDLE_F32, 4},  {"<f2", HEDDLE_F16, 2},
               {"<V2", HEDDLE_BF16, 2}, {"|V2", HEDDLE_BF16, 2},
               {"<i4", HEDDLE_I32, 4},  {"<i8", HEDDLE_I64, 8},
               {"|b1", HEDDLE_BOOL, 1}};
  std::string Path = Folder / "a.npy";
  for (const auto &Case : Cases) {
    std::string Elements = floats(12).substr(0, 6 * Case.Bytes);
    auto Dictionary = [&](const char *Shape) {
      return fmt::format(
          "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}", Case.Descr,
          Shape);
    };
    writeFile(Path, npyBytes(Dictionary("(2, 3)"), Elements));
    ErrorText Bad = npy::read(Path, Array, {HEDDLE_BOOL, Case.Dtype});
    ASSERT_FALSE(Bad) << *Bad;
    EXPECT_EQ(Array.Dtype, Case.Dtype);
    EXPECT_EQ(Array.Data.size(), 6);
    EXPECT_EQ(
        std::memcmp(Array.Data.data<void>(), Elements.data(), 6 * Case.Bytes),
        0);
    npy::Info Info;
    ASSERT_FALSE(npy::readInfo(Path, Info, {Case.Dtype}));
    EXPECT_EQ(Info.Dtype, Case.Dtype);
    EXPECT_EQ(Info.Shape, (std::vector<int64_t>{2, 3}));
    // Sizes are those of the dtype.
    writeFile(Path, npyBytes(Dictionary("(7,)"), Elements));
    Bad = npy::read(Path, Array, {Case.Dtype});
    ASSERT_TRUE(Bad);
    EXPECT_NE(Bad->find("truncated"), std::string::npos) << *Bad;
  }
  writeFile(Path, npyBytes(TwoByThree, floats(6)));
  ErrorText Bad = npy::read(Path, Array, {HEDDLE_I32, HEDDLE_I64});
  ASSERT_TRUE(Bad);
  EXPECT_NE(Bad->find("expected '<i4' (little-endian i32) or '<i8' "
                      "(little-endian i64); convert it with .astype('<i4')"),
            std::string::npos)
      << *Bad;
}

TEST_F(Npy, WritesEveryDtype) {
  std::string Elements = floats(12), Path = Folder / "out.npy";
  for (heddle_dtype Dtype : {HEDDLE_F32, HEDDLE_F16, HEDDLE_BF16, HEDDLE_I32,
                             HEDDLE_I64, HEDDLE_BOOL}) {
    int64_t Bytes = 6 * npy::elementBytes(Dtype);
    ASSERT_FALSE(npy::write(Path, {3, 2}, Elements.data(), Dtype));
    ASSERT_FALSE(npy::read(Path, Array, {Dtype}));
    EXPECT_EQ(Array.Shape, (std::vector<int64_t>{3, 2}));
    EXPECT_EQ(std::memcmp(Array.Data.data<void>(), Elements.data(), Bytes), 0);
    EXPECT_EQ((readFile(Path).size() - Bytes) % 64, 0U);
  }
}

TEST_F(Npy, RefusesImpossibleShapes) {
  auto WithShape = [](const char *Shape) {
    return npyBytes(fmt::format("{{'descr': '<f4', 'fortran_order': False, "
                                "'shape': {}, }}",
                                Shape),
                    floats(6));
  };
  expectBad(WithShape("(4294967296, 4294967296)"), {"more elements"});
  expectBad(WithShape("(4611686018427387904,)"), {"more elements"});
  expectBad(WithShape("(99999999999999999999,)"), {"beyond 2^63 - 1"});
  expectBad(WithShape("(1000000000000,)"), {"truncated", "needs"});
  expectBad(WithShape("(-2, 3)"), {"'-2, 3)", "a size"});
  expectBad(WithShape("(2, 3"), {"a size"});
  expectBad(WithShape("6"), {"'('"});
}

TEST_F(Npy, RefusesDamagedHeaders) {
  for (const char *Dictionary :
       {"", "{", "[]", "{'descr': '<f4'", "{'descr': '<f4' 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (6,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (6,)}",
        "{'descr': [('a', '<f4')", "{descr: '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} more"})
    expectBad(npyBytes(Dictionary, floats(6)), {"damaged", "expected"});
  expectBad(npyBytes("{'descr': '<f4', 'shape': (6,)}", floats(6)),
            {"lacks the key 'fortran_order'"});
  expectBad(npyBytes("{'descr': '<f4', 'descr': '<f4'}", floats(6)),
            {"'descr' twice"});
  expectBad(npyBytes("{'order': 1}", floats(6)), {"'order'"});
  std::string Huge = npyBytes(TwoByThree, floats(6), 2);
  Huge[11] = '\x7f';
  expectBad(Huge, {"header has", "at most"});
}

TEST_F(Npy, WritesWhatItReads) {
  for (const std::vector<int64_t> &Shape : std::vector<std::vector<int64_t>>{
           {}, {5}, {0, 3}, {2, 3, 4, 5}, {1, 1, 1, 100000}}) {
    int64_t Count = *npy::numElements(Shape);
    std::string Elements = floats(static_cast<int>(Count));
    std::string Path = Folder / "out.npy";
    ErrorText Bad = npy::write(
        Path, Shape, reinterpret_cast<const float *>(Elements.data()));
    ASSERT_FALSE(Bad) << *Bad;
    ASSERT_FALSE(npy::read(Path, Array));
    EXPECT_EQ(Array.Shape, Shape);
    EXPECT_EQ(std::memcmp(Array.Data.data(), Elements.data(), 4 * Count), 0);
    // NumPy maps elements that begin at a multiple of 64.
    EXPECT_EQ((readFile(Path).size() - 4 * Count) % 64, 0U);
    EXPECT_EQ(Folder.count(), 1U);
  }
}

TEST_F(Npy, GivesFilesTheUsualMode) {
  float One = 1;
  mode_t Mask = ::umask(027);
  ErrorText Bad = npy::write(Folder / "mode.npy", {1}, &One);
  ::umask(Mask);
  ASSERT_FALSE(Bad);
  struct stat Status;
  ASSERT_EQ(::stat((Folder / "mode.npy").c_str(), &Status), 0);
  EXPECT_EQ(Status.st_mode & 0777, 0640U);
}

TEST_F(Npy, LeavesNothingBehindWhenItFails) {
  float One = 1;
  EXPECT_TRUE(npy::write(Folder / "none/a.npy", {1}, &One));
  EXPECT_TRUE(npy::write("", {1}, &One));
  ErrorText Bad = npy::write("/dev/null", {1}, &One);
  ASSERT_TRUE(Bad);
  EXPECT_NE(Bad->find("regular file"), std::string::npos);
  Bad = npy::write(Folder.path(), {1}, &One);
  ASSERT_TRUE(Bad);
  EXPECT_NE(Bad->find("a folder"), std::string::npos);
  EXPECT_TRUE(npy::checkWritable(Folder / "none/a.npy"));
  EXPECT_FALSE(npy::checkWritable(Folder / "a.npy"));
  EXPECT_EQ(Folder.count(), 0U);
}

TEST_F(Npy, KeepsTheOldFileUntilCommit) {
  std::string Path = Folder / "old.npy";
  writeFile(Path, "old");
  float One = 1;
  {
    npy::PendingFile Pending;
    ASSERT_FALSE(npy::stage(Path, {1}, &One, Pending));
    EXPECT_EQ(readFile(Path), "old");
    EXPECT_EQ(Folder.count(), 2U);
  }
  EXPECT_EQ(readFile(Path), "old");
  EXPECT_EQ(Folder.count(), 1U);
  ASSERT_FALSE(npy::write(Path, {1}, &One));
  EXPECT_EQ(readFile(Path).substr(1, 5), "NUMPY");
}

TEST_F(Npy, FollowsLinks) {
  std::string Path = Folder / "real.npy", Link = Folder / "link.npy";
  writeFile(Path, "old");
  std::filesystem::create_symlink(Path, Link);
  float One = 1;
  ASSERT_FALSE(npy::write(Link, {1}, &One));
  EXPECT_TRUE(std::filesystem::is_symlink(Link));
  EXPECT_EQ(readFile(Path).substr(1, 5), "NUMPY");
}
