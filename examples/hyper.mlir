// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Hashed blocks and sampled keys (Han et al., "HyperAttention", 2023): queries and
// keys are sorted by a hash and cut into blocks of 64, which meet one to one; the
// rest of the matrix is estimated from a few sampled keys.
//
// Left open in the paper: a sampled key inside the query's block. Decided: it
// counts once, as part of the block. `rank_q` and `rank_k` are places in the sorted
// order, `weight` is the log of how many keys a sample stands for. Not causal.
//
// Shown with: --set rank_q=iota@bxhxq --set rank_k=iota@bxhxk --set sampled=random:40@1xh --set weight=4.6

attn.pattern @hyper(%rank_q: tensor<?x?x?xindex>, %rank_k: tensor<?x?x?xindex>,
                    %sampled: !attn.set, %weight: f32 = 0.0) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %i = attn.at %rank_q[%b, %h, %q] : tensor<?x?x?xindex>
  %j = attn.at %rank_k[%b, %h, %k] : tensor<?x?x?xindex>
  %qb = arith.floordivsi %i, %c64 : index
  %kb = arith.floordivsi %j, %c64 : index
  %same = arith.cmpi eq, %qb, %kb : index
  %sample = attn.in %k, %sampled[%b, %h]
  %kept = arith.ori %same, %sample : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %i = attn.at %rank_q[%b, %h, %q] : tensor<?x?x?xindex>
  %j = attn.at %rank_k[%b, %h, %k] : tensor<?x?x?xindex>
  %qb = arith.floordivsi %i, %c64 : index
  %kb = arith.floordivsi %j, %c64 : index
  %same = arith.cmpi eq, %qb, %kb : index
  %more = arith.addf %s, %weight : f32
  %t = arith.select %same, %s, %more : f32
  attn.score %t
}
