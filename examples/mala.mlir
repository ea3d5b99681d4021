// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Magnitude-aware linear attention (Fan et al., "Rectifying magnitude neglect in linear
// attention", 2025): weights are beta_i phi(q_i) . phi(k_j) - gamma_i with beta_i = 1 +
// 1 / Z_i and gamma_i = Z_i / n, where Z_i is the sum of phi(q_i) . phi(k_j) over all
// keys; they sum to one and depend on the length of q_i.
//
// Left open in the paper: rows with Z_i = 0. Decided: they give 0, which phi(x) =
// elu(x) + 1 excludes.

attn.recurrence @mala
  query(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %above = arith.maximumf %x, %zero : f32
    %below = arith.minimumf %x, %zero : f32
    %e = math.exp %below : f32
    %y = arith.addf %above, %e : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %above = arith.maximumf %x, %zero : f32
    %below = arith.minimumf %x, %zero : f32
    %e = math.exp %below : f32
    %y = arith.addf %above, %e : f32
    attn.features %y
  }
  normalize magnitude
  bidirectional
