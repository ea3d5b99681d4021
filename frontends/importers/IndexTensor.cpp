// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/IndexTensor.h"

#include "runtime/npy/Header.h"

using namespace heddle;
using namespace heddle::importers;

ErrorText IndexTensor::read(const std::string &From, npy::Dtypes Accepted) {
  Path = From;
  return npy::read(Path, Data, Accepted);
}

std::string IndexTensor::place(int64_t I) const {
  std::vector<int64_t> Indices(rank());
  for (size_t Axis = rank(); Axis-- > 0;) {
    Indices[Axis] = I % Data.Shape[Axis];
    I /= Data.Shape[Axis];
  }
  return npy::shapeText(Indices);
}
