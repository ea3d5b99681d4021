// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Membership in a run-time set. Where the value moves by one from lane to lane, the
// bits of the row are a mask word as they lie; otherwise every lane fetches a word
// of its own. What the key has no part in is read before the loop over the keys.

#near = #attn.entry<"near", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#mirror = #attn.entry<"mirror", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#rows = #attn.entry<"rows", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#column = #attn.entry<"column", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @near.bits(
// The row of the set, once.
// CHECK: llvm.load %{{.*}} invariant {alignment = 8 : i64} : !llvm.ptr -> i64
// CHECK: scf.for
// CHECK-NOT: llvm.intr.masked.gather
// CHECK:     %[[FROM:.*]] = arith.subi %{{.*}}, %{{.*}} : i64
// CHECK:     arith.shrsi %[[FROM]]
// CHECK:     %[[BITS:.*]] = llvm.intr.fshr(%{{.*}}, %{{.*}}, %[[FROM]])
// CHECK:     %[[LANES:.*]] = arith.trunci %[[BITS]] : i64 to i4
// CHECK:     llvm.bitcast %[[LANES]] : i4 to vector<4xi1>
// CHECK: llvm.return

func.func @near(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #near} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in p1[b, h]>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial)
    params(%p0, %p1 : index, !attn.set) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// Downwards: the bits turned round.
// CHECK: llvm.func internal @mirror.bits(
// CHECK: %[[LANES:.*]] = arith.trunci %{{.*}} : i64 to i4
// CHECK: %[[TURNED:.*]] = llvm.intr.bitreverse(%[[LANES]])
// CHECK: llvm.bitcast %[[TURNED]] : i4 to vector<4xi1>
// CHECK: llvm.return

func.func @mirror(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #mirror} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<k - q in p1[b, h]>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial)
    params(%p0, %p1 : index, !attn.set) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// A row of the set per query: words are gathered for every key, row numbers are
// not. A value that no query has a part in is one answer for all of them.
// CHECK: llvm.func internal @rows.bits(
// CHECK: arith.shrsi %{{.*}} : vector<4xi64>
// CHECK: scf.for
// CHECK:   llvm.intr.masked.gather
// CHECK: llvm.return

func.func @rows(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #rows} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<k in p1[b, h, q floordiv 4]>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial)
    params(%p0, %p1 : index, !attn.set) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// CHECK: llvm.func internal @column.bits(
// CHECK: scf.for
// CHECK-NOT: vector<
// CHECK:     %[[WORD:.*]] = llvm.load %{{.*}} invariant {alignment = 8 : i64} : !llvm.ptr -> i64
// CHECK:     arith.shrui %[[WORD]]
// CHECK:     arith.select %{{.*}} : i8
// CHECK: llvm.return

func.func @column(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #column} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<k in p1[b, h]>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial)
    params(%p0, %p1 : index, !attn.set) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}
