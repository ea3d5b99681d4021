// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Simplified linear attention of SLAB (Guo et al., "SLAB: efficient transformers with
// simplified linear attention and progressive re-parameterized batch normalization",
// 2024): weights are relu(q) . relu(k), divided by their sum over the row.
//
// Left open in the paper: rows whose weights are all 0. Decided: they give 0. The
// depth-wise convolution of the values that the paper adds is the caller's.

attn.recurrence @slab
  query(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %y = arith.maximumf %x, %zero : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %y = arith.maximumf %x, %zero : f32
    attn.features %y
  }
  normalize sum
  bidirectional
