// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// On a token grid tiles are boxes, and rows of views are lists of tokens.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify --split-input-file --verify-diagnostics -o /dev/null

// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[HEAD:[^:]+]]: index, %[[TILE:[^:]+]]: index,
// CHECK-SAME: %[[H:[^:]+]]: index, %[[W:[^:]+]]: index) attributes
// The number of the tile counts boxes row by row.
// CHECK: %[[X:.*]] = arith.remui %[[TILE]], %[[BOXES:.*]] : index
// CHECK: %[[Y:.*]] = arith.divui %[[TILE]], %[[BOXES]] : index
// CHECK: %[[QX:.*]] = arith.muli %[[X]]
// CHECK: %[[QY:.*]] = arith.muli %[[Y]]
// CHECK: %[[QP:.*]] = tile.positions at(%[[QY]], %[[QX]]) of(%[[H]], %[[W]]) box [6, 8] : tensor<48xindex>
// CHECK: tile.load %{{.*}}[%[[B]], %[[HEAD]], %[[QP]] : tensor<48xindex>]
// CHECK: attn.tiles <all(q1 - k1 in interval<-3, 4>, q - k in interval<-3, 4>, k in interval<-inf, p1>, k1 in interval<-inf, p0>)>
// CHECK-SAME: at(%[[B]], %[[HEAD]], %[[QY]], %[[QX]]) keys(%[[N:.*]]) params(%[[H]], %[[W]] : index, index) tile 48 x 64 boxes [6, 8] [8, 8] of [0, 1]
// CHECK: ^bb0(%[[KY:.*]]: index, %[[KX:.*]]: index, %{{.*}}: i32,
// CHECK: %[[KP:.*]] = tile.positions at(%[[KY]], %[[KX]]) of(%[[H]], %[[W]]) box [8, 8] : tensor<64xindex>
// CHECK: tile.load %{{.*}}, %[[KP]] : tensor<64xindex>]
// CHECK: tile.bits {{.*}} queries(%[[QY]], %[[QX]]) keys(%[[KY]], %[[KX]]) of %[[N]] {{.*}} boxes [6, 8] [8, 8]
// CHECK: tile.store {{.*}}, %[[QP]] : tensor<48xindex>]

// Queries of a box that lie outside of the grid are not counted.
// CHECK-LABEL: func.func @f_count(
// CHECK: %[[PARTIAL:.*]] = arith.constant 1 : i32
// CHECK: tile.bits {{.*}}q1 in interval<-inf, p0>{{.*}}q in interval<-inf, p1>{{.*}} status(%[[PARTIAL]])
attn.pattern @patch(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  %y = attn.in %dy, #attn.interval<-3, 4>
  %x = attn.in %dx, #attn.interval<-3, 4>
  %near = arith.andi %y, %x : i1
  attn.keep %near
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: index, %p1: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @patch, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2, query_box = [6, 8], key_box = [8, 8]>>} {
  %o, %lse = attn.attention @patch(%p0, %p1 : index, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Sums and maxima are those of tokens: the tile is a box of keys, and the queries that
// lie outside of the grid keep nothing, also where all others do.
// CHECK-LABEL: func.func @f_columns(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[HEAD:[^:]+]]: index, %[[TILE:[^:]+]]: index,
// CHECK-SAME: %[[LSE:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %[[SUMS:[^:]+]]: !attn.view<1xf32>, %[[BLOCKS:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: index, %{{[^:]+}}: f32,
// CHECK-SAME: %[[H:[^:]+]]: index, %[[W:[^:]+]]: index, %{{[^:]+}}: index) attributes
// CHECK: %[[X:.*]] = arith.remui %[[TILE]], %[[BOXES:.*]] : index
// CHECK: %[[Y:.*]] = arith.divui %[[TILE]], %[[BOXES]] : index
// CHECK: %[[KX:.*]] = arith.muli %[[X]]
// CHECK: %[[KY:.*]] = arith.muli %[[Y]]
// CHECK: %[[TILES:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK: scf.for %[[NUMBER:.*]] = %{{.*}} to %[[TILES]]
// CHECK: arith.remui %[[NUMBER]]
// CHECK: %[[QP:.*]] = tile.positions at(%[[QY:.*]], %[[QX:.*]]) of(%[[H]], %[[W]]) box [6, 8] : tensor<48xindex>
// CHECK: scf.if
// CHECK: %[[KP:.*]] = tile.positions at(%[[KY]], %[[KX]]) of(%[[H]], %[[W]]) box [8, 8] : tensor<64xindex>
// CHECK: tile.bits {{.*}}q1 in interval<-inf, p0>{{.*}}q in interval<-inf, p1>{{.*}} queries(%[[QY]], %[[QX]]) keys(%[[KY]], %[[KX]])
// CHECK: tile.load %[[LSE]][%[[B]], %[[HEAD]], %[[QP]] : tensor<48xindex>]
// CHECK: tile.add_columns %[[P:.*]] rows %{{.*}}, %[[SUMS]][%[[B]], %[[HEAD]], %[[KP]] : tensor<64xindex>]
// CHECK: tile.raise_blocks %[[P]] rows %{{.*}}, %[[BLOCKS]][%[[B]], %[[HEAD]]] at(%[[QP]] : tensor<48xindex>, %[[KP]] : tensor<64xindex>) by 16 x 50
attn.pattern @patch(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %dy = arith.subi %qy, %ky : index
  %dx = arith.subi %qx, %kx : index
  %y = attn.in %dy, #attn.interval<-3, 4>
  %x = attn.in %dx, #attn.interval<-3, 4>
  %near = arith.andi %y, %x : i1
  attn.keep %near
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: index, %p1: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @patch, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = true, block_max = 16 by 50>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2, query_box = [6, 8], key_box = [8, 8]>>} {
  %o, %lse, %sums, %blocks = attn.attention @patch(%p0, %p1 : index, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    outputs <row_max = false, column_sums = true, block_max = 16 by 50>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  return %o, %lse, %sums, %blocks : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
}
