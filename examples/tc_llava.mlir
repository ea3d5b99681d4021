// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Frames that see themselves (Gao et al., "TC-LLaVA", 2024): within a frame all
// tokens meet, between frames and for text time runs forward only.
//
// Left open in the paper: how text is numbered. Decided: `frame` never falls along
// the sequence; a text token has a number of its own, so all equal is bidirectional
// and all different is causal.
//
// Shown with: --set frame=sorted:20@bxk

attn.pattern @tc_llava(%frame: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %frame[%b, %q] : tensor<?x?xindex>
  %j = attn.at %frame[%b, %k] : tensor<?x?xindex>
  %kept = arith.cmpi sle, %j, %i : index
  attn.keep %kept
}
