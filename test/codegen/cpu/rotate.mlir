// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Rows are rotated on the way from memory: one copy, for queries too, which are
// transposed from there. Where the rows of a table are not contiguous, those of
// one position are copied first.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK-LABEL: llvm.func hidden @f(
// CHECK: llvm.call @f.stage(
// CHECK-NOT: llvm.call @f.stage
// CHECK: llvm.call @f.rows_in(
// CHECK: llvm.call @f.stage_0(
// CHECK-NOT: llvm.call @f.stage
// CHECK: llvm.call @f.scores(
// CHECK: llvm.return
// CHECK: llvm.func internal @f.stage(
// CHECK: %[[STEP:.*]] = arith.cmpi eq
// CHECK: scf.if %[[STEP]]
// CHECK: } else {
// CHECK:   scf.for
// CHECK: %[[ROW:.*]] = arith.select %[[STEP]], %{{.*}} : !llvm.ptr
// CHECK-COUNT-4: arith.mulf %{{.*}} : vector<4xf32>

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf16>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32,
    %cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %u = tile.rotate %x at %tile : index by(%cos, %sin)
    : tensor<8x8xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  %w = tile.scale %u, %scale : tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<8xf16> -> tensor<8x8xf32>
  %z = tile.rotate %y at %origin : index by(%cos, %sin)
    : tensor<8x8xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  %s = tile.scores %w, %z : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
