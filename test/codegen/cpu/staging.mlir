// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Rows of keys that are not f32 are widened into the workspace first, in a
// function that k and v share where they are of one size; a row that does not
// exist becomes zeros there, and the product no longer clamps. Without
// instructions for f16 integer arithmetic does it.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK-LABEL: llvm.func hidden @f(
// Room for the staged rows of keys: 16 x 8 x 4 bytes, and of values.
// CHECK-SAME: tile.workspace = 2048
// CHECK: llvm.call @f.stage(
// CHECK: llvm.call @f.scores(
// CHECK: llvm.call @f.stage(
// CHECK: llvm.call @f.accumulate(
// CHECK: llvm.return
// CHECK: llvm.func internal @f.stage(
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult
// CHECK: scf.if %[[EXISTS]]
// CHECK-NOT: fpext
// CHECK:   %[[HALF:.*]] = llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<4xi16>
// CHECK:   %[[WIDE:.*]] = arith.extui %[[HALF]] : vector<4xi16> to vector<4xi32>
// CHECK:   arith.subf
// CHECK:   arith.bitcast %{{.*}} : vector<4xi32> to vector<4xf32>
// CHECK-NOT: fpext
// CHECK: } else {
// CHECK: llvm.func internal @f.scores(
// CHECK-NOT: arith.minsi
// CHECK: scf.for {{.*}} iter_args(
// CHECK: arith.minsi
// CHECK: llvm.intr.prefetch
// CHECK-NOT: arith.minsi
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf16>, %v: !attn.view<8xf16>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<8xf16> -> tensor<16x8xf32>
  %s = tile.scores %x, %y : tensor<8x8xf32>, tensor<16x8xf32> -> tensor<8x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xf16> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<8x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<8x8xf32>, tensor<8x16xf32>, tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// bf16 is the upper half of an f32. A result is rounded to nearest even.
// CHECK-LABEL: llvm.func hidden @brain(
// CHECK: llvm.call @brain.stage(
// CHECK: llvm.call @brain.rows_out(
// CHECK: llvm.return
// CHECK: llvm.func internal @brain.stage(
// CHECK: arith.extui %{{.*}} : vector<4xi16> to vector<4xi32>
// CHECK-NEXT: arith.shli
// CHECK-NEXT: arith.bitcast
// CHECK: llvm.func internal @brain.rows_out(
// CHECK: arith.cmpf uno
// CHECK: %[[ROUNDED:.*]] = arith.trunci %{{.*}} : i32 to i16
// CHECK: llvm.store %[[ROUNDED]], %{{.*}} {alignment = 2 : i64} : i16

#brain = #attn.entry<"brain", @any, "cpu-baseline", qk = 8, v = 8,
  types = bf16 to bf16, <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

func.func @brain(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<8xbf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #brain} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<8xbf16> -> tensor<8x8xf32>
  %s = tile.scores %x, %y : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xbf16>
  return
}
