// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Causal attention (Vaswani et al., "Attention is all you need", 2017): a query
// meets itself and what came before.
//
// Left open in the paper: which query is last when there are more keys than
// queries. Decided: positions are absolute, query row i sits at i + origin, so
// `--origin N` gives decoding and chunked prefill.

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
