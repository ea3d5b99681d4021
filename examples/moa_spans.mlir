// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Mixture of sparse attention, one span per head (Fu et al., "MoA", 2024): a sink
// and a window of span[h] keys, span = alpha + beta * (length - alpha) with the
// head's own alpha and beta.
//
// Left open in the paper: rounding, and lengths below alpha. Decided: the caller
// computes spans for the length at hand, as whole numbers, so no compiled kernel
// depends on either; moa_wedge.mlir lets the span grow with the row instead.
//
// Shown with: --set span=[64,1024,256,2048,512,128,4096,768]

attn.pattern @moa_spans(%span: tensor<?xindex>, %sink: index = 64) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %reach = attn.at %span[%h] : tensor<?xindex>
  %near = arith.cmpi slt, %d, %reach : index
  %first = arith.cmpi slt, %k, %sink : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
