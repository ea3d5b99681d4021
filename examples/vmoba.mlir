// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Mixture of block attention over video (Wu et al., "VMoBA", 2025): tokens of a
// (time, height, width) grid fall into blocks, cut along one, two or three axes by
// turns of layers; every block of queries has a list of key blocks. Not causal.
//
// Left open in the paper: ragged blocks at the borders. Decided: `block` gives the
// block of every token, so blocks may have any shape and size; one kernel serves
// all three cuts.
//
// Shown with: --set block=sorted:64@k --set rows=random:15%@1xhx64,size=64

attn.pattern @vmoba(%block: tensor<?xindex>, %rows: !attn.set) keep(%b, %h, %q, %k) {
  %i = attn.at %block[%q] : tensor<?xindex>
  %j = attn.at %block[%k] : tensor<?xindex>
  %kept = attn.in %j, %rows[%b, %h, %i]
  attn.keep %kept
}
