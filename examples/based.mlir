// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Based (Arora et al., "Simple linear attention language models balance the
// recall-throughput tradeoff", 2024), its linear layers: weights are the second-order
// Taylor polynomial of exp, 1 + s + s^2 / 2, divided by their sum over the row. s is
// scale * (q . k); the state has 1 + d + d (d + 1) / 2 rows, 153 for the paper's d =
// 16.
//
// Left open in the paper: nothing. 1 + s + s^2 / 2 is never below 1/2, so neither are
// sums. Its other layers are sliding_window.mlir; based_window.mlir has both in one.
//
// Shown with: --shape b=1,hq=8,hkv=8,sq=4096,sk=4096,d=16

attn.recurrence @based
  expand taylor
  normalize sum
