// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Neighborhood attention in one dimension (Hassani et al., "NATTEN", 2022 and
// 2024): `window` keys around the query; at the borders the window is shifted,
// not clipped, so every row keeps `window` keys.
//
// Left open in the paper: even windows, and windows longer than the sequence.
// Decided: an even window has its extra key on the left, as NATTEN's code does;
// a window longer than the sequence keeps everything (NATTEN refuses it).

attn.pattern @neighborhood_1d(%window: index = 256) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %n = attn.num_keys
  %half = arith.floordivsi %window, %c2 : index
  %centred = arith.subi %q, %half : index
  %last = arith.subi %n, %window : index
  %before = arith.minsi %centred, %last : index
  %start = arith.maxsi %before, %c0 : index
  %end = arith.addi %start, %window : index
  %after = arith.cmpi sge, %k, %start : index
  %inside = arith.cmpi slt, %k, %end : index
  %kept = arith.andi %after, %inside : i1
  attn.keep %kept
}
