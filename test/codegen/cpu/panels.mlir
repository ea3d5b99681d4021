// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Products copy rows that are not f32 themselves: `scores` the first 4 rows before
// it begins, then four vectors of the next 4 rows before every 8 of 16 steps;
// `accumulate` 4 columns of all rows before and the next 4 between. Where there is
// no next panel nothing is copied. A row that does not exist is the last one.

#entry = #attn.entry<"f", @any, "cpu-avx2", qk = 16, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 1>>

// CHECK-LABEL: llvm.func hidden @f(
// CHECK-NOT: @f.stage(
// CHECK: llvm.call @f.scores(
// CHECK: llvm.call @f.accumulate(
// CHECK: llvm.return

// CHECK-LABEL: llvm.func internal @f.scores(
// CHECK: arith.minsi
// CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<4xi16>
// CHECK: scf.for {{.*}} iter_args(
// CHECK: %[[MORE:.*]] = arith.cmpi ult, %{{.*}}, %c4_i64
// CHECK: %[[PART:.*]] = arith.cmpi ult, %{{.*}}, %c16_i64
// CHECK: %[[BOTH:.*]] = arith.andi %[[MORE]], %[[PART]]
// CHECK: scf.if %[[BOTH]]
// CHECK: arith.minsi
// CHECK: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<4xi16>
// CHECK: llvm.store %{{.*}} {alignment = 4 : i64} : vector<4xf32>
// CHECK: scf.for {{.*}} iter_args(
// CHECK-NOT: vector<4xi16>
// CHECK: llvm.return

// CHECK-LABEL: llvm.func internal @f.accumulate(
// CHECK: vector<4xi16>
// CHECK: scf.for {{.*}} iter_args(
// CHECK: arith.cmpi ult, %{{.*}}, %c2_i64
// CHECK: scf.if
// CHECK: vector<4xi16>
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<16xf32>,
    %k: !attn.view<16xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<16xf32> -> tensor<8x16xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<16xbf16> -> tensor<16x16xf32>
  %s = tile.scores %x, %y : tensor<8x16xf32>, tensor<16x16xf32> -> tensor<8x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xbf16> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<8x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<8x8xf32>, tensor<8x16xf32>, tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// A tile that more than one verb wants is copied as a whole.
// CHECK-LABEL: llvm.func hidden @twice(
// CHECK: llvm.call @twice.stage(
// CHECK: llvm.call @twice.scores(

#twice = #attn.entry<"twice", @any, "cpu-avx2", qk = 16, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 1>>

func.func @twice(%b: index, %h: index, %tile: index, %q: !attn.view<16xf32>,
    %k: !attn.view<16xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #twice} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<16xf32> -> tensor<8x16xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<16xbf16> -> tensor<16x16xf32>
  %s = tile.scores %x, %y : tensor<8x16xf32>, tensor<16x16xf32> -> tensor<8x16xf32>
  %t = tile.scores %x, %y : tensor<8x16xf32>, tensor<16x16xf32> -> tensor<8x16xf32>
  %sum = arith.addf %s, %t : tensor<8x16xf32>
  tile.store %sum, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// Where steps are unrolled, those along the rows of keys are not: LLVM would load
// all of their elements before the first product, and spill sums.
// CHECK-LABEL: llvm.func internal @steps.scores(
// CHECK: scf.for {{.*}} to %c2_i64 step %c1_i64 iter_args(
// CHECK: scf.for {{.*}} to %c8_i64 step %c1_i64 iter_args(
// CHECK-LABEL: llvm.func internal @steps.accumulate(
// CHECK: scf.for {{.*}} to %c2_i64 step %c1_i64 iter_args(
// CHECK: scf.for {{.*}} to %c8_i64 step %c2_i64 iter_args(

#steps = #attn.entry<"steps", @any, "cpu-avx2", qk = 16, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

func.func @steps(%b: index, %h: index, %tile: index, %q: !attn.view<16xf32>,
    %k: !attn.view<16xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #steps} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<16xf32> -> tensor<8x16xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<16xbf16> -> tensor<16x16xf32>
  %s = tile.scores %x, %y : tensor<8x16xf32>, tensor<16x16xf32> -> tensor<8x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xbf16> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<8x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<8x8xf32>, tensor<8x16xf32>, tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
