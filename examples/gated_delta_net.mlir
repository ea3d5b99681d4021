// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Gated DeltaNet (Yang, Kautz and Hatamizadeh, "Gated delta networks", 2025): the delta
// rule with a factor alpha per head and token that lets the whole state fade, S_i =
// alpha_i (S_(i-1) - beta_i k_i (k_i^T S_(i-1))) + beta_i k_i v_i^T.
//
// Left open in the paper: rows of length 0. Decided: they stay 0, squares of lengths
// count from 1e-12 up. `gate` holds log(alpha); it and `beta` have axes (batch, head,
// position).
//
// Shown with: --set gate=random:-0.02..0@bxhxq --set beta=random:0..1@bxhxq --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @gated_delta_net(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?x?xf32>)
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
  decay(%b, %h, %i) {
    %g = attn.at %gate[%b, %h, %i] : tensor<?x?x?xf32>
    attn.decay %g
  }
  delta(%b, %h, %i) {
    %rate = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
    attn.delta %rate
  }
