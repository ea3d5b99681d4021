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
// CHECK: %[[PLAIN:.*]] = llvm.icmp "eq"
// CHECK: %[[AT:.*]] = arith.select %[[PLAIN]], %[[ARGS]], %{{.*}} : !llvm.ptr
// CHECK: llvm.load %[[AT]]
// CHECK: arith.select %[[PLAIN]]
// CHECK: %[[ROWS:.*]] = arith.subi %{{.*}} : i64
// CHECK: %[[LENGTH:.*]] = arith.select %{{.*}}, %{{.*}}, %[[ROWS]]
// CHECK: llvm.call @f.rows_in(%{{[^,]*}}, %{{[^,]*}}, %[[LENGTH]], %{{[^,]*}}, %[[WS]])
// CHECK: llvm.call @f.scale(%[[WS]], %{{[^,]*}}, %[[WS]])
// CHECK: %[[COUNT:.*]] = arith.select %{{.*}}, %[[ZERO]], %{{.*}} : i64
// CHECK: llvm.call @f.rows_out(%{{[^,]*}}, %{{[^,]*}}, %[[COUNT]], %{{[^,]*}}, %[[WS]])
// CHECK: llvm.return
// CHECK: llvm.func internal @f.rows_in(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: i64, %[[NUM:[^:]*]]: i64, %[[ROW0:[^:]*]]: i64, %{{[^:]*}}: !llvm.ptr)
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : i64
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[EIGHT]] step %c4_i64
// A square is turned when its first and its last row exist.
// CHECK:   %[[FIRST:.*]] = arith.addi %[[ROW0]], %[[I]]
// CHECK:   %[[HAS_FIRST:.*]] = arith.cmpi ult, %[[FIRST]], %[[NUM]]
// CHECK:   %[[HAS_LAST:.*]] = arith.cmpi ult, %{{.*}}, %[[NUM]]
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
// CHECK:       %[[EXISTS:.*]] = arith.cmpi ult, %{{.*}}, %[[NUM]]
// CHECK:       scf.if %[[EXISTS]]
// CHECK:         llvm.load %{{.*}} -> f32
// CHECK:         llvm.store %{{.*}} : f32
// CHECK:       else
// CHECK:         llvm.store %{{.*}} : f32
// CHECK: llvm.return
// CHECK: llvm.func internal @f.scale(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: f32, %[[TO:[^:]*]]: !llvm.ptr)
// CHECK: %[[S:.*]] = vector.broadcast %{{.*}} : f32 to vector<4xf32>
// CHECK: scf.for %[[AT:.*]] = %{{.*}} to %{{.*}} step
// CHECK:   %[[FROM:.*]] = llvm.getelementptr %[[BUF:.*]][%[[AT]]]
// CHECK:   llvm.load %[[FROM]] {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK:   arith.mulf %{{.*}}, %[[S]]
// CHECK:   llvm.getelementptr %[[TO]][%[[AT]]]
// Nothing is stored where no row exists.
// CHECK: llvm.func internal @f.rows_out(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: i64, %[[NUM2:[^:]*]]: i64,
// CHECK: arith.cmpi ult, %{{.*}}, %[[NUM2]]
// CHECK-COUNT-8: vector.shuffle
// CHECK: else
// CHECK: arith.cmpi ult, %{{.*}}, %[[NUM2]]
// CHECK: scf.if
// CHECK: llvm.store %{{.*}} : f32
// CHECK-NOT: llvm.store
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
