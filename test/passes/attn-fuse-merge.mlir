// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-fuse-merge --split-input-file | FileCheck %s
// RUN: heddle-opt %s --attn-fuse-merge --attn-normalize-pattern --attn-assign-schedule --attn-tile --split-input-file | FileCheck %s --check-prefix=TILE

attn.pattern @window(%w: index = 8) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %w : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}
attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}

// CHECK: attn.combine @window_and_all [@window, @all]
// CHECK-LABEL: func.func @two
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]] = attn.attention @window_and_all(%[[W:.*]] : index) q(%{{.*}}) k(%[[K0:.*]]) v(%[[V0:.*]]) scale(%{{.*}}) and k(%[[K1:.*]] : {{.*}}) v(%[[V1:.*]] : {{.*}})
// CHECK-NEXT: return %[[O]], %[[LSE]]
// TILE: func.func @two_task(
func.func @two(%w: index, %q: tensor<?x4x?x64xf32>,
               %k0: tensor<?x2x?x64xf32>, %v0: tensor<?x2x?x64xf32>,
               %k1: tensor<?x2x?x64xf32>, %v1: tensor<?x2x?x64xf32>, %s: f32)
    -> (tensor<?x4x?x64xf32>, tensor<?x4x?xf32>) {
  %o0, %l0 = attn.attention @window(%w : index) q(%q) k(%k0) v(%v0) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o1, %l1 = attn.attention @all() q(%q) k(%k1) v(%v1) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o, %lse = attn.merge o(%o0, %o1 : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>)
    lse(%l0, %l1 : tensor<?x4x?xf32>, tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  return %o, %lse : tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
}

// -----

// One pattern with two windows, and a merge of a merge: parameters that clash
// get names of their own, and the combination of parts is flattened.

attn.pattern @window(%w: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %near = arith.cmpi slt, %d, %w : index
  attn.keep %near
}
attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
// CHECK: attn.pattern @window(%w: index)
// CHECK: attn.pattern @window_0(%w_1: index)
// CHECK: attn.combine @window_and_window_0_and_all [@window, @window_0, @all]
attn.combine @both [@window, @all]

// CHECK-LABEL: func.func @clash
// CHECK-SAME: (%[[W0:.*]]: index, %[[W1:.*]]: index,
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]] = attn.attention @window_and_window_0_and_all(%[[W0]], %[[W1]] : index, index)
// CHECK-SAME: -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
// CHECK-NEXT: return %[[O]], %[[LSE]]
// TILE: func.func @clash_task(
func.func @clash(%w0: index, %w1: index, %q: tensor<?x4x?x64xf32>,
                 %k: tensor<?x2x?x64xf32>, %v: tensor<?x2x?x64xf32>, %s: f32)
    -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
  %o0, %l0 = attn.attention @window(%w0 : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o1, %l1 = attn.attention @both(%w1 : index) q(%q) k(%k) v(%v) scale(%s)
    and k(%k : tensor<?x2x?x64xf32>) v(%v : tensor<?x2x?x64xf32>)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o2, %l2 = attn.merge o(%o0 : tensor<?x4x?x64xf32>) lse(%l0 : tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  %o, %lse = attn.merge o(%o2, %o1 : tensor<?x4x?x64xbf16>, tensor<?x4x?x64xf32>)
    lse(%l2, %l1 : tensor<?x4x?xf32>, tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %o, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
}

// -----

// A known combination is used again, and one part alone is that part.

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.combine @known [@all, @all]
// CHECK-NOT: attn.combine @all
// CHECK-LABEL: func.func @again
// CHECK-NEXT: attn.attention @known() {{.*}} -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
// CHECK-NEXT: return
func.func @again(%q: tensor<?x4x?x64xf32>, %k: tensor<?x2x?x64xf32>,
                 %v: tensor<?x2x?x64xf32>, %s: f32)
    -> (tensor<?x4x?x64xf32>, tensor<?x4x?xf32>) {
  %o0, %l0 = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o1, %l1 = attn.attention @all() q(%q) k(%v) v(%k) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o2, %l2 = attn.merge o(%o0, %o1 : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>)
    lse(%l0, %l1 : tensor<?x4x?xf32>, tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o, %lse = attn.merge o(%o2 : tensor<?x4x?x64xf32>) lse(%l2 : tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  return %o, %lse : tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
}
