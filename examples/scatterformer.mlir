// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Scattered linear attention (He et al., "ScatterFormer: efficient voxel transformer
// with scattered linear attention", 2024): the voxels of every window, of any number,
// attend to each other with weights relu(q) . relu(k), divided by their sum over the
// row.
//
// Left open in the paper: empty windows, and rows whose weights are all 0. Decided: the
// former are sequences of length 0, the latter give 0. Windows are the sequences of a
// ragged batch, offsets and all, so nothing is padded.

attn.recurrence @scatterformer
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
