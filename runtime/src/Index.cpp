// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "heddle/index.h"
#include "IndexQuestions.h"

using namespace heddle;

const heddle_index *heddle_index_functions(void) {
  static const heddle_index Functions = {index::span, index::seek, index::probe,
                                         index::rank, index::member};
  return &Functions;
}
