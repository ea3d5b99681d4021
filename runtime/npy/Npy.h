// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files, versions 1 to 3, with little-endian elements in C order:
// f32, f16, bf16 (as ml_dtypes writes it), i32, i64 and bool. See NEP 1 and
// numpy.lib.format.

#ifndef HEDDLE_RUNTIME_NPY_NPY_H
#define HEDDLE_RUNTIME_NPY_NPY_H

#include "heddle/abi.h"
#include "runtime/npy/Buffer.h"
#include "runtime/npy/ErrorText.h"
#include "runtime/npy/PendingFile.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace heddle::npy {

struct Array {
  std::vector<int64_t> Shape;
  Buffer Data;
  heddle_dtype Dtype = HEDDLE_F32;
};

/// What the header of a file says.
struct Info {
  std::vector<int64_t> Shape;
  heddle_dtype Dtype = HEDDLE_F32;
};

/// The dtypes that a reader takes; the first is the one that errors suggest.
using Dtypes = std::initializer_list<heddle_dtype>;

/// Bytes of an element.
int64_t elementBytes(heddle_dtype Dtype);

/// The number of elements of a shape; nothing when they exceed 2^63 - 1 bytes
/// or a size is negative.
std::optional<int64_t> numElements(const std::vector<int64_t> &Shape,
                                   heddle_dtype Dtype = HEDDLE_F32);

/// Reads only the header of the file at `Path`. Makes all the checks that
/// `read` makes.
ErrorText readInfo(const std::string &Path, Info &Out, Dtypes Accepted);

/// The shape of a file of f32.
ErrorText readShape(const std::string &Path, std::vector<int64_t> &Shape);

/// Reads the file at `Path`. Fails on a file that is missing, truncated, longer
/// than its shape says, of another dtype or order, or not a .npy file.
ErrorText read(const std::string &Path, Array &Out,
               Dtypes Accepted = {HEDDLE_F32});

/// Writes an array of `numElements(Shape, Dtype)` elements to a temporary
/// beside `Path`; `Out.commit()` makes it appear there.
ErrorText stage(const std::string &Path, const std::vector<int64_t> &Shape,
                const void *Data, PendingFile &Out,
                heddle_dtype Dtype = HEDDLE_F32);

/// `stage` and `commit` in one: afterwards the file is complete or untouched.
ErrorText write(const std::string &Path, const std::vector<int64_t> &Shape,
                const void *Data, heddle_dtype Dtype = HEDDLE_F32);

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_NPY_H
