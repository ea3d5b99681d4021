// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A step with masks: rows are clamped to the keys that exist, the words are
// made once and used by the mask and the product, where a pair that is not kept
// takes no part.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f
// CHECK: llvm.call @f.bits(
// CHECK: llvm.call @f.scores(
// CHECK: llvm.call @f.mask(
// CHECK: llvm.call @f.softmax_step(
// CHECK: llvm.call @f.accumulate(
// CHECK: llvm.return

// The words: one byte for four queries.
// CHECK: llvm.func internal @f.bits(
// CHECK: scf.for
// CHECK:   arith.cmpi slt
// CHECK:   %[[PACKED:.*]] = llvm.bitcast %{{.*}} : vector<4xi1> to i4
// CHECK:   %[[WORD:.*]] = arith.extui %[[PACKED]] : i4 to i8
// CHECK:   %[[KEPT:.*]] = arith.select %{{.*}}, %[[WORD]]
// CHECK:   llvm.store %[[KEPT]], %{{.*}} : i8
// Scores.
// CHECK: llvm.func internal @f.scores(
// CHECK: arith.minsi
// CHECK-COUNT-16: llvm.intr.fmuladd
// The mask.
// CHECK: llvm.func internal @f.mask(
// CHECK: llvm.load %{{.*}} -> i8
// CHECK: arith.trunci
// CHECK: %[[BITS:.*]] = llvm.bitcast %{{.*}} : i4 to vector<4xi1>
// CHECK: arith.select %[[BITS]]
// The product: a sum changes only under its bit.
// CHECK: llvm.func internal @f.accumulate(
// CHECK: %[[BITS2:.*]] = llvm.bitcast %{{.*}} : i4 to vector<4xi1>
// CHECK: arith.minsi
// CHECK: %[[NEXT:[0-9]+]] = llvm.intr.fmuladd(%{{.*}}, %{{.*}}, %[[SUM:[a-z0-9]+]])
// CHECK: arith.select %{{.*}}, %[[NEXT]], %[[SUM]]
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %p0] : !attn.view<8xf32> -> tensor<16x8xf32>
  %z = tile.load %v[%b, %h, %p0] : !attn.view<8xf32> -> tensor<16x8xf32>
  %n = tile.dim position of %k : !attn.view<8xf32>
  %m = tile.fill 0xFF800000 : tensor<8xf32>
  %l = tile.fill 0.0 : tensor<8xf32>
  %a = tile.fill 0.0 : tensor<8x8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
  %s = tile.scores %x, %y : tensor<8x8xf32>, tensor<16x8xf32> -> tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  %p, %m1, %l1, %alpha = tile.softmax_step %w, %m, %l
    : tensor<8x16xf32>, tensor<8xf32>
  %a1 = tile.rescale %a, %alpha : tensor<8x8xf32>, tensor<8xf32>
  %a2 = tile.accumulate %a1, %p, %z where %bits
    : tensor<8x8xf32>, tensor<8x16xf32>, tensor<16x8xf32>, tensor<8x16xi1>
  %r, %e = tile.finish %a2, %m1, %l1 : tensor<8x8xf32>, tensor<8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  tile.store %e, %lse[%b, %h, %tile] : tensor<8xf32>, !attn.view<1xf32>
  return
}
