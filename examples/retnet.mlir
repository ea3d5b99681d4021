// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Retention (Sun et al., "Retentive Network", 2023): (q k^T * D) v with D_ij = gamma^(i
// - j) for j <= i, a gamma per head, 1 - 2^(-5 - h) in the paper.
//
// Left open in the paper: gamma = 0. Decided: a head that sees its own token only. The
// rotation of q and k (as in rope.mlir) is the caller's, and so are the normalisations
// of scores, which the norm per head that follows makes superfluous.
//
// Shown with: --set gamma=[0.96875,0.984375,0.9921875,0.99609375] --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @retnet(%gamma: tensor<?xf32>)
  decay(%b, %h, %i) {
    %factor = attn.at %gamma[%h] : tensor<?xf32>
    %g = math.log %factor : f32
    attn.decay %g
  }
