// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Power pattern over blocks (Chen et al., "PowerAttention", 2025): key blocks at
// power-of-two distance, a local window and a sink: O(log n) blocks per query.
//
// Left open in the paper: block or token distance, the block size, and what is
// kept of the diagonal block. Decided: blocks of 64 tokens; the window and the
// sink are counted in tokens; see power_token.mlir for token distance.

attn.pattern @power_block(%sink: index = 64, %window: index = 256) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %qb = arith.floordivsi %q, %c64 : index
  %kb = arith.floordivsi %k, %c64 : index
  %blocks = arith.subi %qb, %kb : index
  %power = attn.in %blocks, #attn.pow2
  %near = arith.cmpi slt, %d, %window : index
  %first = arith.cmpi slt, %k, %sink : index
  %local = arith.ori %near, %first : i1
  %either = arith.ori %power, %local : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
