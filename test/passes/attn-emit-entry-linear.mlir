// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-emit-entry | FileCheck %s
// RUN: heddle-opt %s -attn-emit-entry -convert-to-llvm \
// RUN:   -reconcile-unrealized-casts -verify-each -o /dev/null

module attributes {llvm.target_triple = "riscv64-unknown-linux-gnu"} {

attn.recurrence @retnet(%log_decay: tensor<?xf32>)
    decay(%b, %h, %i) {
  %g = attn.at %log_decay[%h] : tensor<?xf32>
  attn.decay %g
}
attn.recurrence @near(%w: index = 64) normalize sum window(%w)

llvm.func hidden @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 4096, tile.features = "a,b",
    tile.entry = #attn.entry<"retnet_f32", @retnet, "wide", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func hidden @step(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "step", tile.workspace = 512, tile.features = "a,b",
    tile.entry = #attn.entry<"retnet_f32", @retnet, "wide", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func hidden @state(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "state", tile.workspace = 8192, tile.features = "a,b",
    tile.entry = #attn.entry<"retnet_f32", @retnet, "wide", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func hidden @slice(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "slice", tile.workspace = 512, tile.features = "a,b",
    tile.entry = #attn.entry<"retnet_f32", @retnet, "wide", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func hidden @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "a,b",
    tile.entry = #attn.entry<"retnet_f32", @retnet, "wide", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}

llvm.func hidden @near_task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 4096, tile.features = "",
    tile.entry = #attn.entry<"near_f32", @near, "any", qk = 32, v = 16,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 16, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 32, sums = true, causal = true>>}
llvm.func hidden @near_check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"near_f32", @near, "any", qk = 32, v = 16,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 16, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 32, sums = true, causal = true>>}
}

// CHECK-NOT: attn.recurrence
// CHECK: llvm.func hidden @task(!llvm.ptr, i64, i64, i64, !llvm.ptr)
// CHECK-NOT: tile.kernel

// Code: task, no count, check, no columns, tiles, the largest workspace, no
// packed code, state, step and slice, the values of a slice, the most tokens of
// a step (64: 2^21 operations of a chunk, each of 4 * 64 * 64 of a token counted
// twice), and those of a chunk, the bits of a real: 4 C F Dv + 2 C C F0 + 2 C C Dv.
// CHECK: llvm.mlir.global private constant @{{heddle.codes.[0-9]+}}() {{.*}} : !llvm.array<1 x struct<
// CHECK: addressof @task
// CHECK: mlir.zero
// CHECK: addressof @check
// CHECK: mlir.zero
// CHECK: constant(64 : i64)
// CHECK: constant(64 : i64)
// CHECK: constant(8192 : i64)
// CHECK: mlir.zero
// CHECK: addressof @state
// CHECK: addressof @step
// CHECK: addressof @slice
// CHECK: constant(32 : i64)
// CHECK: constant(64 : i64)
// CHECK: constant(4701758010974797824 : i64)

// No state, step and slice function: no step at all, 57344 operations.
// CHECK: llvm.mlir.global private constant @{{heddle.codes.[0-9]+}}() {{.*}} : !llvm.array<1 x struct<
// CHECK: addressof @near_task
// CHECK: mlir.zero
// CHECK: addressof @near_check
// CHECK: mlir.zero
// CHECK: constant(4096 : i64)
// CHECK: mlir.zero
// CHECK: mlir.zero
// CHECK: mlir.zero
// CHECK: mlir.zero
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i64)
// CHECK: constant(4678114112931102720 : i64)

// The manifest.
// CHECK: \22name\22:\22retnet_f32\22,\22form\22:\22linear\22,\22pattern\22:\22retnet\22,
// CHECK-SAME: \22normalizer\22:\22none\22
// CHECK-SAME: {\22role\22:\22state_in\22,\22dtype\22:\22f32\22,\22axes\22:[\22batch\22,\22heads_q\22,\22state_rows\22,\22d_v\22],\22output\22:false,\22optional\22:true},{\22role\22:\22state_out\22
// CHECK-SAME: \22state_rows\22:64,\22causal\22:true,\22segments\22:true,\22uses_batch\22
// CHECK-SAME: \22step_tokens\22:64,\22slice_values\22:32,\22chunk_flop\22:2097152
// CHECK-SAME: \22name\22:\22near_f32\22
// CHECK-SAME: \22normalizer\22:\22sum\22
// CHECK-SAME: {\22role\22:\22sums_in\22,\22dtype\22:\22f32\22,\22axes\22:[\22batch\22,\22heads_q\22,\22state_rows\22],\22output\22:false,\22optional\22:true},{\22role\22:\22sums_out\22
// CHECK-SAME: \22segments\22:false,\22window\22:\22w\22
// CHECK-SAME: \22step_tokens\22:0

// Entries: form, whether there are sums, causal, whether stretches can be
// computed apart, rows of the state, the parameter of the window.
// CHECK: llvm.mlir.global private constant @{{heddle.entries.[0-9]+}}() {{.*}} : !llvm.array<2 x struct<
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(64 : i64)
// CHECK: constant(-1 : i64)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: constant(32 : i64)
// CHECK: constant(0 : i64)
