// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_NPY_PENDINGFILE_H
#define HEDDLE_RUNTIME_NPY_PENDINGFILE_H

#include "runtime/npy/ErrorText.h"

#include <cstddef>
#include <string>

namespace heddle::npy {

/// A file that exists under a temporary name in the folder of its final one
/// until `commit`, and not at all when it is dropped before: no reader ever
/// sees a part of it.
class PendingFile {
public:
  PendingFile() = default;
  ~PendingFile() { discard(); }
  PendingFile(const PendingFile &) = delete;
  PendingFile &operator=(const PendingFile &) = delete;

  /// Creates the temporary. Fails where `commit` could not succeed: a missing
  /// or unwritable folder, or a `Path` that is a folder or a device.
  ErrorText create(const std::string &Path);
  /// Appends bytes.
  ErrorText append(const void *Data, size_t Bytes);
  /// Gives the file its final name, replacing what was there.
  ErrorText commit();
  /// Removes the temporary, if any.
  void discard();

private:
  ErrorText failure(int Error);

  std::string Given, Target, Temporary;
  int Descriptor = -1;
};

/// Checks that a file could be written at `Path`, before long work begins.
ErrorText checkWritable(const std::string &Path);

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_PENDINGFILE_H
