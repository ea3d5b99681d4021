// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// Boxes of a token grid: a row of a tile is a place in a box, a token where that is
// on the grid. Rows without a token are filled with zeros and never stored.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>

// CHECK-LABEL: llvm.func @box
// CHECK: %[[NONE:.*]] = arith.constant -1 : i64
// CHECK-NOT: nvvm.barrier0
// CHECK: arith.divui %{{.*}} : i32
// CHECK: arith.remui %{{.*}} : i32
// CHECK: %[[IN:.*]] = arith.cmpi ult
// CHECK: arith.cmpi ult
// CHECK: %[[TOKEN:.*]] = arith.select %{{.*}}, %{{.*}}, %[[NONE]] : i64
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.mma.sync
// CHECK: arith.select %{{.*}}, %{{.*}}, %[[NONE]] : i64
// CHECK: llvm.store
// CHECK: llvm.return
func.func @box(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %y: index, %x: index, %n: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %p = tile.positions at(%y, %x) of(%n, %n) box [4, 4] : tensor<16xindex>
  %r = tile.load %q[%b, %h, %p : tensor<16xindex>]
    : !attn.view<16xf16> -> tensor<16x16xf32>
  %c = tile.load %k[%b, %h, %p : tensor<16xindex>]
    : !attn.view<16xf16> -> tensor<16x16xf32>
  %s = tile.scores %r, %c : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %s, %o[%b, %h, %p : tensor<16xindex>]
    : tensor<16x16xf32>, !attn.view<16xf16>
  return
}

// The walk over the boxes of the keys: the next box of a row while the row lasts,
// else the first box of the next row; nothing at all on a grid without keys.
// CHECK-LABEL: llvm.func @walk
// CHECK: nv.ring free at 512 : <stages = 1, slots = [512], tile = [i64, i64, i32]>
// CHECK: arith.cmpi sle
// CHECK: nv.pipeline %{{.*}} state(%{{.*}} : i64, i64, i64, i32)
// CHECK: scf.while
// CHECK: %[[DONE:.*]] = arith.cmpi sge
// CHECK: scf.if %[[DONE]] -> (i64, i64, i64, i32)
// CHECK: nv.produced
// CHECK: } consume {
// CHECK: llvm.return
func.func @walk(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %height: index, %width: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %n = tile.dim position of %k : !attn.view<16xf16>
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  %s0 = tile.fill 0.0 : tensor<16x16xf32>
  %tiles = attn.tiles #attn.formula<all(q1 - k1 in interval<-3, 4>, q - k in interval<-3, 4>)>
    at(%b, %h, %tile, %tile) keys(%n) params(%height, %width : index, index)
    tile 16 x 16 boxes [4, 4] [4, 4] of [0, 1]
  %r = tile.foreach %tiles init(%s0 : tensor<16x16xf32>) {
  ^bb0(%y: index, %x: index, %status: i32, %sum: tensor<16x16xf32>):
    %p = tile.positions at(%y, %x) of(%height, %width) box [4, 4] : tensor<16xindex>
    %keys = tile.load %k[%b, %h, %p : tensor<16xindex>]
      : !attn.view<16xf16> -> tensor<16x16xf32>
    %s = tile.scores %rows, %keys
      : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
    %t = arith.addf %sum, %s : tensor<16x16xf32>
    tile.yield %t : tensor<16x16xf32>
  }
  tile.store %r, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}
