// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Prefix language model (Dong et al., "UniLM", 2019; Raffel et al., "T5", 2020):
// everybody sees the first `prefix` keys, the rest is causal.
//
// Left open in the papers: prefixes of different length in one batch. Decided:
// one run-time length for the whole call.

attn.pattern @prefix_lm(%prefix: index = 512) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %shared = arith.cmpi slt, %k, %prefix : index
  %kept = arith.ori %past, %shared : i1
  attn.keep %kept
}
