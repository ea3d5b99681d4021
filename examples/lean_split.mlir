// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A piece of the keys (Sanovar et al., "LeanAttention", 2024): softmax is
// associative, so a long decode is cut into pieces [lo, hi) of any sizes that
// workers share, and the pieces' results are merged by log-sum-exp.
//
// Left open in the paper: patterns other than dense. Decided: any pattern may
// stand in place of @whole; a piece without a kept key gives lse = -inf, which a
// merge passes over.
//
// Shown with: --set lo=1000 --set hi=2600

attn.pattern @lean_split(%lo: index, %hi: index) keep(%b, %h, %q, %k) {
  %after = arith.cmpi sge, %k, %lo : index
  %before = arith.cmpi slt, %k, %hi : index
  %piece = arith.andi %after, %before : i1
  %whole = attn.apply @whole() at(%b, %h, %q, %k)
  %kept = arith.andi %piece, %whole : i1
  attn.keep %kept
}

attn.pattern @whole keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
