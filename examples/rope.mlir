// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Rotary position embedding on load (Su et al., "RoFormer", 2021): rows of q and k are
// rotated by their positions before the product; nothing rotated is ever stored.
//
// Left open in the paper: which features form a pair. Decided: t and t + d/2, as in
// most implementations since. `cos` and `sin` have axes (position, pair).
//
// Shown with: --set cos=cos:10000@kxd/2 --set sin=sin:10000@kxd/2

attn.pattern @rope(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} rotate(%cos, %sin)
