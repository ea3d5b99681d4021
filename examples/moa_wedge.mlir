// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Mixture of sparse attention (Fu et al., "MoA", 2024): a sink and a window
// whose span grows with the input, span = alpha + beta * (length - alpha).
//
// Left open in the paper: the length while decoding. Decided: the row's own, so
// the window is a wedge, and prefill and decode agree. beta is 1/4, a constant
// because divisors are; a head with another beta is another pattern. Rows before
// alpha have span alpha.

attn.pattern @moa_wedge(%sink: index = 64, %alpha: index = 256) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %beyond = arith.subi %q, %alpha : index
  %quarter = arith.floordivsi %beyond, %c4 : index
  %growth = arith.maxsi %quarter, %c0 : index
  %span = arith.addi %alpha, %growth : index
  %near = arith.cmpi slt, %d, %span : index
  %first = arith.cmpi slt, %k, %sink : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
