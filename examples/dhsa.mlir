// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Chunks of variable length (Xiong et al., "Dynamic hierarchical sparse attention",
// 2025): the text is cut where it changes; every chunk of queries has a list of
// chunks of keys.
//
// Left open in the paper: the query's own chunk. Decided: it is kept, causally by
// token. `chunk` numbers the chunks along each sequence.
//
// Shown with: --set chunk=sorted:40@bxk --set rows=random:15%@1xhx40,size=40

attn.pattern @dhsa(%chunk: tensor<?x?xindex>, %rows: !attn.set) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %i = attn.at %chunk[%b, %q] : tensor<?x?xindex>
  %j = attn.at %chunk[%b, %k] : tensor<?x?xindex>
  %own = arith.cmpi eq, %i, %j : index
  %listed = attn.in %j, %rows[%b, %h, %i]
  %either = arith.ori %own, %listed : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
