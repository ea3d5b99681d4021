// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-fuse-merge -o %t.mlir
// RUN: heddle run %t.mlir --pattern near_and_far_and_near_0 --set w=24 --set w_1=100 --shape b=1,hq=4,hkv=2,sq=65,sk=130,d=40 --more-keys 130,65 --check | FileCheck %s
// CHECK: check     passed

// The merge of three attentions, one of them under the same pattern with another
// argument, runs as one kernel and agrees with the interpreter.

attn.pattern @near(%w: index = 24) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %near = arith.cmpi slt, %d, %w : index
  attn.keep %near
}
attn.pattern @far(%w: index = 24) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %far = arith.cmpi sge, %d, %w : index
  attn.keep %far
}
func.func @kernel(%w0: index, %w1: index, %q: tensor<?x4x?x40xf32>,
                  %k0: tensor<?x2x?x40xf32>, %v0: tensor<?x2x?x40xf32>,
                  %k1: tensor<?x2x?x40xf32>, %v1: tensor<?x2x?x40xf32>, %s: f32)
    -> (tensor<?x4x?x40xf32>, tensor<?x4x?xf32>) {
  %o0, %l0 = attn.attention @near(%w0 : index) q(%q) k(%k0) v(%v0) scale(%s)
    : tensor<?x4x?x40xf32>, tensor<?x2x?x40xf32>, tensor<?x2x?x40xf32>
    -> tensor<?x4x?x40xf32>, tensor<?x4x?xf32>
  %o1, %l1 = attn.attention @far(%w0 : index) q(%q) k(%k0) v(%v0) scale(%s)
    : tensor<?x4x?x40xf32>, tensor<?x2x?x40xf32>, tensor<?x2x?x40xf32>
    -> tensor<?x4x?x40xf32>, tensor<?x4x?xf32>
  %o2, %l2 = attn.attention @near(%w1 : index) q(%q) k(%k1) v(%v1) scale(%s)
    : tensor<?x4x?x40xf32>, tensor<?x2x?x40xf32>, tensor<?x2x?x40xf32>
    -> tensor<?x4x?x40xf32>, tensor<?x4x?xf32>
  %o, %lse = attn.merge
    o(%o0, %o1, %o2 : tensor<?x4x?x40xf32>, tensor<?x4x?x40xf32>, tensor<?x4x?x40xf32>)
    lse(%l0, %l1, %l2 : tensor<?x4x?xf32>, tensor<?x4x?xf32>, tensor<?x4x?xf32>)
    -> tensor<?x4x?x40xf32>, tensor<?x4x?xf32>
  return %o, %lse : tensor<?x4x?x40xf32>, tensor<?x4x?xf32>
}
