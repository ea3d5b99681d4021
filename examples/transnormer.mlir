// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// TransNormerLLM (Qin et al., 2023): a weight is the real part of sum over c of q_c k_c
// exp(i theta_c (i - j)), times a decay per head that is constant in time (LRPE-d). As
// features: (x cos(theta i), x sin(theta i)), twice as many as the head has.
//
// Left open in the paper: angles for positions far out. Decided: `cos` and `sin` are
// tables with axes (position, feature), so angles are as exact as the caller makes
// them. The norm and the gate after attention work on all heads together and stay
// outside.
//
// Shown with: --set cos=cos:10000@qxd --set sin=sin:10000@qxd --set slope=[0.02,0.01,0.005,0.0025] --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @transnormer(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>,
                             %slope: tensor<?xf32>)
  query(%x, %b, %h, %i, %c) {
    %u = attn.at %cos[%i, %c] : tensor<?x?xf32>
    %w = attn.at %sin[%i, %c] : tensor<?x?xf32>
    %re = arith.mulf %x, %u : f32
    %im = arith.mulf %x, %w : f32
    attn.features %re, %im
  }
  key(%x, %b, %h, %i, %c) {
    %u = attn.at %cos[%i, %c] : tensor<?x?xf32>
    %w = attn.at %sin[%i, %c] : tensor<?x?xf32>
    %re = arith.mulf %x, %u : f32
    %im = arith.mulf %x, %w : f32
    attn.features %re, %im
  }
  decay(%b, %h, %i) {
    %s = attn.at %slope[%h] : tensor<?xf32>
    %g = arith.negf %s : f32
    attn.decay %g
  }
