// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Query rows are read clamped to the view and stored transposed, scaled in
// place, and written back as far as rows exist and somebody wants them.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f(%[[ARGS:.*]]: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: i64, %[[WS:.*]]: !llvm.ptr)
// CHECK-SAME: tile.features = ""
// CHECK-SAME: tile.workspace = 256 : i64
// CHECK-DAG: %[[EIGHT:.*]] = arith.constant 8 : i64
// An empty view reads nothing.
// CHECK: %[[NONE:.*]] = arith.cmpi sle
// CHECK: %[[ROWS:.*]] = arith.select %[[NONE]], %{{.*}}, %[[EIGHT]]
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[ROWS]]
// CHECK:   arith.minsi %[[I]], %{{.*}} : i64
// CHECK:   scf.for
// CHECK:     llvm.load %{{.*}} -> f32
// CHECK:     llvm.store %{{.*}} : f32
// CHECK: %[[S:.*]] = vector.broadcast %{{.*}} : f32 to vector<4xf32>
// CHECK: scf.for %[[AT:.*]] = %{{.*}} to %{{.*}} step
// CHECK:   %[[FROM:.*]] = llvm.getelementptr %[[BUF:.*]][%[[AT]]]
// CHECK:   llvm.load %[[FROM]] {alignment = 16 : i64} : !llvm.ptr -> vector<4xf32>
// CHECK:   arith.mulf %{{.*}}, %[[S]]
// CHECK:   llvm.getelementptr %[[BUF]][%[[AT]]]
// CHECK: %[[NODATA:.*]] = llvm.icmp "eq"
// CHECK: %[[COUNT:.*]] = arith.select %[[NODATA]], %{{.*}}
// CHECK: scf.for %{{.*}} = %{{.*}} to %[[COUNT]]
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %t = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %s = tile.scale %t, %scale : tensor<8x8xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
