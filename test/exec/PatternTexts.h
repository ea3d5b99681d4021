// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Patterns that more than one test of kernels is about.

#ifndef HEDDLE_TEST_EXEC_PATTERNTEXTS_H
#define HEDDLE_TEST_EXEC_PATTERNTEXTS_H

namespace heddle::exec {

/// The last `window` keys.
inline constexpr const char *SlidingWindowText = R"(
attn.pattern @sliding_window(%window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
})";

/// A window, and first keys that every query meets, for each head.
inline constexpr const char *WindowPerHeadText = R"(
attn.pattern @head_windows(%window: tensor<?xindex>, %sink: tensor<?xindex>)
    keep(%b, %h, %q, %k) {
  %w = attn.at %window[%h] : tensor<?xindex>
  %s = attn.at %sink[%h] : tensor<?xindex>
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %w : index
  %first = arith.cmpi slt, %k, %s : index
  %either = arith.ori %near, %first : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})";

/// Listed columns and diagonals.
inline constexpr const char *VerticalSlashText = R"(
attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%b, %h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
})";

/// A neighbourhood in space, and in time the present and two steps back.
inline constexpr const char *VideoText = R"(
attn.pattern @video(%T: index, %H: index, %W: index) grid(%T x %H x %W)
    keep(%b, %h, %qt, %qy, %qx, %kt, %ky, %kx) {
  %dt = arith.subi %qt, %kt : index
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  %t = attn.in %dt, #attn.interval<0, 3>
  %y = attn.in %dy, #attn.interval<-1, 2>
  %x = attn.in %dx, #attn.interval<-2, 3>
  %ty = arith.andi %t, %y : i1
  %near = arith.andi %ty, %x : i1
  attn.keep %near
})";

} // namespace heddle::exec

#endif // HEDDLE_TEST_EXEC_PATTERNTEXTS_H
