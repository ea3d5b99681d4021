// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Dilated sliding window (Beltagy et al., "Longformer", 2020): `window` keys
// with gaps, every fourth one.
//
// Left open in the paper: the causal form, and which residue the gaps have.
// Decided: causal, distances 0, 4, 8, …, so the query's own key is kept. The
// dilation is a constant because moduli are; other dilations are other files.

attn.pattern @dilated_window(%window: index = 256) keep(%b, %h, %q, %k) {
  %c4 = arith.constant 4 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %phase = attn.in %d, #attn.residue<0, 4>
  %reach = arith.muli %window, %c4 : index
  %near = arith.cmpi slt, %d, %reach : index
  %both = arith.andi %past, %phase : i1
  %kept = arith.andi %both, %near : i1
  attn.keep %kept
}
