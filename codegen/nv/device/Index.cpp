// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The questions to tables and sets as device functions. Compiled for NVPTX when
// the compiler is built, without any header of CUDA, and linked into kernels
// that ask.

#include "runtime/src/IndexQuestions.h"

using namespace heddle;

extern "C" {

void heddle_device_span(const heddle_table *Table, int64_t Row, int64_t First,
                        int64_t Last, int64_t *Out) {
  index::span(Table, Row, First, Last, Out);
}

int64_t heddle_device_seek(const heddle_table *Table, int64_t Row, int64_t From,
                           int64_t Lo, int64_t Hi, int32_t Outside) {
  return index::seek(Table, Row, From, Lo, Hi, Outside);
}

void heddle_device_probe(const heddle_set *Set, int64_t First, int64_t Step,
                         int64_t Count, int64_t Lo, int64_t Hi, int64_t *Out) {
  index::probe(Set, First, Step, Count, Lo, Hi, Out);
}

int64_t heddle_device_rank(const heddle_set *Set, int64_t Row, int64_t X) {
  return index::rank(Set, Row, X);
}

int64_t heddle_device_member(const heddle_set *Set, int64_t Row, int64_t Rank) {
  return index::member(Set, Row, Rank);
}

} // extern "C"
