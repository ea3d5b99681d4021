// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Generalized neighborhood attention (Hassani et al., "Generalized neighborhood
// attention", 2025): queries in groups of 4 x 4 share the window of their group's
// leader, so that windows move in steps and waste less of a tile.
//
// Left open in the paper: which query of an even group leads. Decided, as NATTEN's
// code does: the right one of the two in the middle. Where a last group is cut off
// before its leader, the code moves the leader into the axis; moving the window in
// gives the same. A stride as large as the window gives blocks, 1 gives
// natten_2d.mlir; it is a constant because divisors are.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=2304,sk=2304,d=64 --set H=48 --set W=48

attn.pattern @natten_strided(%H: index, %W: index, %wy: index = 12, %wx: index = 12)
    grid(%H x %W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %y = attn.apply @strided_axis(%H, %wy : index, index) at(%b, %h, %qy, %ky)
  %x = attn.apply @strided_axis(%W, %wx : index, index) at(%b, %h, %qx, %kx)
  %kept = arith.andi %y, %x : i1
  attn.keep %kept
}

// Along one axis of that length.
attn.pattern @strided_axis(%length: index, %window: index) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %fits = arith.cmpi sle, %window, %length : index
  attn.require %fits, "a window is larger than its axis"
  %some = arith.cmpi sgt, %window, %c0 : index
  attn.require %some, "a window is not positive"
  %group = arith.floordivsi %q, %c4 : index
  %first = arith.muli %group, %c4 : index
  %middle = arith.addi %first, %c2 : index
  %half = arith.floordivsi %window, %c2 : index
  %centred = arith.subi %middle, %half : index
  %last = arith.subi %length, %window : index
  %before = arith.minsi %centred, %last : index
  %start = arith.maxsi %before, %c0 : index
  %step = arith.subi %k, %start : index
  %after = arith.cmpi sge, %step, %c0 : index
  %inside = arith.cmpi slt, %step, %window : index
  %kept = arith.andi %after, %inside : i1
  attn.keep %kept
}
