// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Gated linear attention (Yang et al., "Gated linear attention transformers with
// hardware-efficient training", 2024): S_i = diag(alpha_i) S_(i-1) + k_i v_i^T, a gate
// per token and channel, o_i = scale * q_i^T S_i.
//
// Left open in the paper: nothing. `gate` holds log(alpha), which is what the paper's
// sigmoids with a temperature give, with axes (batch, head, position, channel).
//
// Shown with: --set gate=random:-0.02..0@bxhxqxd --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=16 --tile 8x8

attn.recurrence @gla(%gate: tensor<?x?x?x?xf32>)
  decay(%b, %h, %i, %c) {
    %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
    attn.decay %g
  }
