// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows of global memory into shared memory.

#ifndef HEDDLE_CODEGEN_NV_COPIES_H
#define HEDDLE_CODEGEN_NV_COPIES_H

#include "codegen/nv/Rows.h"
#include "codegen/nv/SharedTile.h"

namespace heddle::nv {

/// Starts to copy the rows of a tile; all threads of the CTA take part, in
/// uniform control flow. Rows that do not exist and the padding of rows become
/// zero; nothing outside of existing rows is read. Rows at multiples of 16
/// bytes go by cp.async, and are there for all threads after commitCopies,
/// waitCopies and a barrier; other rows go by ordinary loads and stores, and
/// are there after a barrier. Which of the two is decided at run time.
void emitCopy(NvBuilder &B, const RowSource &From, const SharedTile &To);

/// Ends a group of copies (PTX ISA, cp.async.commit_group).
void commitCopies(NvBuilder &B);
/// Waits until at most the `Pending` latest groups are under way; only for the
/// copies that the calling thread has started: a barrier follows.
void waitCopies(NvBuilder &B, int64_t Pending);

/// Zeros in a tile; there for all threads after a barrier.
void emitZero(NvBuilder &B, const SharedTile &To);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_COPIES_H
