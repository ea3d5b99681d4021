// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Tiles leave the values a loop carries: only the index is left, and each
// iteration finds and leaves the tile in the same place. Where the yielded tiles
// change places, they are moved by way of a third.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK-LABEL: llvm.func hidden @in_place
// CHECK-SAME: tile.workspace = 256 : i64
// CHECK: scf.for
// CHECK: scf.for %{{.*}} iter_args(%{{.*}} = %{{.*}}) -> (index)
// CHECK: arith.mulf
// CHECK-NOT: tensor
// CHECK: llvm.return

func.func @in_place(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tile.fill 1.0 : tensor<8x8xf32>
  %r:2 = scf.for %i = %c0 to %p0 step %c1 iter_args(%x = %t, %n = %c0)
      -> (tensor<8x8xf32>, index) {
    %y = tile.scale %x, %scale : tensor<8x8xf32>
    %n1 = arith.addi %n, %i : index
    scf.yield %y, %n1 : tensor<8x8xf32>, index
  }
  tile.store %r#0, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// CHECK-LABEL: llvm.func hidden @swapped
// Two tiles and both of the copies put aside.
// CHECK-SAME: tile.workspace = 1024 : i64

func.func @swapped(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tile.fill 1.0 : tensor<8x8xf32>
  %u = tile.fill 2.0 : tensor<8x8xf32>
  %r:2 = scf.for %i = %c0 to %p0 step %c1 iter_args(%x = %t, %y = %u)
      -> (tensor<8x8xf32>, tensor<8x8xf32>) {
    scf.yield %y, %x : tensor<8x8xf32>, tensor<8x8xf32>
  }
  tile.store %r#0, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// A tile that is used again keeps its value: the result goes elsewhere.
// CHECK-LABEL: llvm.func hidden @still_used
// CHECK-SAME: tile.workspace = 512 : i64

func.func @still_used(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %t = tile.fill 1.0 : tensor<8x8xf32>
  %s = tile.scale %t, %scale : tensor<8x8xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  tile.store %t, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
