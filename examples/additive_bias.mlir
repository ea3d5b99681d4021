// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A bias for every pair (as pair representations in Jumper et al., "AlphaFold", 2021,
// use it): scores plus a tensor with axes (batch, head, query, key).
//
// Left open in the paper: -inf in the tensor. Decided: it drops the pair, and a row
// of nothing else has o = 0 and lse = -inf; but its tiles are visited. What is known
// to be dropped belongs into the keep region.
//
// Shown with: --set bias=normal@1x1xqxk

attn.pattern @additive_bias(%bias: tensor<?x?x?x?xf32>) keep(%b, %h, %q, %k) {
  %all = arith.constant true
  attn.keep %all
} score(%s, %b, %h, %q, %k) {
  %add = attn.at %bias[%b, %h, %q, %k] : tensor<?x?x?x?xf32>
  %t = arith.addf %s, %add : f32
  attn.score %t
}
