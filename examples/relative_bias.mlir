// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Relative position bias (Shaw et al., "Self-attention with relative position
// representations", 2018; Raffel et al., "T5", 2020): a number per head and distance
// is added to the score; beyond 128 tokens on either side the last one counts.
//
// Left open in the papers: T5 puts distances into buckets. Decided: the caller writes
// the buckets out, `bias` has axes (head, distance + 128). Not causal.
//
// Shown with: --set bias=normal@hx257

attn.pattern @relative_bias(%bias: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
  %all = arith.constant true
  attn.keep %all
} score(%s, %b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c128 = arith.constant 128 : index
  %c256 = arith.constant 256 : index
  %d = arith.subi %q, %k : index
  %shifted = arith.addi %d, %c128 : index
  %low = arith.maxsi %shifted, %c0 : index
  %i = arith.minsi %low, %c256 : index
  %add = attn.at %bias[%h, %i] : tensor<?x?xf32>
  %t = arith.addf %s, %add : f32
  attn.score %t
}
