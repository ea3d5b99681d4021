// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// What a column has of its own is worked out once for all its vectors.

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 8, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @f.map(
// CHECK: scf.for
// CHECK: arith.divf %{{.*}}, %{{.*}} : f32
// CHECK: scf.for
// CHECK-NOT: arith.divf
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<8xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %c0 = arith.constant 0 : index
  %one = arith.constant 1.0 : f32
  %x = tile.load %q[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %own = tile.row %y[%c0] : tensor<8x8xf32> -> tensor<1x8xf32>
  %m = tile.map %x, %own at(%b, %h) from(%c0, %c0) {
  ^bb0(%e: f32, %c: f32, %bb: index, %hh: index, %i: index, %j: index):
    %inverse = arith.divf %one, %c : f32
    %r = arith.addf %e, %inverse : f32
    tile.yield %r : f32
  } : (tensor<8x8xf32>, tensor<1x8xf32>) -> tensor<8x8xf32>
  tile.store %m, %o[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
