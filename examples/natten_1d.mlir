// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Dilated neighborhood attention in one dimension (Hassani and Shi, "Dilated
// neighborhood attention transformer", 2022; Hassani et al., "Faster neighborhood
// attention", 2024): the tokens of one residue modulo 4 are a sequence of their
// own, and a query keeps the `window` nearest of them. At the borders the window
// is shifted, not clipped.
//
// Left open in the papers: even windows, and lengths that are no multiple of the
// dilation. Decided, as NATTEN's code does: an even window has its extra key on
// the left; residues may have one token fewer than others. A window that does not
// fit the shortest residue is refused. The dilation is a constant because moduli
// are. Without dilation this is neighborhood_1d.mlir.
//
// Shown with: --set window=128

attn.pattern @natten_1d(%window: index) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %n = attn.num_keys
  %reach = arith.muli %window, %c4 : index
  %fits = arith.cmpi sle, %reach, %n : index
  attn.require %fits, "'window' times the dilation of 4 is larger than the number of keys"
  %some = arith.cmpi sgt, %window, %c0 : index
  attn.require %some, "'window' is not positive"
  %d = arith.subi %q, %k : index
  %kin = attn.in %d, #attn.residue<0, 4>
  %phase = attn.mod %q, 4
  %rest = arith.subi %n, %phase : index
  %up = arith.addi %rest, %c3 : index
  %length = arith.floordivsi %up, %c4 : index
  %i = arith.floordivsi %q, %c4 : index
  %j = arith.floordivsi %k, %c4 : index
  %half = arith.floordivsi %window, %c2 : index
  %centred = arith.subi %i, %half : index
  %last = arith.subi %length, %window : index
  %before = arith.minsi %centred, %last : index
  %start = arith.maxsi %before, %c0 : index
  %step = arith.subi %j, %start : index
  %after = arith.cmpi sge, %step, %c0 : index
  %inside = arith.cmpi slt, %step, %window : index
  %near = arith.andi %after, %inside : i1
  %kept = arith.andi %kin, %near : i1
  attn.keep %kept
}
