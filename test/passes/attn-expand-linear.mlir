// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Recurrences as sums over pairs of tokens.
//
// RUN: heddle-opt %s --attn-expand-linear --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-expand-linear --attn-expand-tiles --tile-simplify --tile-to-cpu --split-input-file --verify-diagnostics -o /dev/null

// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: tile.kernel = "task"
// CHECK: scf.for %[[I:[^ ]+]] =
// The tile of the diagonal, then those before it, farther and farther away.
// CHECK: tile.decays
// CHECK: tile.accumulate {{.*}} where
// CHECK: %[[PAIRS:.*]]:2 = scf.for %[[BACK:[^ ]+]] = {{.*}} to %[[I]] {{.*}} -> (tensor<32x32xf32>, tensor<32xf32>)
// CHECK: %[[W:.*]] = tile.map %{{.*}}, %[[REACH:.*]], %{{.*}} at
// CHECK: tile.accumulate %{{.*}}, %[[W]], %
// CHECK: %[[FARTHER:.*]] = tile.scale %[[REACH]], %
// CHECK: scf.yield %{{.*}}, %[[FARTHER]]
// What the state that came in adds.
// CHECK: %[[FAR:.*]] = tile.scores
// CHECK: %[[FADED:.*]] = tile.rescale %[[FAR]], %[[PAIRS]]#1
// CHECK: %[[R:.*]] = arith.addf %[[FADED]], %[[PAIRS]]#0
// CHECK: tile.store %[[R]]
// CHECK-LABEL: func.func @f_check(
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

attn.recurrence @delta(%beta: tensor<?x?x?xf32>) delta(%b, %h, %i) {
  %t = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
  attn.delta %t
}
// expected-error@+1 {{recurrence 'delta' has a delta rule, which has no quadratic form; expected one without}}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @delta, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @delta(%g : tensor<?x?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}
