// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Causal sliding window (Beltagy et al., "Longformer", 2020; Jiang et al.,
// "Mistral 7B", 2023): the last `window` keys.
//
// Left open in the papers: whether the query's own key counts. Decided: it does,
// so a row far from the start keeps exactly `window` keys.

attn.pattern @sliding_window(%window: index = 1024) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}
