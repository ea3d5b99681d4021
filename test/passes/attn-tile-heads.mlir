// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A task of several query heads: keys are turned and bits asked for once per
// tile of keys, for all heads; every head has its queries, scores and state.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify | FileCheck %s --check-prefix=LOOPS

// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %{{[^:]+}}: index, %[[QV:[^:]+]]: !attn.view<64xf32>, %[[KV:[^:]+]]: !attn.view<64xf32>,
// CHECK: %[[N:.*]] = tile.num_heads from %[[H]] of %[[QV]] per %[[KV]]
// CHECK: %[[INIT:.*]]:3 = tile.each_head from %[[H]] count %[[N]] {
// CHECK: tile.yield %{{.*}} : tensor<48x32xf32>, tensor<48xf32>, tensor<48xf32>
// CHECK: %[[Q:.*]] = tile.each_head from %[[H]] count %[[N]] {
// CHECK-NEXT: ^bb0(%[[HEAD:.*]]: index):
// CHECK: tile.load %[[QV]][%[[B]], %[[HEAD]],
// CHECK: tile.rotate
// CHECK: tile.foreach %{{.*}} init(%[[INIT]]#0, %[[INIT]]#1, %[[INIT]]#2 :
// CHECK-NEXT: ^bb0(%{{.*}}, %[[O:.*]]: !tile.heads<4, tensor<48x32xf32>>, %[[M:.*]]: !tile.heads<4, tensor<48xf32>>, %[[L:.*]]: !tile.heads<4, tensor<48xf32>>):
// CHECK: %[[KEYS:.*]] = tile.rotate
// CHECK: %[[VALUES:.*]] = tile.load
// CHECK: %[[BITS:.*]] = tile.bits
// CHECK: tile.each_head from %[[H]] count %[[N]] reads(%[[Q]] : !tile.heads<4, tensor<48x64xf32>>) carries(%[[O]], %[[M]], %[[L]] :
// CHECK-NEXT: ^bb0(%{{.*}}: index, %[[Q1:.*]]: tensor<48x64xf32>, %[[O1:.*]]: tensor<48x32xf32>, %[[M1:.*]]: tensor<48xf32>, %[[L1:.*]]: tensor<48xf32>):
// CHECK-NEXT: tile.scores %[[Q1]], %[[KEYS]]
// CHECK-NOT: tile.load
// CHECK: tile.accumulate %{{.*}}, %{{.*}}, %[[VALUES]] where %[[BITS]]
// CHECK: tile.each_head from %[[H]] count %[[N]] reads(
// CHECK: tile.finish
// CHECK: tile.store {{.*}}[%[[B]], %[[LAST:.*]],
// CHECK: return

// Bits of full tiles are none also inside of the bodies.
// LOOPS-LABEL: func.func @f_task(
// LOOPS: scf.for
// LOOPS: tile.each_head
// LOOPS-NOT: tile.mask
// LOOPS: tile.accumulate
// LOOPS-NOT: where
// LOOPS: scf.for
// LOOPS: tile.bits
// LOOPS: tile.each_head
// LOOPS: tile.mask
// LOOPS: return

// One head is counted.
// CHECK-LABEL: func.func @f_count(
// CHECK-NOT: tile.each_head
attn.pattern @p(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} rotate(%cos, %sin)
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?x?xf32>, %p1: tensor<?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2, heads = 4>>} {
  %o, %lse = attn.attention @p(%p0, %p1 : tensor<?x?xf32>, tensor<?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
