// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A-shape (Xiao et al., "Efficient streaming language models with attention
// sinks", 2023; Jiang et al., "MInference 1.0", 2024): the first `sink` keys and
// the last `window` keys.
//
// Left open in the papers: whether sizes are counted in tokens or in blocks of
// 64. Decided: tokens; the query's own key counts as one of the window.

attn.pattern @a_shape(%sink: index = 64, %window: index = 1024) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %first = arith.cmpi slt, %k, %sink : index
  %near = arith.cmpi slt, %d, %window : index
  %either = arith.ori %first, %near : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
