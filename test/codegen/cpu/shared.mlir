// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A verb on tiles of the same sizes is one function, whoever calls it: two places
// of a kernel, or a kernel and the function that counts for it. Another formula or
// size makes another function, and a name that is taken is avoided.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func @f.scores()
llvm.func @f.scores()

// CHECK: llvm.func hidden @f(
// CHECK: llvm.call @f.bits(
// CHECK: llvm.call @f.scores_0(
// CHECK: llvm.call @f.bits_0(
// CHECK: llvm.call @f.scores_0(
// CHECK: llvm.call @f.scores_1(
// CHECK: llvm.return
// CHECK: llvm.func internal @f.bits(
// CHECK: llvm.func internal @f.scores_0(
// CHECK: llvm.func internal @f.bits_0(
// CHECK: llvm.func internal @f.scores_1(
// CHECK: llvm.func hidden @g(
// CHECK: llvm.call @f.bits(
// CHECK: llvm.return
// CHECK-NOT: llvm.func internal

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %partial = arith.constant 1 : i32
  %n = tile.dim position of %k : !attn.view<8xf32>
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %p0] : !attn.view<8xf32> -> tensor<16x8xf32>
  %z = tile.load %k[%b, %h, %p0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %c = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
  %s = tile.scores %x, %y : tensor<8x8xf32>, tensor<16x8xf32> -> tensor<8x16xf32>
  %w = tile.mask %s, %c : tensor<8x16xf32>, tensor<8x16xi1>
  %d = tile.bits #attn.formula<q - k in interval<1, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
  %s2 = tile.scores %x, %y : tensor<8x8xf32>, tensor<16x8xf32> -> tensor<8x16xf32>
  %w2 = tile.mask %s2, %d : tensor<8x16xf32>, tensor<8x16xi1>
  %s3 = tile.scores %x, %z : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.store %s3, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

func.func @g(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index,
    %exact: i1) -> (index, index, index)
    attributes {tile.kernel = "count", tile.entry = #entry} {
  %partial = arith.constant 1 : i32
  %n = tile.dim position of %k : !attn.view<8xf32>
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
  %c = tile.count %bits rows %n : tensor<8x16xi1>
  return %n, %n, %c : index, index, index
}
