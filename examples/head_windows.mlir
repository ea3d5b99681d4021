// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A sink and a window of its own for every head (Xiao et al., "Efficient streaming
// language models with attention sinks", 2023, with the head-wise sizes of "MoA" and
// of mixtures of local and global heads), all in one launch.
//
// Left open in the papers: nothing here; the sizes are what differs.
//
// Shown with: --set sink=[0,64,0,64,0,64,0,64] --set window=[128,256,512,1024,128,256,512,4096]

attn.pattern @head_windows(%sink: tensor<?xindex>, %window: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %w = attn.at %window[%h] : tensor<?xindex>
  %near = arith.cmpi slt, %d, %w : index
  %s = attn.at %sink[%h] : tensor<?xindex>
  %first = arith.cmpi slt, %k, %s : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
