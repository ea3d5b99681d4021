// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --attn-normalize-pattern --attn-assign-schedule --attn-tile --attn-expand-tiles --tile-simplify --cse --tile-to-cpu | FileCheck %s

// The heads of a task are a loop inside of that over tiles of keys. Rotated
// copies of keys and bits are made before it, and what a head carries from tile
// to tile stays where it is: there is no copy.

attn.pattern @rope(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} rotate(%cos, %sin)

// At most as many as are asked for, and no more than the group has left.
// CHECK-LABEL: llvm.func hidden @f_task(
// CHECK: %[[GROUP:.*]] = arith.divui
// CHECK: %[[BEFORE:.*]] = arith.remui %{{.*}}, %[[GROUP]]
// CHECK: %[[LEFT:.*]] = arith.subi %[[GROUP]], %[[BEFORE]]
// CHECK: arith.minsi %{{.*}}, %[[LEFT]]
// Queries of every head.
// CHECK: scf.for %{{.*}} = %c0_i64 to %{{[0-9]+}} step %c1_i64
// CHECK: scf.for %{{.*}} = %c0_i64 to %{{[0-9]+}} step %c1_i64
// CHECK: llvm.call @f_task.rows_in
// Full tiles.
// CHECK: scf.while
// CHECK: scf.for
// CHECK: llvm.call @f_task.stage
// CHECK: scf.for %{{.*}} = %c0_i64 to %{{[0-9]+}} step %c1_i64
// CHECK-NOT: llvm.call @f_task.stage
// CHECK: llvm.call @f_task.scores(
// CHECK: llvm.call @f_task.accumulate
// Partial tiles.
// CHECK: scf.for
// CHECK: llvm.call @f_task.stage
// CHECK: llvm.call @f_task.bits(
// CHECK: %[[LIVE:.*]]:2 = scf.for
// CHECK: scf.for %{{.*}} = %c0_i64 to %{{[0-9]+}} step %c1_i64
// CHECK: llvm.call @f_task.scores({{.*}}, %[[LIVE]]#0, %[[LIVE]]#1,
// CHECK-NOT: llvm.call @f_task.bits
// CHECK: llvm.call @f_task.softmax_step(
// CHECK: llvm.call @f_task.accumulate
// The end of every head.
// CHECK: scf.for %{{.*}} = %c0_i64 to %{{[0-9]+}} step %c1_i64
// CHECK: llvm.call @f_task.finish(
// CHECK: llvm.return
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
             %v: tensor<?x?x?x64xf32>, %s: f32, %cos: tensor<?x?xf32>,
             %sin: tensor<?x?xf32>)
    -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>)
    attributes {attn.level = "cpu-avx512"} {
  %o, %lse = attn.attention @rope(%cos, %sin : tensor<?x?xf32>, tensor<?x?xf32>)
    q(%q) k(%k) v(%v) scale(%s)
    schedule <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2, heads = 4>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
}
