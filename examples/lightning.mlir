// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Lightning Attention-2 (Qin et al., "Lightning Attention-2", 2024): o = ((q k^T) * D)
// v with D_ij = exp(-slope (i - j)) for j <= i, a slope per head, and no normaliser.
//
// Left open in the paper: the factor on q . k, and slopes. Decided: both come from the
// caller, the factor with the launch.
//
// Shown with: --set slope=[0.02,0.01,0.005,0.0025] --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @lightning(%slope: tensor<?xf32>)
  decay(%b, %h, %i) {
    %s = attn.at %slope[%h] : tensor<?xf32>
    %g = arith.negf %s : f32
    attn.decay %g
  }
