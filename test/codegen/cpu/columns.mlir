// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu --split-input-file | FileCheck %s

// The sweep over columns: weights from known log-sum-exps, sums and maxima over the
// rows that exist, reduced over the lanes once per column or block.

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f(
// Outputs nobody wants have no keys and no rows.
// CHECK: llvm.icmp "eq"
// CHECK: arith.select
// CHECK: llvm.call @f.add_columns(
// CHECK: llvm.call @f.raise_blocks(
// CHECK: llvm.return
// CHECK: llvm.func internal @f.weights(
// CHECK: %[[EMPTY:.*]] = arith.cmpf oeq
// CHECK: scf.for
// CHECK:   arith.select %[[EMPTY]]
// CHECK: llvm.return
// CHECK: llvm.func internal @f.add_columns(
// CHECK: scf.for
// CHECK:   %[[EXISTS:.*]] = arith.cmpi ult
// CHECK:   scf.if %[[EXISTS]]
// CHECK:   scf.for
// CHECK:     arith.addf %{{.*}} : vector<4xf32>
// CHECK:   %[[SUM:.*]] = vector.reduction <add>
// CHECK:   %[[OLD:.*]] = llvm.load
// CHECK:   arith.addf %[[OLD]], %[[SUM]]
// CHECK: llvm.return
// CHECK: llvm.func internal @f.raise_blocks(
// CHECK: scf.for
// CHECK:   scf.for
// CHECK:     scf.for
// CHECK:       scf.for
// CHECK:         arith.cmpf ogt
// CHECK:     vector.reduction <maxnumf>
// CHECK:     llvm.store
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index,
    %source: index)
    attributes {tile.kernel = "columns", tile.entry = #f} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %rows = tile.dim position of %q : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%tile) of %n status(%partial) : tensor<8x16xi1>
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %l = tile.fill 2.0 : tensor<8xf32>
  %p = tile.weights %s, %l where %bits
    : tensor<8x16xf32>, tensor<8xf32>, tensor<8x16xi1>
  tile.add_columns %p rows %rows, %sums[%b, %h, %tile]
    : tensor<8x16xf32>, !attn.view<1xf32>
  tile.raise_blocks %p rows %rows, %blocks[%b, %h] at(%p0, %tile) by 5 x 3
    : tensor<8x16xf32>, !attn.view<1xf32>
  return
}

// -----

// The second source's outputs, for lists of tokens: the place of a key is read, and
// one that does not exist left out. Blocks may be raised by several tasks at once.

#f = #attn.entry<"f", @both, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// The number of the source comes before the workspace.
// CHECK: llvm.func hidden @f(%{{[^:]*}}: !llvm.ptr, %{{[^:]*}}: i64, %{{[^:]*}}: i64, %{{[^:]*}}: i64, %[[SOURCE:[^:]*]]: i64, %{{[^:]*}}: !llvm.ptr)
// CHECK: %[[IS:.*]] = arith.cmpi eq
// CHECK: scf.if %[[IS]]
// CHECK: llvm.func internal @f.add_columns(
// CHECK: scf.for
// CHECK:   %[[AT:.*]] = llvm.load {{.*}} -> i64
// CHECK:   %[[EXISTS:.*]] = arith.cmpi ult, %[[AT]]
// CHECK:   scf.if %[[EXISTS]]
// CHECK: llvm.return
// CHECK: llvm.func internal @f.raise_blocks(
// CHECK: scf.for
// CHECK:   %[[KEY:.*]] = llvm.load {{.*}} -> i64
// CHECK:   %[[COLUMN:.*]] = arith.divui %[[KEY]]
// CHECK:   scf.for
// CHECK:     arith.cmpf ogt, {{.*}} : vector<4xf32>
// CHECK:   scf.if
// CHECK:     scf.for
// CHECK:       scf.if
// CHECK:         llvm.load {{.*}} atomic monotonic {{.*}} -> i32
// CHECK:         scf.if
// CHECK:           llvm.atomicrmw umax {{.*}} monotonic
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>,
    %k1: !attn.view<8xf32>, %v1: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %sums1: !attn.view<1xf32>,
    %blocks1: !attn.view<1xf32>, %origin: index, %scale: f32, %H: index, %W: index,
    %source: index)
    attributes {tile.kernel = "columns", tile.entry = #f} {
  %one = arith.constant 1 : index
  %is = arith.cmpi eq, %source, %one : index
  scf.if %is {
    %queries = tile.positions at(%tile, %origin) of(%H, %W) box [2, 4] : tensor<8xindex>
    %keys = tile.positions at(%tile, %origin) of(%H, %W) box [4, 4] : tensor<16xindex>
    %p = tile.fill 1.0 : tensor<8x16xf32>
    tile.add_columns %p rows %H, %sums1[%b, %h, %keys : tensor<16xindex>]
      : tensor<8x16xf32>, !attn.view<1xf32>
    tile.raise_blocks %p rows %H, %blocks1[%b, %h]
      at(%queries : tensor<8xindex>, %keys : tensor<16xindex>) by 5 x 3
      : tensor<8x16xf32>, !attn.view<1xf32>
  }
  return
}
