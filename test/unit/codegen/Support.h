// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TEST_UNIT_CODEGEN_SUPPORT_H
#define HEDDLE_TEST_UNIT_CODEGEN_SUPPORT_H

#include "frontends/cpp/Compiler.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <gtest/gtest.h>

namespace heddle {

/// A window with one parameter that has a default and one that has none.
inline constexpr const char *WindowText = R"(
attn.pattern @window(%width: index = 128, %shift: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %e = arith.addi %d, %shift : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %e, %width : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}
)";

/// A window that grows with the head.
inline constexpr const char *PerHeadText = R"(
attn.pattern @per_head keep(%b, %h, %q, %k) {
  %c8 = arith.constant 8 : index
  %d = arith.subi %q, %k : index
  %width = arith.muli %h, %c8 : index
  %kept = arith.cmpi sle, %d, %width : index
  attn.keep %kept
}
)";

/// A folder that disappears with the test.
class TemporaryFolder {
public:
  TemporaryFolder() {
    llvm::SmallString<128> Made;
    if (!llvm::sys::fs::createUniqueDirectory("heddle-test", Made))
      Path = Made.str().str();
  }
  ~TemporaryFolder() { EXPECT_FALSE(llvm::sys::fs::remove_directories(Path)); }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string file(llvm::StringRef Name) const {
    llvm::SmallString<128> Result(Path);
    llvm::sys::path::append(Result, Name);
    return Result.str().str();
  }
  /// How many files lie in it.
  unsigned size() const {
    unsigned Count = 0;
    std::error_code Code;
    for (llvm::sys::fs::directory_iterator It(Path, Code), End; It != End;
         It.increment(Code))
      ++Count;
    return Count;
  }

private:
  std::string Path;
};

inline std::string readFile(const std::string &Path) {
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  return Buffer ? (*Buffer)->getBuffer().str() : std::string();
}

/// The message of a runtime error, which is freed; empty without an error.
inline std::string take(heddle_error *Error) {
  std::string Text = Error ? heddle_error_message(Error) : "";
  heddle_error_free(Error);
  return Text;
}

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_SUPPORT_H
