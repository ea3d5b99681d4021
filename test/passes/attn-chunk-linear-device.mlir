// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --attn-chunk-linear --cse | FileCheck %s

// For a device queries with and without such keys are rows of one loop. The keys of
// their chunk are a loop of one turn or none.

// CHECK-LABEL: func.func @f_task(
// CHECK: tile.expand
// CHECK-NOT: tile.store
// CHECK: scf.for %[[NUMBER:.*]] = %c0 to %{{.*}} step %c1 iter_args
// CHECK: %[[NONE:.*]] = arith.cmpi slt, %[[NUMBER]],
// CHECK: %[[ROW:.*]] = arith.addi
// CHECK: %[[FROM:.*]] = arith.addi %[[ROW]],
// CHECK: %[[TO:.*]] = arith.select %[[NONE]], %[[FROM]], %
// CHECK: scf.for %{{.*}} = %[[FROM]] to %[[TO]] step
// CHECK: tile.softmax_step
// CHECK: tile.store
// CHECK-NOT: tile.softmax_step
// CHECK-LABEL: func.func @f_check(
attn.recurrence @near_and_far(%w: index) expand power 2 normalize sum window(%w)
func.func @f(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %w: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @near_and_far, "sm_80", qk = 16, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>, state = <rows = 136, sums = true, causal = true>>} {
  %o, %state, %sums = attn.linear @near_and_far(%w : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
