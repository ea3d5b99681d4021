// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Hedgehog (Zhang et al., "The hedgehog & the porcupine", 2024): a learned map per head
// before the exponential, phi(x) = softmax over all features of (x W, -x W), weights
// phi(q) . phi(k) divided by their sum over the row.
//
// Left open in the paper: exp or softmax, and a bias. Decided: softmax, which stays
// finite for rows of any norm, and no bias. `w` has axes (head, in, out), W as x W =
// sum over in of x_in w[in, out]; queries and keys have the same. For an encoder,
// append `bidirectional`.
//
// Shown with: --set w=normal@hxdxd --shape b=1,hq=1,hkv=1,sq=4096,sk=4096,d=64

attn.recurrence @hedgehog(%w: tensor<?x?x?xf32>)
  query(%x, %b, %h, %i, %c) {
    %y = attn.project %x, %w[%h] : tensor<?x?x?xf32>
    %n = arith.negf %y : f32
    %far = math.absf %y : f32
    %m = attn.row_max %far
    %up = arith.subf %y, %m : f32
    %down = arith.subf %n, %m : f32
    %e = math.exp %up : f32
    %f = math.exp %down : f32
    %both = arith.addf %e, %f : f32
    %sum = attn.row_sum %both
    %p = arith.divf %e, %sum : f32
    %r = arith.divf %f, %sum : f32
    attn.features %p, %r
  }
  key(%x, %b, %h, %i, %c) {
    %y = attn.project %x, %w[%h] : tensor<?x?x?xf32>
    %n = arith.negf %y : f32
    %far = math.absf %y : f32
    %m = attn.row_max %far
    %up = arith.subf %y, %m : f32
    %down = arith.subf %n, %m : f32
    %e = math.exp %up : f32
    %f = math.exp %down : f32
    %both = arith.addf %e, %f : f32
    %sum = attn.row_sum %both
    %p = arith.divf %e, %sum : f32
    %r = arith.divf %f, %sum : f32
    attn.features %p, %r
  }
  normalize sum
