// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Vertical-slash as MInference computes it (Jiang et al., "MInference 1.0", 2024):
// for the block of 64 queries that ends before `end`, the slash at distance s is
// widened to the 64 keys [end - s - 64, end - s), which hold the diagonals of all
// its rows; columns are added one by one.
//
// Left open in the paper: what its code does beside that. Spans less than 64 keys apart
// are merged in steps of 64 keys, so that a run ends up to 63 keys late, where
// depends on the block; a span that would begin before key 0 is [0, 64). Without
// distance 0 the code keeps keys after the query and misses columns. Decided: the
// caller gives `spans`, what the block covers, as distances end - 1 - k. For the
// plain spans that is the union of [s, s + 64) over the slashes, alike for all
// blocks: a third axis of extent 1. With a row per block it is what the code's own
// index builder covers. Causal by token, so no key after the query, and no column
// depends on a span, so none is missing, with or without distance 0.
//
// Shown with: --set cols=random:12@1xh --set spans=random:100%@1x1x1,size=192

attn.pattern @vertical_slash_cover(%cols: !attn.set, %spans: !attn.set) keep(%b, %h, %q, %k) {
  %c63 = arith.constant 63 : index
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %block = arith.floordivsi %q, %c64 : index
  %begin = arith.muli %block, %c64 : index
  %last = arith.addi %begin, %c63 : index
  %back = arith.subi %last, %k : index
  %span = attn.in %back, %spans[%b, %h, %block]
  %column = attn.in %k, %cols[%b, %h]
  %either = arith.ori %column, %span : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
