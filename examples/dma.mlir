// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Dynamic mask (Shi et al., "Trainable dynamic mask sparse attention", 2025): the
// values give every key a bias, per head; a query keeps those of the past that are
// among the head's keys of largest bias, and the bias is added to the scores.
//
// Left open in the paper: whether the choice is made per row or once. Decided: one
// list `top` per sequence and head, so a row keeps the listed keys of its past.
//
// Shown with: --set top=random:5%@1xh --set bias=normal@bxhxk

attn.pattern @dma(%top: !attn.set, %bias: tensor<?x?x?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %chosen = attn.in %k, %top[%b, %h]
  %kept = arith.andi %past, %chosen : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %add = attn.at %bias[%b, %h, %k] : tensor<?x?x?xf32>
  %t = arith.addf %s, %add : f32
  attn.score %t
}
