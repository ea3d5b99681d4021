// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text part of a .npy header: a Python dictionary literal with the keys
// 'descr', 'fortran_order' and 'shape'.

#ifndef HEDDLE_RUNTIME_NPY_HEADER_H
#define HEDDLE_RUNTIME_NPY_HEADER_H

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

/// The dictionary of a C-ordered little-endian f32 array.
std::string headerText(const std::vector<int64_t> &Shape);

/// "(1, 8)" as Python writes a shape.
std::string shapeText(const std::vector<int64_t> &Shape);

} // namespace heddle::npy

#endif // HEDDLE_RUNTIME_NPY_HEADER_H
