// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// DeltaNet (Schlag et al., 2021; Yang et al., "Parallelizing linear transformers with
// the delta rule over sequence length", 2024): a key first takes out what the state
// holds for it, S_i = S_(i-1) - beta_i k_i (k_i^T S_(i-1)) + beta_i k_i v_i^T, with
// queries and keys of length 1.
//
// Left open in the papers: rows of length 0. Decided: they stay 0, squares of lengths
// count from 1e-12 up. `beta`, in [0, 1], has axes (batch, head, position); activations
// of q, k and v are the caller's.
//
// Shown with: --set beta=random:0..1@bxhxq --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @delta_net(%beta: tensor<?x?x?xf32>)
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
  delta(%b, %h, %i) {
    %rate = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
    attn.delta %rate
  }
