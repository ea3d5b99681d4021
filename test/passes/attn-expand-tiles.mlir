// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A loop over live tiles becomes a loop over runs: ask, cover the full tiles,
// cover the partial tiles, go on where the run ends.
//
// RUN: heddle-opt %s --attn-expand-tiles --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @count_tiles
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %[[Q0:[^:]+]]: index, %[[N:[^:]+]]: index, %[[W:[^:]+]]: index
// CHECK: %[[R:.*]]:2 = scf.while (%[[K:.*]] = %{{.*}}, %[[ACC:.*]] = %{{.*}}) : (index, index) -> (index, index)
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[K]], %[[N]]
// CHECK: scf.condition(%[[MORE]]) %[[K]], %[[ACC]]
// CHECK: ^bb0(%[[K1:.*]]: index, %[[ACC1:.*]]: index)
// The body for full tiles, then the body for partial ones.
// CHECK: %[[F:.*]] = scf.for {{.*}} iter_args({{.*}} = %[[ACC1]])
// CHECK: arith.index_cast %{{.*}} : i32 to index
// CHECK: %[[P:.*]] = scf.for {{.*}} iter_args({{.*}} = %[[F]])
// CHECK: arith.index_cast %{{.*}} : i32 to index
// CHECK: scf.yield %{{.*}}, %[[P]]
// CHECK: return %[[R]]#1
// CHECK-NOT: tile.foreach
// CHECK-NOT: attn.tiles
func.func @count_tiles(%b: index, %h: index, %q0: index, %n: index, %w: index) -> index {
  %c0 = arith.constant 0 : index
  %t = attn.tiles #attn.formula<q - k in interval<0, p0>> at(%b, %h, %q0) keys(%n)
    params(%w : index) tile 48 x 64
  %r = tile.foreach %t init(%c0 : index) {
  ^bb0(%k0: index, %status: i32, %acc: index):
    %s = arith.index_cast %status : i32 to index
    %next = arith.addi %acc, %s : index
    tile.yield %next : index
  }
  return %r : index
}

// On a token grid the outer axis is a loop over all rows of boxes, the inner one
// a loop over runs, up to the extent of its own axis.
// CHECK-LABEL: func.func @boxes
// CHECK-SAME: %[[H:[^:]+]]: index, %[[W:[^:]+]]: index
// CHECK: scf.for %[[KY:.*]] = %{{.*}} to %[[H]] step %[[C4:.*]] iter_args
// CHECK: scf.while (%[[K:.*]] = %{{.*}}, %{{.*}} = %{{.*}}) : (index, index) -> (index, index)
// CHECK: arith.cmpi slt, %[[K]], %[[W]]
// CHECK: do
// CHECK: scf.for %[[FULL:.*]] = %{{.*}} iter_args
// CHECK-NEXT: %[[C2:.*]] = arith.constant 2 : i32
// CHECK-NEXT: arith.addi %{{.*}}, %[[KY]]
// CHECK-NEXT: arith.addi %{{.*}}, %[[FULL]]
// CHECK: scf.for %[[PARTIAL:.*]] = %{{.*}} iter_args
// CHECK: arith.addi %{{.*}}, %[[KY]]
// CHECK-NEXT: arith.addi %{{.*}}, %[[PARTIAL]]
// CHECK-NOT: tile.foreach
func.func @boxes(%height: index, %width: index, %b: index, %h: index, %qy: index,
                 %qx: index, %n: index) -> index {
  %c0 = arith.constant 0 : index
  %t = attn.tiles #attn.formula<all(q1 - k1 in interval<-3, 4>, q - k in interval<-3, 4>)>
    at(%b, %h, %qy, %qx) keys(%n) params(%height, %width : index, index)
    tile 48 x 32 boxes [6, 8] [4, 8] of [0, 1]
  %r = tile.foreach %t init(%c0 : index) {
  ^bb0(%ky: index, %kx: index, %status: i32, %acc: index):
    %s = arith.addi %acc, %ky : index
    %next = arith.addi %s, %kx : index
    tile.yield %next : index
  }
  return %r : index
}

