// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Kimi Delta Attention (Kimi Team, "Kimi Linear: an expressive, efficient attention
// architecture", 2025): the delta rule on a state that fades by a gate per token and
// channel, S_i = (1 - beta_i k_i k_i^T) diag(alpha_i) S_(i-1) + beta_i k_i v_i^T, o_i =
// scale * q_i^T S_i, with queries and keys of length 1.
//
// Left open in the paper: rows of length 0. Decided: they stay 0, squares of lengths
// count from 1e-12 up. `gate` holds log(alpha), with axes (batch, head, position,
// channel), `beta` has axes (batch, head, position); convolutions, the gate of the
// output and its norm stay outside.
//
// Shown with: --set gate=random:-0.02..0@bxhxqxd --set beta=random:0..1@bxhxq --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=16 --tile 8x8

attn.recurrence @kda(%gate: tensor<?x?x?x?xf32>, %beta: tensor<?x?x?xf32>)
  query(%x, %b, %h, %i, %c) {
    %least = arith.constant 1.0e-12 : f32
    %square = arith.mulf %x, %x : f32
    %sum = attn.row_sum %square
    %safe = arith.maximumf %sum, %least : f32
    %inverse = math.rsqrt %safe : f32
    %y = arith.mulf %x, %inverse : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %least = arith.constant 1.0e-12 : f32
    %square = arith.mulf %x, %x : f32
    %sum = attn.row_sum %square
    %safe = arith.maximumf %sum, %least : f32
    %inverse = math.rsqrt %safe : f32
    %y = arith.mulf %x, %inverse : f32
    attn.features %y
  }
  decay(%b, %h, %i, %c) {
    %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
    attn.decay %g
  }
  delta(%b, %h, %i) {
    %rate = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
    attn.delta %rate
  }
