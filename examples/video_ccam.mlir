// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Causal cross-attention to video (Fei et al., "Video-CCAM", 2024): a fixed number of
// learned queries reads visual tokens; query i sees frames up to one of its own.
//
// Left open in the paper: which one. Decided: a table of the caller's, `last`, and a
// table `frame` with the frame of every visual token.
//
// Shown with: --set frame=sorted:16@bxk --set last=sorted:16@q

attn.pattern @video_ccam(%frame: tensor<?x?xindex>, %last: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %j = attn.at %frame[%b, %k] : tensor<?x?xindex>
  %i = attn.at %last[%q] : tensor<?xindex>
  %kept = arith.cmpi sle, %j, %i : index
  attn.keep %kept
}
