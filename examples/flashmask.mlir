// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Column bounds (Wang et al., "FlashMask", 2024): causal, and every key names the rows
// [start, end) that do not see it.
//
// Left open in the paper: nothing for this form; masks that are not causal have a
// second pair of bounds above the diagonal, which is one more such condition.
//
// Shown with: --set start=random:0..4096@bx1xk --set end=fill:4096@1x1xk

attn.pattern @flashmask(%start: tensor<?x?x?xindex>, %end: tensor<?x?x?xindex>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %from = attn.at %start[%b, %h, %k] : tensor<?x?x?xindex>
  %to = attn.at %end[%b, %h, %k] : tensor<?x?x?xindex>
  %above = arith.cmpi slt, %q, %from : index
  %below = arith.cmpi sge, %q, %to : index
  %seen = arith.ori %above, %below : i1
  %kept = arith.andi %past, %seen : i1
  attn.keep %kept
}
