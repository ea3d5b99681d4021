// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A streaming head's cache of constant length (Xiao et al., "Efficient streaming
// language models with attention sinks", 2023; "DuoAttention", 2024): slots for the
// sink, and a ring that new tokens overwrite. Key k is what slot k holds.
//
// Left open in the papers: the order of slots, and slots not yet filled. Decided:
// `pos` has the absolute position of the token in each slot, -1 for none, so any
// order will do; keys are stored with their position already rotated in. Tokens
// of the future are not kept, so several queries may be appended at once.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=64 --set pos=iota@1xk

attn.pattern @duo_ring(%pos: tensor<?x?xindex>, %sink: index = 64, %window: index = 256) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %p = attn.at %pos[%b, %k] : tensor<?x?xindex>
  %filled = arith.cmpi sge, %p, %c0 : index
  %past = arith.cmpi sle, %p, %q : index
  %first = arith.cmpi slt, %p, %sink : index
  %d = arith.subi %q, %p : index
  %near = arith.cmpi slt, %d, %window : index
  %either = arith.ori %first, %near : i1
  %held = arith.andi %filled, %past : i1
  %kept = arith.andi %held, %either : i1
  attn.keep %kept
}
