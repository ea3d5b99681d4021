// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Recurrences token by token: features along the lanes, every step one update
// of the state and one product with it.
//
// RUN: heddle-opt %s --attn-step-linear --cse --split-input-file | FileCheck %s
// RUN: heddle-opt %s --attn-step-linear --attn-expand-tiles --tile-simplify --split-input-file -o /dev/null

// CHECK-LABEL: func.func @f_step(
// CHECK-SAME: !attn.view<64xf32>, %[[K:[^:]+]]: !attn.view<64xf32>, %[[V:[^:]+]]: !attn.view<32xf32>, %[[O:[^:]+]]: !attn.view<32xf32>,
// CHECK-SAME: tile.kernel = "step"
// CHECK: %[[LAST:.*]] = scf.for %[[I:[^ ]+]] = {{.*}} iter_args(%[[S:.*]] = %
// CHECK: %[[FACTORS:.*]] = tile.map
// CHECK: %[[A:.*]] = tile.element %[[FACTORS]]
// CHECK: %[[Y:.*]] = tile.load %[[K]]{{.*}}%[[I]]{{ ?}}] : <64xf32> -> tensor<1x64xf32>
// CHECK: %[[KEPT:.*]] = tile.scale %[[S]], %[[A]]
// CHECK: %[[NEXT:.*]] = tile.accumulate %[[KEPT]], %{{.*}}, %[[Y]] : tensor<32x64xf32>, tensor<32x1xf32>, tensor<1x64xf32>
// CHECK: %[[R:.*]] = tile.scores %[[NEXT]], %{{.*}} : tensor<32x64xf32>, tensor<1x64xf32> -> tensor<32x1xf32>
// CHECK: %[[ROW:.*]] = tile.transpose %[[R]]
// CHECK: tile.store %[[ROW]], %[[O]]{{.*}}%[[I]]{{ ?}}]
// CHECK: scf.yield %[[NEXT]]
// The function stays for the other kernels.
// CHECK: func.func @f(
attn.recurrence @retnet(%log_decay: tensor<?xf32>) decay(%b, %h, %i) {
  %g = attn.at %log_decay[%h] : tensor<?xf32>
  attn.decay %g
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @retnet, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// With sums, an expansion and a window: keys lag behind their queries. The keys
// of the window run along the lanes.

// CHECK-LABEL: func.func @f_step(
// CHECK: scf.for
// CHECK-NOT: tile.store
// CHECK: scf.for
// CHECK: scf.for
// CHECK: tile.expand %{{.*}} taylor : tensor<1x16xf32> -> tensor<1x153xf32>
// CHECK: %[[WINDOW:.*]]:3 = scf.for {{.*}} -> (tensor<32x1xf32>, f32, f32)
// CHECK: %[[NEAR:.*]] = tile.scores %{{.*}}, %{{.*}} : tensor<32x16xf32>, tensor<1x16xf32> -> tensor<32x1xf32>
// CHECK: tile.reduce max %[[NEAR]] along 0
// CHECK: tile.accumulate %{{.*}} : tensor<32x1xf32>, tensor<32x32xf32>, tensor<32x1xf32>
// CHECK: %[[ALL:.*]]:3 = scf.for {{.*}} -> (tensor<32x1xf32>, f32, f32)
// CHECK: arith.addf %[[ALL]]#0, %
// CHECK: arith.addf %[[ALL]]#2, %
// CHECK: arith.divf
attn.recurrence @near_and_far(%w: index) expand taylor normalize sum window(%w)
func.func @f(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %w: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @near_and_far, "cpu-avx2", qk = 16, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 153, sums = true, causal = true>>} {
  %o, %state, %sums = attn.linear @near_and_far(%w : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// There are no steps where queries see later keys.

// CHECK-NOT: tile.kernel = "step"
attn.recurrence @all normalize sum bidirectional
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @all, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = true, causal = false>>} {
  %o, %state, %sums = attn.linear @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A delta rule that takes away before the state fades, and writes after it.

// CHECK-LABEL: func.func @f_step(
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %
// CHECK: %[[Y:.*]] = tile.load %{{.*}} -> tensor<1x64xf32>
// CHECK: %[[HELD:.*]] = tile.scores %[[S]], %[[Y]]
// CHECK: %[[TAKEN:.*]] = tile.map %[[HELD]]
// CHECK: %[[LEFT:.*]] = tile.accumulate %[[S]], %[[TAKEN]], %[[Y]]
// CHECK: %[[FADED:.*]] = tile.map %[[LEFT]], %
// CHECK: %[[NEXT:.*]] = tile.accumulate %[[FADED]], %{{.*}}, %[[Y]]
// CHECK: scf.yield %[[NEXT]]
attn.recurrence @erase_first(%gate: tensor<?x?x?x?xf32>, %beta: f32) decay(%b, %h, %i, %c) {
  %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
  attn.decay %g
} delta(%b, %h, %i) {
  attn.delta %beta
} erase before decay
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?x?xf32>, %t: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @erase_first, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @erase_first(%g, %t : tensor<?x?x?x?xf32>, f32) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}
