// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Stripes (Zhang et al., "AnchorAttention", 2025): the first block and a window,
// where the largest scores are expected, and for every block of 128 queries single
// keys whose scores come close to those.
//
// Left open in the paper: a stripe that lies in the other regions. Decided: a
// union, so it counts once. @anchor_regions alone is the anchor pass; merged by
// log-sum-exp with the stripes outside of it, it gives the same result.
//
// Shown with: --set stripes=random:40@1xhxq/128

attn.pattern @anchor(%stripes: !attn.set, %first: index = 128, %window: index = 256) keep(%b, %h, %q, %k) {
  %c128 = arith.constant 128 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %block = arith.floordivsi %q, %c128 : index
  %stripe = attn.in %k, %stripes[%b, %h, %block]
  %near = attn.apply @anchor_regions(%first, %window : index, index) at(%b, %h, %q, %k)
  %either = arith.ori %near, %stripe : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}

attn.pattern @anchor_regions(%first: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %begin = arith.cmpi slt, %k, %first : index
  %near = arith.cmpi slt, %d, %window : index
  %either = arith.ori %begin, %near : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
