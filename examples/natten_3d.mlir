// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Neighborhood attention over video (Hassani et al., "Faster neighborhood
// attention", 2024): frames, rows and columns, each with a window of its own;
// causal along time, windows shifted at the borders of a frame.
//
// Left open in the paper: a causal axis near its beginning. Decided, as NATTEN's
// code does: there the window is clipped, so the first frames keep fewer keys.
// Windows larger than their axis are refused.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=2304,sk=2304,d=64 --set T=9 --set H=16 --set W=16

attn.pattern @natten_3d(%T: index, %H: index, %W: index,
                        %wt: index = 3, %wy: index = 7, %wx: index = 7)
    grid(%T x %H x %W) keep(%b, %h, %qt, %qy, %qx, %kt, %ky, %kx) {
  %fits = arith.cmpi sle, %wt, %T : index
  attn.require %fits, "'wt' is larger than the number of frames"
  %c0 = arith.constant 0 : index
  %some = arith.cmpi sgt, %wt, %c0 : index
  attn.require %some, "'wt' is not positive"
  %d = arith.subi %qt, %kt : index
  %past = attn.in %d, #attn.interval<0, inf>
  %recent = arith.cmpi slt, %d, %wt : index
  %t = arith.andi %past, %recent : i1
  %y = attn.apply @natten_axis(%H, %wy : index, index) at(%b, %h, %qy, %ky)
  %x = attn.apply @natten_axis(%W, %wx : index, index) at(%b, %h, %qx, %kx)
  %frame = arith.andi %y, %x : i1
  %kept = arith.andi %t, %frame : i1
  attn.keep %kept
}

// Along one axis of that length, not causal.
attn.pattern @natten_axis(%length: index, %window: index) keep(%b, %h, %q, %k) {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %fits = arith.cmpi sle, %window, %length : index
  attn.require %fits, "a window is larger than its axis"
  %some = arith.cmpi sgt, %window, %c0 : index
  attn.require %some, "a window is not positive"
  %half = arith.floordivsi %window, %c2 : index
  %centred = arith.subi %q, %half : index
  %last = arith.subi %length, %window : index
  %before = arith.minsi %centred, %last : index
  %start = arith.maxsi %before, %c0 : index
  %step = arith.subi %k, %start : index
  %after = arith.cmpi sge, %step, %c0 : index
  %inside = arith.cmpi slt, %step, %window : index
  %kept = arith.andi %after, %inside : i1
  attn.keep %kept
}
