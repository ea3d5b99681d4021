// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Attention as a loop over live tiles, and the same loop counting.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --split-input-file --verify-diagnostics | FileCheck %s

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}

// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %[[TILE:[^:]+]]: index,
// CHECK-SAME: %[[Q:[^:]+]]: !attn.view<64xf32>, %[[K:[^:]+]]: !attn.view<64xf32>, %[[V:[^:]+]]: !attn.view<32xf32>, %[[O:[^:]+]]: !attn.view<32xf32>, %[[LSE:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>,
// CHECK-SAME: %[[ORIGIN:[^:]+]]: index, %{{.*}}: f32) attributes {{{.*}}tile.kernel = "task"
// CHECK: %[[N:.*]] = tile.dim position of %[[K]]
// CHECK: %[[ROW:.*]] = arith.muli %[[TILE]]
// CHECK: %[[Q0:.*]] = arith.addi %[[ROW]], %[[ORIGIN]]
// The end of the keys is a condition like any other.
// CHECK: tile.load %[[Q]][%[[B]], %[[H]], %[[ROW]]{{ ?}}] : <64xf32> -> tensor<48x64xf32>
// CHECK: %[[TILES:.*]] = attn.tiles <all(q - k in interval<0, inf>, k in interval<-inf, n>)> at(%[[B]], %[[H]], %[[Q0]]) keys(%[[N]]) tile 48 x 64
// CHECK: %[[LOOP:.*]]:3 = tile.foreach %[[TILES]] init(
// CHECK: ^bb0(%[[K0:.*]]: index, %[[STATUS:.*]]: i32,
// CHECK: tile.scores
// CHECK: %[[BITS:.*]] = tile.bits {{.*}} at(%[[B]], %[[H]]) queries(%[[Q0]]) keys(%[[K0]]) of %[[N]] status(%[[STATUS]])
// CHECK: tile.mask {{.*}}, %[[BITS]]
// CHECK: tile.softmax_step
// CHECK: tile.rescale
// CHECK: tile.accumulate {{.*}} where %[[BITS]]
// CHECK: tile.yield
// CHECK: tile.finish %[[LOOP]]#0, %[[LOOP]]#1, %[[LOOP]]#2
// CHECK: tile.store {{.*}}, %[[O]][%[[B]], %[[H]], %[[ROW]]{{ ?}}]
// CHECK: tile.store {{.*}}, %[[LSE]][%[[B]], %[[H]], %[[ROW]]{{ ?}}]

// CHECK-LABEL: func.func @f_count(
// CHECK-SAME: i1) -> (index, index, index) attributes {{{.*}}tile.kernel = "count"
// CHECK: tile.foreach
// CHECK: scf.if
// CHECK: tile.bits
// CHECK: tile.count

// Nothing is asked of the problem, so every problem passes.
// CHECK-LABEL: func.func @f_check(
// CHECK-SAME: -> (index, index, index, index) attributes {{{.*}}tile.kernel = "check"
// CHECK: %[[PASSED:.*]] = arith.constant 0 : index
// CHECK: return %[[PASSED]], %[[PASSED]], %[[PASSED]], %[[PASSED]]
// CHECK-NOT: attn.attention
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @causal, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
// expected-error @below {{expected a kernel function that holds one 'attn.attention' and returns its results}}
func.func @returns_something_else(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @causal, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %v, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
