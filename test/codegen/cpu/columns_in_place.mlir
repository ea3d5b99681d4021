// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Rows that all exist are columns of the transposed tile: a map and a sum of values
// take them where they lie, and nothing is clamped. Where some may not exist the sum
// has a copy, and the map a clamp.

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 8, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @whole(
// CHECK-NOT: arith.minsi
// CHECK-NOT: .stage(
// CHECK: llvm.call @whole.map(
// CHECK-NOT: .stage(
// CHECK: llvm.call @whole.accumulate(
// CHECK: llvm.return
// CHECK: llvm.func internal @whole.map(
// CHECK-NOT: arith.minsi
// CHECK: llvm.return
// CHECK: llvm.func internal @whole.map_0(
// CHECK: arith.minsi
// CHECK: llvm.return

func.func @whole(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<8xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %c0 = arith.constant 0 : index
  %y = tile.load %k[%b, %h, %c0] {tile.all_exist} : !attn.view<8xf32> -> tensor<8x8xf32>
  %u = tile.load %v[%b, %h, %c0] {tile.all_exist} : !attn.view<8xf32> -> tensor<8x8xf32>
  %yt = tile.transpose %y : tensor<8x8xf32> -> tensor<8x8xf32>
  %ut = tile.transpose %u : tensor<8x8xf32> -> tensor<8x8xf32>
  %m = tile.map %yt at(%b, %h) from(%c0, %c0) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %z = arith.addf %x, %x : f32
    tile.yield %z : f32
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %phi = tile.transpose %m : tensor<8x8xf32> -> tensor<8x8xf32>
  %s = tile.fill 1.0 : tensor<8x8xf32>
  %s2 = tile.accumulate %s, %ut, %phi
    : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
  tile.store %s2, %o[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// CHECK: llvm.func hidden @partial(
// CHECK: llvm.call @whole.stage(
// CHECK: llvm.call @whole.map_0(
// CHECK: llvm.call @whole.accumulate_0(
// CHECK: llvm.return

func.func @partial(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<8xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %c0 = arith.constant 0 : index
  %y = tile.load %k[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %u = tile.load %v[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %yt = tile.transpose %y : tensor<8x8xf32> -> tensor<8x8xf32>
  %ut = tile.transpose %u : tensor<8x8xf32> -> tensor<8x8xf32>
  %m = tile.map %yt at(%b, %h) from(%c0, %c0) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %z = arith.addf %x, %x : f32
    tile.yield %z : f32
  } : (tensor<8x8xf32>) -> tensor<8x8xf32>
  %phi = tile.transpose %m : tensor<8x8xf32> -> tensor<8x8xf32>
  %s = tile.fill 1.0 : tensor<8x8xf32>
  %s2 = tile.accumulate %s, %ut, %phi
    : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
  tile.store %s2, %o[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
