// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of short queries share: patterns with values for their parameters,
// and sizes.

#ifndef HEDDLE_TEST_EXEC_DECODECASES_H
#define HEDDLE_TEST_EXEC_DECODECASES_H

#include "test/exec/Kernels.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <functional>

namespace heddle::exec {

/// A pattern and random values for its parameters.
struct DecodeCase {
  const char *Name;
  const char *Text;
  std::function<ValueList(std::mt19937_64 &, const Sizes &)> Params;
  bool HasLse = true;
};

llvm::ArrayRef<DecodeCase> decodeCases();
/// The one of that name, which there is.
const DecodeCase &decodeCase(llvm::StringRef Name);

/// A window of 700 keys, with queries and keys turned by their positions; for
/// that head dim.
DecodeCase rotatedCase(int64_t HeadDim);

/// A key head for `Group` query heads, queries at the end of the keys.
Sizes decoding(int64_t Queries, int64_t Group, int64_t Keys,
               int64_t HeadsKv = 1, int64_t Batch = 1);

KernelSpec shortQueries(int64_t HeadDim, int64_t ValueDim = 0);

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_DECODECASES_H
