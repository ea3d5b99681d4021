// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Query rows that exist are read and stored transposed, scaled in place, and
// written back where rows exist and somebody wants them. Which rows exist is a
// question of the sequence: of all rows of the view, or with offsets of those
// between two of them, which are read from somewhere harmless where there are
// none.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f(%[[ARGS:.*]]: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: i64, %[[WS:.*]]: !llvm.ptr)
// CHECK-SAME: tile.features = ""
// CHECK-SAME: tile.workspace = 256 : i64
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0 : i64
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : i64
// CHECK: %[[PLAIN:.*]] = llvm.icmp "eq"
// CHECK: %[[AT:.*]] = arith.select %[[PLAIN]], %[[ARGS]], %{{.*}} : !llvm.ptr
// CHECK: llvm.load %[[AT]]
// CHECK: arith.select %[[PLAIN]]
// CHECK: %[[ROWS:.*]] = arith.subi %{{.*}} : i64
// CHECK: %[[LENGTH:.*]] = arith.select %{{.*}}, %{{.*}}, %[[ROWS]]
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[EIGHT]] step %c4_i64
// A square is turned when its first and its last row exist.
// CHECK:   %[[FIRST:.*]] = arith.addi %{{.*}}, %[[I]]
// CHECK:   %[[HAS_FIRST:.*]] = arith.cmpi ult, %[[FIRST]], %[[LENGTH]]
// CHECK:   %[[HAS_LAST:.*]] = arith.cmpi ult, %{{.*}}, %[[LENGTH]]
// CHECK:   %[[ALL:.*]] = arith.andi %[[HAS_FIRST]], %[[HAS_LAST]]
// CHECK:   scf.if %[[ALL]]
// CHECK:     scf.for
// CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK:       vector.shuffle %[[A:.*]], %[[B:.*]] [0, 4, 2, 6]
// CHECK-NEXT:  vector.shuffle %[[A]], %[[B]] [1, 5, 3, 7]
// CHECK-COUNT-6: vector.shuffle
// CHECK-NOT:   vector.shuffle
// CHECK-COUNT-4: llvm.store %{{.*}} {alignment = 4 : i64} : vector<4xf32>
// CHECK:   else
// CHECK:     scf.for
// CHECK:       %[[EXISTS:.*]] = arith.cmpi ult, %{{.*}}, %[[LENGTH]]
// CHECK:       scf.if %[[EXISTS]]
// CHECK:         llvm.load %{{.*}} -> f32
// CHECK:         llvm.store %{{.*}} : f32
// CHECK:       else
// CHECK:         llvm.store %{{.*}} : f32
// CHECK: %[[S:.*]] = vector.broadcast %{{.*}} : f32 to vector<4xf32>
// CHECK: scf.for %[[AT:.*]] = %{{.*}} to %{{.*}} step
// CHECK:   %[[FROM:.*]] = llvm.getelementptr %[[BUF:.*]][%[[AT]]]
// CHECK:   llvm.load %[[FROM]] {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK:   arith.mulf %{{.*}}, %[[S]]
// CHECK:   llvm.getelementptr %[[BUF]][%[[AT]]]
// CHECK: %[[COUNT:.*]] = arith.select %{{.*}}, %[[ZERO]], %{{.*}} : i64
// CHECK: arith.cmpi ult, %{{.*}}, %[[COUNT]]
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %t = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %s = tile.scale %t, %scale : tensor<8x8xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
