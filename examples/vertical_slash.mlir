// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Vertical-slash, exact (Jiang et al., "MInference 1.0", 2024): a query keeps the
// keys of some columns and those at some distances, both found at run time for
// every head.
//
// Left open in the paper: what is computed is a cover of this by tiles (see
// vertical_slash_cover.mlir), and it needs distance 0 among the slashes.
// Decided: exactly the named columns and diagonals, whatever they are; a row may
// keep no key. `cols` and `diags` are sets for every sequence and head.
//
// Shown with: --set cols=random:12@1xh --set diags=random:10@1xh

attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%b, %h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
