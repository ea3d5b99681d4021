// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Strided attention, both heads merged (Child et al., "Generating long sequences
// with sparse transformers", 2019): the last `window` keys and every 128th one.
//
// Left open in the paper: whether the window of the local head ends before the
// first strided key or on it. Decided: `window` keys, the query's own among them,
// so the default ends just before it.

attn.pattern @local_strided(%window: index = 128) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %hit = attn.in %d, #attn.residue<0, 128>
  %either = arith.ori %near, %hit : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
