// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Both branches of Based (Arora et al., "Simple linear attention language models
// balance the recall-throughput tradeoff", 2024) in one layer: a softmax over the last
// `window` keys, plus a linear part with the weights 1 + s + s^2 / 2 for all keys
// before.
//
// Left open in the paper: how branches of one layer are added; there they alternate
// from layer to layer. Decided: the softmax is divided by its own sum, the linear part
// by nothing. `normalize sum` would put both under one sum, as in lolcats.mlir.
//
// Shown with: --shape b=1,hq=8,hkv=8,sq=512,sk=512,d=16 --tile 8x8

attn.recurrence @based_window(%window: index = 64)
  expand taylor
  window(%window)
