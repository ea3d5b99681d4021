// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// Loops and branches carry tiles as the registers of a thread: eight of a 16 x 16
// tile, two of the statistics of its rows.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>

// CHECK-LABEL: llvm.func @carried
// CHECK: scf.for {{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32, f32, f32, index)
// CHECK-COUNT-8: arith.mulf
// CHECK: scf.while {{.*}} : (index, f32, f32) -> (f32, f32)
// CHECK: scf.if %{{.*}} -> (f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK: llvm.return
func.func @carried(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %t = tile.fill 1.0 : tensor<16x16xf32>
  %m = tile.fill 2.0 : tensor<16xf32>
  %r:3 = scf.for %i = %c0 to %p0 step %c1 iter_args(%x = %t, %l = %m, %n = %c0)
      -> (tensor<16x16xf32>, tensor<16xf32>, index) {
    %y = tile.scale %x, %scale : tensor<16x16xf32>
    %n1 = arith.addi %n, %i : index
    scf.yield %y, %l, %n1 : tensor<16x16xf32>, tensor<16xf32>, index
  }
  %w = scf.while (%i = %c0, %l = %r#1) : (index, tensor<16xf32>) -> tensor<16xf32> {
    %more = arith.cmpi slt, %i, %p0 : index
    scf.condition(%more) %l : tensor<16xf32>
  } do {
  ^bb0(%l: tensor<16xf32>):
    %y = tile.scale %l, %scale : tensor<16xf32>
    scf.yield %p0, %y : index, tensor<16xf32>
  }
  %is = arith.cmpi slt, %r#2, %p0 : index
  %z = scf.if %is -> tensor<16x16xf32> {
    scf.yield %r#0 : tensor<16x16xf32>
  } else {
    scf.yield %t : tensor<16x16xf32>
  }
  %s = tile.rescale %z, %w : tensor<16x16xf32>, tensor<16xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}
