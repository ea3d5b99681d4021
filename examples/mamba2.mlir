// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The state-space duality of Mamba-2 (Dao and Gu, "Transformers are SSMs", 2024): h_t =
// exp(dt_t A) h_(t-1) + dt_t B_t x_t^T, y_t = C_t^T h_t, with A = -exp(a_log[h]) a
// number per head and dt positive. C is the queries, B the keys, x the values.
//
// Left open in the paper: nothing. `dt`, with axes (batch, head, position), has its
// bias and softplus behind it; the factor on q . k is 1 there, which the launch says.
// Groups of heads that share B and C share a tensor with stride 0; the skip D x is the
// caller's.
//
// Shown with: --set a_log=random:-1..1@h --set dt=random:0..0.05@bxhxq --shape b=1,hq=4,hkv=4,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @mamba2(%a_log: tensor<?xf32>, %dt: tensor<?x?x?xf32>)
  value(%x, %b, %h, %i, %c) {
    %step = attn.at %dt[%b, %h, %i] : tensor<?x?x?xf32>
    %y = arith.mulf %x, %step : f32
    attn.features %y
  }
  decay(%b, %h, %i) {
    %log = attn.at %a_log[%h] : tensor<?xf32>
    %a = math.exp %log : f32
    %step = attn.at %dt[%b, %h, %i] : tensor<?x?x?xf32>
    %at = arith.mulf %a, %step : f32
    %g = arith.negf %at : f32
    attn.decay %g
  }
