// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text part of a .npy header: a Python dictionary literal with the keys
// 'descr', 'fortran_order' and 'shape'.

#ifndef HEDDLE_RUNTIME_NPY_HEADER_H
#define HEDDLE_RUNTIME_NPY_HEADER_H

#include "heddle/abi.h"
#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::npy {

struct Header {
  /// For example "<f4"; "a structured type" for a list of fields.
  std::string Descr;
  bool FortranOrder = false;
  std::vector<int64_t> Shape;
};

/// Parses the dictionary. The error text continues "its header ...".
ErrorText parseHeader(std::string_view Text, Header &Out);

/// The dictionary of a C-ordered little-endian array.
std::string headerText(const std::vector<int64_t> &Shape, heddle_dtype Dtype);

/// How NumPy writes a dtype: "<f4". It has none for bf16; a file then holds raw
/// elements of two bytes ("<V2"), which is what arrays of ml_dtypes become.
const char *descrOf(heddle_dtype Dtype);

/// Whether elements described so are of the dtype.
bool describes(const std::string &Descr, heddle_dtype Dtype);

/// "(1, 8)" as Python writes a shape.
std::string shapeText(const std::vector<int64_t> &Shape);

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_HEADER_H
