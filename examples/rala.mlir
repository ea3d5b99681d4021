// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Rank-augmented linear attention (Fan et al., "Breaking the low-rank dilemma of linear
// attention", 2024): keys count alpha_j times, where alpha is n times the softmax over
// keys of a global query's scores; a row of the output is multiplied by a function of
// its token. phi(x) = elu(x) + 1.
//
// Left open in the paper: the divisor. Decided: the sum of the row's weights, alphas
// included. `alpha`, with axes (batch, head, key), and `modulation`, with axes (batch,
// head, query, feature), come from the caller; alpha is a softmax over one row of
// scores.
//
// Shown with: --set alpha=random:0.5..1.5@bxhxk --set modulation=normal@bxhxqxd --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @rala(%alpha: tensor<?x?x?xf32>, %modulation: tensor<?x?x?x?xf32>)
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
    %a = attn.at %alpha[%b, %h, %i] : tensor<?x?x?xf32>
    %weighted = arith.mulf %y, %a : f32
    attn.features %weighted
  }
  output(%x, %b, %h, %i, %c) {
    %m = attn.at %modulation[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
    %y = arith.mulf %x, %m : f32
    attn.features %y
  }
  normalize sum
  bidirectional
