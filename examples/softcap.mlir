// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Capped scores (Riviere et al., "Gemma 2", 2024): cap * tanh(score / cap), on a
// sliding window.
//
// Left open in the paper: nothing for scores; the window counts the query's own key.

attn.pattern @softcap(%cap: f32 = 50.0, %window: index = 1024) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %x = arith.divf %s, %cap : f32
  %t = math.tanh %x : f32
  %y = arith.mulf %t, %cap : f32
  attn.score %y
}
