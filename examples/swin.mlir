// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Shifted windows with a relative position bias (Liu et al., "Swin transformer",
// 2021): an image is cut into windows of 7 x 7 tokens; every other layer cuts it
// `shift` tokens further, and a bias per head and offset is added to the scores.
//
// The paper shifts the image cyclically and forbids, by a region mask, what the
// wrap brings together. A wrapped token may only meet tokens that wrapped with it,
// so without moving anything: two tokens meet when (y - shift) / 7 and
// (x - shift) / 7, rounded down, agree.
//
// Left open in the paper: images that are no multiple of the window (its code pads
// them with tokens that take part). Decided: the last windows are smaller. `bias`
// has axes (head, dy + 6, dx + 6), dy and dx from the key to the query. The window
// is a constant because divisors are.
//
// Shown with: --shape b=1,hq=1,hkv=1,sq=1764,sk=1764,d=64 --set H=42 --set W=42 --set shift=3 --set bias=normal@1x13x13

attn.pattern @swin(%H: index, %W: index, %bias: tensor<?x?x?xf32>, %shift: index = 0)
    grid(%H x %W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %c0 = arith.constant 0 : index
  %c7 = arith.constant 7 : index
  %low = arith.cmpi sge, %shift, %c0 : index
  %high = arith.cmpi slt, %shift, %c7 : index
  %fits = arith.andi %low, %high : i1
  attn.require %fits, "'shift' is not in [0, 7)"
  %qy0 = arith.subi %qy, %shift : index
  %ky0 = arith.subi %ky, %shift : index
  %qx0 = arith.subi %qx, %shift : index
  %kx0 = arith.subi %kx, %shift : index
  %qyw = arith.floordivsi %qy0, %c7 : index
  %kyw = arith.floordivsi %ky0, %c7 : index
  %qxw = arith.floordivsi %qx0, %c7 : index
  %kxw = arith.floordivsi %kx0, %c7 : index
  %y = arith.cmpi eq, %qyw, %kyw : index
  %x = arith.cmpi eq, %qxw, %kxw : index
  %kept = arith.andi %y, %x : i1
  attn.keep %kept
} score(%s, %b, %h, %qy, %qx, %ky, %kx) {
  %c0 = arith.constant 0 : index
  %c6 = arith.constant 6 : index
  %c12 = arith.constant 12 : index
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  // Pairs of one window are at most 6 apart; the others are never asked for.
  %y6 = arith.addi %dy, %c6 : index
  %x6 = arith.addi %dx, %c6 : index
  %y0 = arith.maxsi %y6, %c0 : index
  %x0 = arith.maxsi %x6, %c0 : index
  %y = arith.minsi %y0, %c12 : index
  %x = arith.minsi %x0, %c12 : index
  %add = attn.at %bias[%h, %y, %x] : tensor<?x?x?xf32>
  %t = arith.addf %s, %add : f32
  attn.score %t
}
