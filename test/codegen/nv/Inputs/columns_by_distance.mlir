// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Columns and a window, whose scores fall with the distance of the key.
attn.pattern @columns_by_distance(%cols: !attn.set) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = attn.in %d, #attn.interval<0, 20>
  %column = attn.in %k, %cols[%b, %h]
  %either = arith.ori %near, %column : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %back = arith.subi %k, %q : index
  %whole = arith.index_cast %back : index to i32
  %distance = arith.sitofp %whole : i32 to f32
  %slope = arith.constant 0.125 : f32
  %bias = arith.mulf %slope, %distance : f32
  %t = arith.addf %s, %bias : f32
  attn.score %t
}
