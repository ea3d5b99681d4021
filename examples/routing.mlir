// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Clusters (Roy et al., "Efficient content-based sparse attention with routing
// transformers", 2021): a query meets the keys of its cluster that are not after it.
//
// Left open in the paper: tokens in no cluster (its balanced clusters need not
// cover). Decided: cluster -1 is no cluster, such a query keeps nothing and such a
// key is never kept. Tokens stay where they are; nothing is gathered by cluster.
//
// Shown with: --set cluster=random:-1..15@bxhxk

attn.pattern @routing(%cluster: tensor<?x?x?xindex>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %i = attn.at %cluster[%b, %h, %q] : tensor<?x?x?xindex>
  %j = attn.at %cluster[%b, %h, %k] : tensor<?x?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %some = attn.in %i, #attn.interval<0, inf>
  %met = arith.andi %same, %some : i1
  %kept = arith.andi %past, %met : i1
  attn.keep %kept
}
