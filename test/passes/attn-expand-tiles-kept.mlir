// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A target that takes loops over live tiles as they are has them in the kernels
// that visit the tiles, not in those that count and check.
//
// RUN: heddle-opt %s --attn-expand-tiles | FileCheck %s

// CHECK-LABEL: func.func @task
// CHECK: attn.tiles
// CHECK: tile.foreach
// CHECK-NOT: scf.while
func.func @task(%b: index, %h: index, %q0: index, %n: index) -> index attributes {
    tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  %c0 = arith.constant 0 : index
  %t = attn.tiles #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0) keys(%n)
    tile 64 x 64
  %r = tile.foreach %t init(%c0 : index) {
  ^bb0(%k0: index, %status: i32, %acc: index):
    %s = arith.index_cast %status : i32 to index
    %next = arith.addi %acc, %s : index
    tile.yield %next : index
  }
  return %r : index
}

// CHECK-LABEL: func.func @columns
// CHECK: tile.foreach
// CHECK-NOT: scf.while
func.func @columns(%b: index, %h: index, %q0: index, %n: index) -> index attributes {
    tile.kernel = "columns", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  %c0 = arith.constant 0 : index
  %t = attn.tiles #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0) keys(%n)
    tile 64 x 64
  %r = tile.foreach %t init(%c0 : index) {
  ^bb0(%k0: index, %status: i32, %acc: index):
    %s = arith.index_cast %status : i32 to index
    %next = arith.addi %acc, %s : index
    tile.yield %next : index
  }
  return %r : index
}

// CHECK-LABEL: func.func @count
// CHECK-NOT: tile.foreach
// CHECK: scf.while
// CHECK-NOT: tile.foreach
func.func @count(%b: index, %h: index, %q0: index, %n: index) -> index attributes {
    tile.kernel = "count", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  %c0 = arith.constant 0 : index
  %t = attn.tiles #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0) keys(%n)
    tile 64 x 64
  %r = tile.foreach %t init(%c0 : index) {
  ^bb0(%k0: index, %status: i32, %acc: index):
    %s = arith.index_cast %status : i32 to index
    %next = arith.addi %acc, %s : index
    tile.yield %next : index
  }
  return %r : index
}
