// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Support.h"

#include "frontends/cpp/Link.h"
#include "frontends/cpp/OutputFile.h"

using namespace heddle;

TEST(OutputFile, AppearsWhenKept) {
  TemporaryFolder Folder;
  std::string Path = Folder.file("text");
  Result<OutputFile> File = OutputFile::create(Path);
  ASSERT_TRUE(File);
  EXPECT_EQ(File->write("words"), "");
  EXPECT_FALSE(llvm::sys::fs::exists(Path));
  EXPECT_EQ(File->keep(), "");
  EXPECT_EQ(readFile(Path), "words");
  EXPECT_EQ(Folder.size(), 1u);
}

TEST(OutputFile, ALinkStaysALink) {
  TemporaryFolder Folder;
  {
    Result<OutputFile> File = OutputFile::create(Folder.file("text"));
    ASSERT_TRUE(File);
    EXPECT_EQ(File->keep(), "");
  }
  ASSERT_FALSE(llvm::sys::fs::create_link("text", Folder.file("link")));
  Result<OutputFile> File = OutputFile::create(Folder.file("link"));
  ASSERT_TRUE(File);
  EXPECT_EQ(File->write("words"), "");
  EXPECT_EQ(File->keep(), "");
  EXPECT_TRUE(llvm::sys::fs::is_symlink_file(Folder.file("link")));
  EXPECT_EQ(readFile(Folder.file("text")), "words");
}

TEST(OutputFile, LeavesNothingWhenDropped) {
  TemporaryFolder Folder;
  {
    Result<OutputFile> File = OutputFile::create(Folder.file("text"));
    ASSERT_TRUE(File);
    EXPECT_EQ(File->write("words"), "");
  }
  EXPECT_EQ(Folder.size(), 0u);
}

TEST(OutputFile, RefusesWhatIsNoFile) {
  TemporaryFolder Folder;
  Result<OutputFile> Missing = OutputFile::create(Folder.file("no/where"));
  ASSERT_FALSE(Missing);
  EXPECT_NE(Missing.failure().str().find("no such file or directory"),
            std::string::npos);
  Result<OutputFile> Itself = OutputFile::create(Folder.file("."));
  ASSERT_FALSE(Itself);
  EXPECT_NE(Itself.failure().str().find("not a regular file"),
            std::string::npos);
}

TEST(Link, ReportsWhatTheLinkerSays) {
  TemporaryFolder Folder;
  std::string Path = Folder.file("lib.so");
  std::string Error = linkSharedLibrary("this is no object", Path, "lib.so");
  EXPECT_EQ(Error.find("cannot link: "), 0u) << Error;
  EXPECT_EQ(Error.find('\n'), std::string::npos);
  EXPECT_FALSE(llvm::sys::fs::exists(Path));
  // The linker is none the worse for it.
  Compiler C;
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  Result<std::string> Object = C.emit(*From, {}, Stage::Object);
  ASSERT_TRUE(Object) << Object.failure().str();
  EXPECT_EQ(linkSharedLibrary(*Object, Path, "lib.so"), "");
  EXPECT_TRUE(llvm::sys::fs::exists(Path));
}

TEST(Link, UnwritableFolderIsAnError) {
  TemporaryFolder Folder;
  Compiler C;
  Result<Source> From = C.parse(PerHeadText);
  ASSERT_TRUE(From);
  Result<Timings> Written =
      C.writeBundle(*From, {}, Folder.file("missing/lib.so"));
  ASSERT_FALSE(Written);
  EXPECT_NE(Written.failure().str().find("cannot write"), std::string::npos);
  Written = C.writeBundle(*From, {}, Folder.file("lib.so"),
                          Folder.file("missing/lib.h"));
  ASSERT_FALSE(Written);
  EXPECT_EQ(Folder.size(), 0u) << "a bundle was left without its header";
}
