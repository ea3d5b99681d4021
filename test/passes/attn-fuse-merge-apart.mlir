// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-fuse-merge --verify-diagnostics | FileCheck %s

// What stays apart, and why.

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.pattern @sink(%s: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} normalize softmax sink(%s)

// CHECK-LABEL: func.func @apart
// CHECK: %[[O0:.*]], %[[L0:.*]] = attn.attention @sink
// CHECK: %[[O1:.*]], %[[L1:.*]] = attn.attention @all()
// CHECK: %[[O2:.*]], %[[L2:.*]] = attn.attention @all()
// CHECK: %[[O3:.*]], %[[L3:.*]] = attn.attention @all()
// CHECK: attn.merge o(%[[O0]], %[[O3]], %{{.*}}, %[[O1]], %[[O2]] :
func.func @apart(%q: tensor<?x4x?x64xf32>, %q1: tensor<?x4x?x64xf32>,
                 %k: tensor<?x2x?x64xf32>, %v: tensor<?x2x?x64xf32>, %s: f32,
                 %sinks: tensor<?xf32>, %other: tensor<?x4x?x64xf32>,
                 %otherLse: tensor<?x4x?xf32>)
    -> (tensor<?x4x?x64xf32>, tensor<?x4x?xf32>, tensor<?x4x?x64xf32>) {
  %o0, %l0 = attn.attention @sink(%sinks : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o1, %l1 = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o2, %l2 = attn.attention @all() q(%q1) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  %o3, %l3 = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x4x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  // expected-remark @below {{part 0 stays apart: its normaliser is not a plain softmax}}
  // expected-remark @below {{part 3 stays apart: its results are used elsewhere too}}
  // expected-remark @below {{part 4 stays apart: it is no 'attn.attention'}}
  // expected-remark @below {{its attentions become 2: they differ in q, scale, origin or schedule, or have more than 8 sources}}
  %o, %lse = attn.merge
    o(%o0, %o1, %o2, %o3, %other : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>,
      tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32>)
    lse(%l0, %l1, %l2, %l3, %otherLse : tensor<?x4x?xf32>, tensor<?x4x?xf32>,
        tensor<?x4x?xf32>, tensor<?x4x?xf32>, tensor<?x4x?xf32>)
    -> tensor<?x4x?x64xf32>, tensor<?x4x?xf32>
  return %o, %lse, %o3
    : tensor<?x4x?x64xf32>, tensor<?x4x?xf32>, tensor<?x4x?x64xf32>
}
