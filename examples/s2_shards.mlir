// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Strided shards per head (Lin et al., "S2-Attention", 2024, and its library
// DKernel): head h keeps the last `local` blocks of the context and, further
// back, every eighth block, each head another one.
//
// Left open in the paper: where a head's shard begins. Decided, after the
// library: key block kb is kept when (kb + h * step + 1) mod stride = 0. Block
// size 64, stride 8 and step 1 are constants because divisors, moduli and factors
// are; with these, eight heads together see everything. The diagonal block is
// causal by token.

attn.pattern @s2_shards(%local: index = 4) keep(%b, %h, %q, %k) {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %qb = arith.floordivsi %q, %c64 : index
  %kb = arith.floordivsi %k, %c64 : index
  %blocks = arith.subi %qb, %kb : index
  %near = arith.cmpi slt, %blocks, %local : index
  %turn = arith.addi %kb, %h : index
  %next = arith.addi %turn, %c1 : index
  %shard = attn.in %next, #attn.residue<0, 8>
  %either = arith.ori %near, %shard : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
