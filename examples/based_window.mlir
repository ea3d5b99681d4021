// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Both branches of Based (Arora et al., 2024) in one layer: a softmax over the last
// `window` keys, plus a linear part with the weights 1 + s + s^2 / 2 for all keys
// before.
//
// Left open in the paper: how branches of one layer are added; there they alternate
// from layer to layer. Decided: the softmax has its own sum for divisor, the linear
// part has none; what it is divided by belongs to its values (`tail`, a factor per
// head).
//
// Shown with: --set tail=fill:0.001@h --shape b=1,hq=8,hkv=8,sq=512,sk=512,d=16

attn.recurrence @based_window(%tail: tensor<?xf32>, %window: index = 64)
  value(%x, %b, %h, %i, %c) {
    %t = attn.at %tail[%h] : tensor<?xf32>
    %y = arith.mulf %x, %t : f32
    attn.features %y
  }
  expand taylor
  window(%window)
