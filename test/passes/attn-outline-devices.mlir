// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-outline-devices | FileCheck %s
// RUN: heddle-opt %s -attn-outline-devices -verify-each -o /dev/null

// What runs on the device gets a module, named as its level, and names that an
// assembler takes; what counts and checks for it stays and is marked. Code of
// this machine is left alone.

attn.pattern @all keep(%b, %h, %q, %k)
    formula #attn.formula<true> {
  %kept = arith.constant true
  attn.keep %kept
}

func.func @"k-1_sm_80_task"(%b: index) attributes {
    tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  return
}
func.func @"k-1_sm_80_count"(%b: index) attributes {
    tile.kernel = "count", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  return
}
func.func @"k-1_sm_80_check"(%b: index) attributes {
    tile.kernel = "check", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  return
}
func.func @k_cpu_task(%b: index) attributes {
    tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "cpu-baseline", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 24, key_tile = 64, rows = 4, lanes = 4, unroll = 2>>} {
  return
}
func.func @"k-1_sm_90_columns"(%b: index) attributes {
    tile.kernel = "columns", tile.entry = #attn.entry<"all", @all, "sm_90", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>} {
  return
}

// CHECK: attn.pattern @all
// CHECK-NOT: tile.host
// CHECK: func.func @"k-1_sm_80_count"({{.*}}) attributes {{{.*}}tile.host, tile.kernel = "count"
// CHECK: func.func @"k-1_sm_80_check"({{.*}}) attributes {{{.*}}tile.host, tile.kernel = "check"
// CHECK-NOT: tile.host
// CHECK: func.func @k_cpu_task
// CHECK: module @sm_80 attributes {tile.device = "sm_80"}
// CHECK-NEXT: func.func @k_1_sm_80_task
// CHECK: module @sm_90 attributes {tile.device = "sm_90"}
// CHECK-NEXT: func.func @k_1_sm_90_columns
