// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Strided shards with free offsets (Lin et al., "S2-Attention", 2024): like
// s2_shards.mlir, but each head's shard begins where a table says.
//
// Left open in the paper: where shards begin, and heads that see everything.
// Decided: key block kb is kept when (kb + offset[h]) mod 8 = 0; a dense head has a
// window as long as the sequence, so the local blocks are a table too.
//
// Shown with: --set offset=[1,2,3,4,5,6,7,0] --set local=fill:4@h

attn.pattern @s2_offsets(%offset: tensor<?xindex>, %local: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %qb = arith.floordivsi %q, %c64 : index
  %kb = arith.floordivsi %k, %c64 : index
  %blocks = arith.subi %qb, %kb : index
  %most = attn.at %local[%h] : tensor<?xindex>
  %near = arith.cmpi slt, %blocks, %most : index
  %begin = attn.at %offset[%h] : tensor<?xindex>
  %turn = arith.addi %kb, %begin : index
  %shard = attn.in %turn, #attn.residue<0, 8>
  %either = arith.ori %near, %shard : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
