// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Landmark attention (Mohtashami and Jaggi, "Random-access infinite context length
// for transformers", 2023): the last token of every block of 64 stands for it; a
// block's weight is its landmark's, shared by a softmax within the block.
//
// Left open in the paper: a query's own block. Decided, as the paper's formula has
// it: the keys there count for themselves, its landmark for nothing. A block whose
// landmark is not kept counts nothing.

attn.pattern @landmark keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize grouped 64
