// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Temperatures (Zhang et al., "Selective self-attention", 2024): a temperature for
// every query sharpens or flattens its row, and a factor for every key scales its
// value.
//
// Left open in the paper: where the factor acts. Decided: on the weight after
// normalisation, which is the same as on the value; the log-sum-exp does not see
// it. Both come from outside, with axes (batch, head, position).
//
// Shown with: --set tau=random:0..2@bxhxq --set value_scale=random:0..1@bxhxk

attn.pattern @ssa(%tau: tensor<?x?x?xf32>, %value_scale: tensor<?x?x?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %t = attn.at %tau[%b, %h, %q] : tensor<?x?x?xf32>
  %y = arith.mulf %s, %t : f32
  %f = attn.at %value_scale[%b, %h, %k] : tensor<?x?x?xf32>
  attn.score %y factor %f
}
