// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Tiles of a token grid, and tiles of listed keys. A vector that stays in a row of
// the query box shares the outer coordinate; otherwise both are vectors, by shifts
// or by a multiplication, never by a division. What a formula says about one axis
// of the keys is asked once per coordinate there.

#in_row = #attn.entry<"in_row", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#either = #attn.entry<"either", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#sum = #attn.entry<"sum", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#across = #attn.entry<"across", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#listed = #attn.entry<"listed", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @in_row.bits(
// CHECK-NOT: arith.div
// CHECK:   %[[ROW:.*]] = arith.shrui %{{.*}} : i64
// CHECK:   arith.subi
// CHECK:   arith.addi %[[ROW]], %{{.*}} : i64
// The rows of the box, which a row of queries has one answer about, for the four
// keys of each.
// CHECK:   scf.for
// CHECK-NOT: vector<
// CHECK:     %[[WORD:.*]] = arith.select %{{.*}}, %c15_i8, %c0_i8 : i8
// CHECK-COUNT-4: llvm.store %[[WORD]], %{{.*}} : i8
// Its columns. Whether a key exists is for the formula to say.
// CHECK:   scf.for
// CHECK:     scf.for
// CHECK-NOT: arith.select
// CHECK:     llvm.store %{{.*}} : i8
// Both, for all keys of a row at once.
// CHECK:   scf.for
// CHECK-NOT: vector<
// CHECK:     arith.andi %{{.*}} : i64
// CHECK:     llvm.store %{{.*}} : i64
// CHECK: llvm.return

func.func @in_row(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #in_row} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<all(q1 - k1 in interval<0, 1>, q - k in interval<-1, 2>)>
    at(%b, %h) queries(%origin, %tile) keys(%p0, %h) of %n status(%partial)
    params(%p0 : index) boxes [1, 8] [4, 4] : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// Three parts: rows and columns that go together, and columns on their own.
// CHECK: llvm.func internal @either.bits(
// CHECK-COUNT-6: scf.for
// CHECK:   scf.for
// CHECK:     %[[BOTH:.*]] = arith.andi %{{.*}} : i64
// CHECK:     %[[EITHER:.*]] = arith.ori %{{.*}} : i64
// CHECK:     llvm.store %[[EITHER]], %{{.*}} : i64
// CHECK: llvm.return

func.func @either(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #either} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<any(all(q1 - k1 in interval<0, 1>, q - k in interval<-1, 2>), k in interval<-inf, 1>)>
    at(%b, %h) queries(%origin, %tile) keys(%p0, %h) of %n status(%partial)
    params(%p0 : index) boxes [1, 8] [4, 4] : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// What looks at both axes is asked for every key.
// CHECK: llvm.func internal @sum.bits(
// CHECK: scf.for %{{.*}} to %c16_i64
// CHECK:   arith.cmpi {{.*}} : vector<4xi64>
// CHECK:   llvm.store %{{.*}} : i8
// CHECK-NOT: scf.for
// CHECK: llvm.return

func.func @sum(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #sum} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<all(q1 - k1 + q - k in interval<0, 2>, k in interval<0, 3>)>
    at(%b, %h) queries(%origin, %tile) keys(%p0, %h) of %n status(%partial)
    params(%p0 : index) boxes [1, 8] [4, 4] : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// CHECK: llvm.func internal @across.bits(
// CHECK-NOT: arith.div
// CHECK:   %[[PRODUCT:.*]] = arith.muli %{{.*}} : vector<4xi64>
// CHECK:   arith.shrui %[[PRODUCT]], %{{.*}} : vector<4xi64>
// CHECK:   scf.for
// CHECK: llvm.return

func.func @across(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #across} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q1 - k1 in interval<0, 1>>
    at(%b, %h) queries(%origin, %tile) keys(%p0, %h) of %n status(%partial)
    params(%p0 : index) boxes [3, 3] [4, 4] : tensor<9x16xi1>
  %s = tile.fill 0.0 : tensor<9x16xf32>
  %w = tile.mask %s, %bits : tensor<9x16xf32>, tensor<9x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<9x16xf32>, !attn.view<16xf32>
  return
}

// No key at all, -1, is beyond the last one.
// CHECK: llvm.func internal @listed.bits(
// CHECK:   scf.for
// CHECK:     %[[KEY:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i64
// CHECK:     arith.cmpi ult, %[[KEY]], %{{.*}} : i64
// CHECK: llvm.return

func.func @listed(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #listed} {
  %end = tile.dim position of %k : !attn.view<8xf32>
  %keys, %cursor = tile.collect %p1[%b] from %p0 below %end tile 16 {
  ^bb0(%k0: index):
    %true = arith.constant true
    tile.yield %true, %end : i1, index
  } : tensor<16xindex>
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) listed(%keys : tensor<16xindex>) of %n status(%partial)
    params(%p0, %p1 : index, !attn.set) : tensor<8x16xi1>
  %s = tile.fill 0.0 : tensor<8x16xf32>
  %w = tile.mask %s, %bits : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}
