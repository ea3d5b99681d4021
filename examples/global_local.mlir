// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Global and local attention (Beltagy et al., "Longformer", 2020; Zaheer et al.,
// "Big Bird", 2020): `radius` keys on either side, and the first `global` tokens
// see everything and are seen by everybody.
//
// Left open in the papers: which tokens are global. Decided: the first ones. Big
// Bird's random blocks are not part of this pattern.

attn.pattern @global_local(%global: index = 64, %radius: index = 256) keep(%b, %h, %q, %k) {
  %back = arith.subi %q, %k : index
  %ahead = arith.subi %k, %q : index
  %left = arith.cmpi sle, %back, %radius : index
  %right = arith.cmpi sle, %ahead, %radius : index
  %local = arith.andi %left, %right : i1
  %gq = arith.cmpi slt, %q, %global : index
  %gk = arith.cmpi slt, %k, %global : index
  %shared = arith.ori %gq, %gk : i1
  %kept = arith.ori %local, %shared : i1
  attn.keep %kept
}
