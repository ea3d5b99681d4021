// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Documents packed one after the other into a sequence: causal in each, nothing
// across them. `doc` numbers the document of every position, ascending.

attn.pattern @documents(%doc: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %kept = arith.andi %same, %past : i1
  attn.keep %kept
}
