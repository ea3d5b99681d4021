// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Modality-mutual attention (Wang et al., "AKI", 2025): causal, but image tokens also
// see the text that comes after them.
//
// Left open in the paper: several images. Decided: `image` is 1 for tokens of images,
// 0 for text, and every image token sees all text.
//
// Shown with: --set image=random:0..1@bxk

attn.pattern @aki(%image: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %i = attn.at %image[%b, %q] : tensor<?x?xindex>
  %j = attn.at %image[%b, %k] : tensor<?x?xindex>
  %sees = arith.cmpi eq, %i, %c1 : index
  %text = arith.cmpi eq, %j, %c0 : index
  %mutual = arith.andi %sees, %text : i1
  %kept = arith.ori %past, %mutual : i1
  attn.keep %kept
}
