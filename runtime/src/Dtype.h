// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_RUNTIME_SRC_DTYPE_H
#define HEDDLE_RUNTIME_SRC_DTYPE_H

#include "heddle/abi.h"

#include <string>

namespace heddle::runtime {

/// "f32" and so on; null for a number that is no dtype.
inline const char *dtypeName(int32_t Dtype) {
  switch (Dtype) {
  case HEDDLE_F32:
    return "f32";
  case HEDDLE_F16:
    return "f16";
  case HEDDLE_BF16:
    return "bf16";
  case HEDDLE_I32:
    return "i32";
  case HEDDLE_I64:
    return "i64";
  case HEDDLE_BOOL:
    return "bool";
  default:
    return nullptr;
  }
}

/// The name, or the number of what is no dtype.
inline std::string dtypeText(int32_t Dtype) {
  const char *Name = dtypeName(Dtype);
  return Name ? Name : std::to_string(Dtype);
}

/// Bytes of one element of a dtype that has a name.
inline int64_t dtypeBytes(int32_t Dtype) {
  switch (Dtype) {
  case HEDDLE_I64:
    return 8;
  case HEDDLE_F16:
  case HEDDLE_BF16:
    return 2;
  case HEDDLE_BOOL:
    return 1;
  default:
    return 4;
  }
}

/// Of the dtypes that q, k, v and o may have.
inline bool isFloat(int32_t Dtype) {
  return Dtype == HEDDLE_F32 || Dtype == HEDDLE_F16 || Dtype == HEDDLE_BF16;
}

} // namespace heddle::runtime

#endif // HEDDLE_RUNTIME_SRC_DTYPE_H
