// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Softmax with a sink (Gu et al., "When attention sink emerges in language models",
// 2024; learned sinks as in gpt-oss, 2025): every head has one more logit that takes
// part in the sum and has no value.
//
// Left open in the papers: the log-sum-exp. Decided: it counts the sink, so a row
// that keeps no key has o = 0 and lse = the sink.
//
// Shown with: --set sink=normal@h

attn.pattern @sink_softmax(%sink: tensor<?xf32>, %window: index = 1024) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
} normalize softmax sink(%sink)
