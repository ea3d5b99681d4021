// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Neighborhood attention in two dimensions (Hassani et al., "Neighborhood attention
// transformer", 2022; "Faster neighborhood attention", 2024): on an image of H x W
// tokens a query keeps the `wy` x `wx` tokens around it; at the borders the window
// is shifted, not clipped, so every query keeps equally many.
//
// Left open in the papers: even windows. Decided, as NATTEN's code does: they have
// their extra key before the query. A window that is larger than its axis is
// refused. Dilation and stride are constants; see natten_1d.mlir and
// natten_strided.mlir.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=2304,sk=2304,d=64 --set H=48 --set W=48

attn.pattern @natten_2d(%H: index, %W: index, %wy: index = 13, %wx: index = 13)
    grid(%H x %W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %y = attn.apply @natten_axis(%H, %wy : index, index) at(%b, %h, %qy, %ky)
  %x = attn.apply @natten_axis(%W, %wx : index, index) at(%b, %h, %qx, %kx)
  %kept = arith.andi %y, %x : i1
  attn.keep %kept
}

// Along one axis of that length.
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
