// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files, versions 1 to 3, with little-endian f32 elements ('<f4')
// in C order. See NEP 1 and numpy.lib.format.

#ifndef HEDDLE_RUNTIME_NPY_NPY_H
#define HEDDLE_RUNTIME_NPY_NPY_H

#include "runtime/npy/Buffer.h"
#include "runtime/npy/ErrorText.h"
#include "runtime/npy/PendingFile.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::npy {

struct Array {
  std::vector<int64_t> Shape;
  Buffer Data;
};

/// The number of elements of a shape; nothing when it exceeds 2^63 - 1 bytes
/// of f32 or a size is negative.
std::optional<int64_t> numElements(const std::vector<int64_t> &Shape);

/// Reads only the header: the shape of the file at `Path`. Makes all the checks
/// that `read` makes.
ErrorText readShape(const std::string &Path, std::vector<int64_t> &Shape);

/// Reads the file at `Path`. Fails on a file that is missing, truncated, longer
/// than its shape says, of another dtype or order, or not a .npy file.
ErrorText read(const std::string &Path, Array &Out);

/// Writes an array of `numElements(Shape)` elements to a temporary beside
/// `Path`; `Out.commit()` makes it appear there.
ErrorText stage(const std::string &Path, const std::vector<int64_t> &Shape,
                const float *Data, PendingFile &Out);

/// `stage` and `commit` in one: afterwards the file is complete or untouched.
ErrorText write(const std::string &Path, const std::vector<int64_t> &Shape,
                const float *Data);

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_NPY_H
