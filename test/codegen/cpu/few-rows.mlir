// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A task of packed code has as many rows as a group has heads, which it finds
// out when it runs. With few of them the features lie along the lanes: sums stay
// rows until the end, and what is not f32 is widened in registers, without the
// copy that the other code makes.

#entry = #attn.entry<"few", @any, "cpu-baseline", qk = 10, v = 8, types = bf16 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 16, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @few(
// CHECK: %[[FEW:.*]] = arith.cmpi sle, %{{.*}}, %c2_i64
// Rows of the queries, for few.
// CHECK: scf.if %[[FEW]]
// CHECK: scf.for
// CHECK-NOT: llvm.call
// CHECK: scf.if %[[FEW]] {
// CHECK: llvm.call @few.row_scores(
// CHECK: } else {
// CHECK: llvm.call @few.stage(
// CHECK: llvm.call @few.scores(
// CHECK: scf.if %[[FEW]] {
// CHECK: llvm.call @few.row_sums(
// CHECK: } else {
// CHECK: llvm.call @few.stage
// CHECK: llvm.call @few.accumulate(
// The sums are turned, once.
// CHECK: scf.if %[[FEW]]
// CHECK: llvm.call @few.rows_out(
// CHECK: llvm.return

// Two whole vectors of a key's ten features, then the rest with zeros.
// CHECK-LABEL: llvm.func internal @few.row_scores(
// CHECK: scf.for
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK: llvm.load {{.*}} -> vector<2xi16>
// CHECK: vector.shuffle {{.*}} [0, 1, 2, 2]
// CHECK: llvm.return

// CHECK-LABEL: llvm.func internal @few.row_sums(
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK-NOT: vector.shuffle
// CHECK: llvm.return

func.func @few(%b: index, %h: index, %tile: index, %q: !attn.view<10xbf16>,
    %k: !attn.view<10xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<10xbf16> -> tensor<4x10xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<10xbf16> -> tensor<16x10xf32>
  %s = tile.scores %x, %y : tensor<4x10xf32>, tensor<16x10xf32> -> tensor<4x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xbf16> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<4x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<4x8xf32>, tensor<4x16xf32>, tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<4x8xf32>, !attn.view<8xf32>
  return
}

// What is done to the sums on the way must not depend on how they lie: this
// kernel scales them, and has one code only.

#scaled = #attn.entry<"scaled", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 16, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @scaled(
// CHECK-NOT: row_scores
// CHECK: llvm.call @scaled.scores(
// CHECK: llvm.call @scaled.accumulate(
// CHECK: llvm.return
func.func @scaled(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #scaled} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<4x8xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<8xf32> -> tensor<16x8xf32>
  %s = tile.scores %x, %y : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xf32> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<4x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<4x8xf32>, tensor<4x16xf32>, tensor<16x8xf32>
  %t = tile.scale %r, %scale : tensor<4x8xf32>
  tile.store %t, %o[%b, %h, %tile] : tensor<4x8xf32>, !attn.view<8xf32>
  return
}
