// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// No attention among visual tokens (Yuan et al., "SAISA", 2025): causal, without the
// pairs of two image tokens.
//
// Left open in the paper: an image token and itself. Decided: it does not keep
// itself either, so image tokens before any text keep nothing. `image` is 1 for
// tokens of images, 0 for text.
//
// Shown with: --set image=random:0..1@bxk

attn.pattern @naavit(%image: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %c2 = arith.constant 2 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %i = attn.at %image[%b, %q] : tensor<?x?xindex>
  %j = attn.at %image[%b, %k] : tensor<?x?xindex>
  %both = arith.addi %i, %j : index
  %mixed = arith.cmpi slt, %both, %c2 : index
  %kept = arith.andi %past, %mixed : i1
  attn.keep %kept
}
