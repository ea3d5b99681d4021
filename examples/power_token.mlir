// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Power pattern over tokens (Li et al., "LogSparse transformer", 2019; Chen et
// al., "PowerAttention", 2025): keys at distance 1, 2, 4, 8, … with a local window
// and a sink.
//
// Left open in the papers: window and sink sizes, and whether the powers start
// again in every subsequence (a variant of LogSparse). Decided: sizes are
// parameters, the powers are counted from the query only.

attn.pattern @power_token(%sink: index = 64, %window: index = 256) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %power = attn.in %d, #attn.pow2
  %near = arith.cmpi slt, %d, %window : index
  %first = arith.cmpi slt, %k, %sink : index
  %local = arith.ori %near, %first : i1
  %either = arith.ori %power, %local : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
