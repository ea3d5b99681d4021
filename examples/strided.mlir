// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Strided attention (Child et al., "Generating long sequences with sparse
// transformers", 2019), the second of its two heads: every 128th key back.
//
// Left open in the paper: nothing for this head; it needs the local one beside
// it (see local_strided.mlir). The stride is a constant because moduli are.

attn.pattern @strided keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %hit = attn.in %d, #attn.residue<0, 128>
  %kept = arith.andi %past, %hit : i1
  attn.keep %kept
}
