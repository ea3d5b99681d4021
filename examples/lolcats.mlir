// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// LoLCATs (Zhang et al., "LoLCATs: on low-rank linearizing of large language models",
// 2024): the last `window` keys count with exp(s - m), s being scale * (q . k) and m
// its maximum in the window, all keys before with phi(q) . phi(k), phi(x) = (softmax(x
// W), softmax(-x W)), under one sum.
//
// Left open in the paper: the share of the two parts, a learned factor per head.
// Decided: `tail[h]` multiplies the linear part; the factor on q . k, which the linear
// part has too, is for it to take out. `wq` and `wk` have axes (head, in, out).
//
// Shown with: --set wq=normal@hxdxd --set wk=normal@hxdxd --set tail=fill:1@h --shape b=1,hq=2,hkv=2,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @lolcats(%wq: tensor<?x?x?xf32>, %wk: tensor<?x?x?xf32>,
                         %tail: tensor<?xf32>, %window: index = 64)
  query(%x, %b, %h, %i, %c) {
    %y = attn.project %x, %wq[%h] : tensor<?x?x?xf32>
    %n = arith.negf %y : f32
    %m = attn.row_max %y
    %o = attn.row_max %n
    %up = arith.subf %y, %m : f32
    %down = arith.subf %n, %o : f32
    %e = math.exp %up : f32
    %f = math.exp %down : f32
    %se = attn.row_sum %e
    %sf = attn.row_sum %f
    %p = arith.divf %e, %se : f32
    %r = arith.divf %f, %sf : f32
    %t = attn.at %tail[%h] : tensor<?xf32>
    %tp = arith.mulf %p, %t : f32
    %tr = arith.mulf %r, %t : f32
    attn.features %tp, %tr
  }
  key(%x, %b, %h, %i, %c) {
    %y = attn.project %x, %wk[%h] : tensor<?x?x?xf32>
    %n = arith.negf %y : f32
    %m = attn.row_max %y
    %o = attn.row_max %n
    %up = arith.subf %y, %m : f32
    %down = arith.subf %n, %o : f32
    %e = math.exp %up : f32
    %f = math.exp %down : f32
    %se = attn.row_sum %e
    %sf = attn.row_sum %f
    %p = arith.divf %e, %se : f32
    %r = arith.divf %f, %sf : f32
    attn.features %p, %r
  }
  normalize sum
  window(%window)
