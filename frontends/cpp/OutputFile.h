// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_CPP_OUTPUTFILE_H
#define HEDDLE_FRONTENDS_CPP_OUTPUTFILE_H

#include "frontends/cpp/Diagnostics.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace heddle {

/// A file that appears at its path complete or not at all: it is written under
/// another name in the same folder and takes its place when kept. A signal that
/// ends the process removes it.
class OutputFile {
public:
  /// Fails when the folder cannot be written or `Path` is something other than
  /// a regular file.
  static Result<OutputFile> create(const std::string &Path);

  OutputFile(OutputFile &&Other) noexcept;
  OutputFile &operator=(OutputFile &&) = delete;
  /// Removes the temporary file if it was not kept.
  ~OutputFile();

  /// Where to write until it is kept.
  const std::string &temporary() const { return Temporary; }
  /// Replaces the contents; an error message or the empty string.
  std::string write(llvm::StringRef Bytes);
  /// Gives the file its name; an error message or the empty string.
  std::string keep();

private:
  OutputFile(std::string Path, std::string Temporary)
      : Path(std::move(Path)), Temporary(std::move(Temporary)) {}

  std::string Path;
  std::string Temporary; ///< Empty once kept or moved.
};

} // namespace heddle

#endif // HEDDLE_FRONTENDS_CPP_OUTPUTFILE_H