// Whoever loads keys is told of the next run that keeps any before the run at hand
// is covered: the loop carries a run, and finds the next one beside it.
// CHECK-LABEL: func.func @ahead
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %[[Q0:[^:]+]]: index, %[[N:[^:]+]]: index
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[EMPTY:.*]] = arith.constant 0 : i32
// CHECK: scf.while (%[[K:.*]] = %{{.*}}, %[[END:.*]] = %{{.*}}, %[[S:.*]] = %[[EMPTY]], %{{.*}}) : (index, index, i32, f32) -> (index, index, i32, f32)
// CHECK: arith.cmpi slt, %[[K]], %[[N]]
// CHECK: ^bb0(%[[K1:.*]]: index, %[[END1:.*]]: index, %[[S1:.*]]: i32, %{{.*}}: f32)
// CHECK: %[[NEXT:.*]]:3 = scf.while (%[[FROM:.*]] = %[[END1]]) : (index) -> (index, index, i32)
// CHECK: %[[AT:.*]] = arith.minsi %[[FROM]], %[[N]]
// CHECK: %[[MORE:.*]] = arith.cmpi slt, %[[AT]], %[[N]]
// CHECK: %[[SKIP:.*]] = arith.andi %{{.*}}, %[[MORE]]
// CHECK: scf.condition(%[[SKIP]]) %[[AT]], %[[UNTIL:.*]], %{{.*}} : index, index, i32
// CHECK: ^bb0(%{{.*}}: index, %[[UNTIL1:.*]]: index, %{{.*}}: i32)
// CHECK: scf.yield %[[UNTIL1]] : index
// CHECK: arith.minsi %[[END1]], %[[N]]
// CHECK: arith.cmpi eq, %[[S1]]
// CHECK: scf.for %{{.*}} = %[[K1]] to
// CHECK: scf.for %{{.*}} = %[[K1]] to
// CHECK: scf.yield %[[NEXT]]#0, %[[NEXT]]#1, %[[NEXT]]#2, %{{.*}} : index, index, i32, f32
func.func @ahead(%b: index, %h: index, %q0: index, %n: index, %kv: !attn.view<64xf32>)
    -> f32 attributes {
    tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "cpu-avx512", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1>>} {
  %c0 = arith.constant 0.0 : f32
  %t = attn.tiles #attn.formula<any(k in interval<-inf, 64>, q - k in interval<0, 64>)>
    at(%b, %h, %q0) keys(%n) tile 48 x 64
  %r = tile.foreach %t init(%c0 : f32) {
  ^bb0(%k0: index, %status: i32, %acc: f32):
    %rows = tile.load %kv[%b, %h, %k0 ] : <64xf32> -> tensor<64x64xf32>
    tile.yield %acc : f32
  }
  return %r : f32
}

// One stretch of keys has nothing between its runs.
// CHECK-LABEL: func.func @one_stretch
// CHECK: scf.while {{.*}} : (index, f32) -> (index, f32)
// CHECK-NOT: scf.while
// CHECK: return
func.func @one_stretch(%b: index, %h: index, %q0: index, %n: index, %kv: !attn.view<64xf32>)
    -> f32 attributes {
    tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "cpu-avx512", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1>>} {
  %c0 = arith.constant 0.0 : f32
  %t = attn.tiles #attn.formula<q - k in interval<0, 64>>
    at(%b, %h, %q0) keys(%n) tile 48 x 64
  %r = tile.foreach %t init(%c0 : f32) {
  ^bb0(%k0: index, %status: i32, %acc: f32):
    %rows = tile.load %kv[%b, %h, %k0 ] : <64xf32> -> tensor<64x64xf32>
    tile.yield %acc : f32
  }
  return %r : f32
}

// -----

func.func @foreign_tiles(%tiles: !attn.tiles) {
  // expected-error @below {{expected tiles that come from 'attn.tiles'}}
  tile.foreach %tiles {
  ^bb0(%k0: index, %status: i32):
    tile.yield
  }
  return
}
