// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_IMPORTERS_INDEXTENSOR_H
#define HEDDLE_FRONTENDS_IMPORTERS_INDEXTENSOR_H

#include "runtime/npy/Npy.h"

#include <cstdint>
#include <string>
#include <vector>

namespace heddle::importers {

/// An integer tensor from a .npy file of i32 or i64, in row-major order.
class IndexTensor {
public:
  ErrorText read(const std::string &Path,
                 npy::Dtypes Accepted = {HEDDLE_I32, HEDDLE_I64});

  const std::string &path() const { return Path; }
  const std::vector<int64_t> &shape() const { return Data.Shape; }
  size_t rank() const { return Data.Shape.size(); }
  int64_t size() const { return Data.Data.size(); }
  int64_t operator[](int64_t I) const {
    return Data.Dtype == HEDDLE_I64 ? Data.Data.data<int64_t>()[I]
                                    : Data.Data.data<int32_t>()[I];
  }

  /// Where element `I` is: "(0, 3, 17)".
  std::string place(int64_t I) const;

private:
  std::string Path;
  npy::Array Data;
};

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_INDEXTENSOR_H
