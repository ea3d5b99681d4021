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

// -----

func.func @foreign_tiles(%tiles: !attn.tiles) {
  // expected-error @below {{expected tiles that come from 'attn.tiles'}}
  tile.foreach %tiles {
  ^bb0(%k0: index, %status: i32):
    tile.yield
  }
  return
}
