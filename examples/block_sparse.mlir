// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Block-sparse (Jiang et al., "MInference 1.0", 2024): for every block of 64
// queries a list of blocks of 64 keys.
//
// Left open in the paper: blocks after the query, which its estimator may list for
// early rows. Decided: causal by token, so they count for nothing. Both block
// sizes are constants because divisors are; other sizes, rectangular ones too,
// are other files, and none of them is tied to the tile of a kernel.
//
// Shown with: --set rows=random:15%@1xhxq/64,size=k/64

attn.pattern @block_sparse(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %row = arith.floordivsi %q, %c64 : index
  %column = arith.floordivsi %k, %c64 : index
  %listed = attn.in %column, %rows[%b, %h, %row]
  %kept = arith.andi %past, %listed : i1
  attn.keep %kept
}
