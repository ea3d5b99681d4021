// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Questions to run-time tables and sets, for host code. Kernels ask the very
// same functions, through `heddle_args.index`.

#ifndef HEDDLE_INDEX_H
#define HEDDLE_INDEX_H

#include "heddle/heddle.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The functions that `heddle_index` describes, for tables and sets that a plan
/// has prepared. None allocates, fails or writes anything but its `out`; all
/// may run in several threads at once.
///
/// `span` and `seek` need a table with bounds (`heddle_param.needs_bounds`) and
/// take logarithmic time, but for a `seek` among stretches whose bounds
/// straddle the interval while none of their elements lies in it: these it
/// enters. An empty table has bounds 0 and 0. `rank` and `member` take constant
/// time, `probe` constant time per row. Of an interval with hi < lo no row has
/// a member, and every row has all.
HEDDLE_API const heddle_index *heddle_index_functions(void);

#ifdef __cplusplus
}
#endif

#endif // HEDDLE_INDEX_H
