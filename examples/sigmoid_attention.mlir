// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Sigmoid attention (Ramapuram et al., "Theory, analysis, and best practices for
// sigmoid self-attention", 2024; Gu et al., "When attention sink emerges in language
// models", 2024): weights are sigmoid(score + bias), without any sum over the row.
//
// Left open in the papers: the bias. Decided: a number of the caller's; the first
// paper takes -log of the sequence's length.

attn.pattern @sigmoid_attention(%bias: f32 = 0.0) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %t = arith.addf %s, %bias : f32
  attn.score %t
} normalize sigmoid
