// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --canonicalize | FileCheck %s

// One part is the result; parts that are merges give way to their parts, unless
// they come with the log-sum-exp of another.

// CHECK-LABEL: func.func @one
// CHECK-SAME: (%[[O:.*]]: tensor<{{.*}}>, %[[LSE:.*]]: tensor<{{.*}}>)
// CHECK-NEXT: return %[[O]], %[[LSE]]
func.func @one(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>) lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
}

// CHECK-LABEL: func.func @rounded
// CHECK-NEXT: attn.merge
func.func @rounded(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>)
    -> (tensor<?x8x?x64xf16>, tensor<?x8x?xf32>) {
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>) lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf16>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xf16>, tensor<?x8x?xf32>
}

// CHECK-LABEL: func.func @nested
// CHECK-SAME: (%[[O0:[^:]*]]: tensor<{{[^>]*}}>, %[[L0:[^:]*]]: tensor<{{[^>]*}}>, %[[O1:[^:]*]]: tensor<{{[^>]*}}>, %[[L1:[^:]*]]: tensor<{{[^>]*}}>)
// CHECK-NEXT: %[[O:.*]], %[[LSE:.*]] = attn.merge o(%[[O1]], %[[O0]], %[[O1]] : {{.*}}) lse(%[[L1]], %[[L0]], %[[L1]] : {{.*}})
// CHECK-NEXT: return %[[O]], %[[LSE]]
func.func @nested(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>,
                  %o1: tensor<?x8x?x64xf32>, %l1: tensor<?x8x?xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
  %a, %b = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
    lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  %o, %lse = attn.merge o(%o1, %a : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
    lse(%l1, %b : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
}

// CHECK-LABEL: func.func @crossed
// CHECK-COUNT-2: attn.merge
func.func @crossed(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>,
                   %o1: tensor<?x8x?x64xf32>, %l1: tensor<?x8x?xf32>)
    -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
  %a, %b = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
    lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  %o, %lse = attn.merge o(%a, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
    lse(%l0, %b : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
}
