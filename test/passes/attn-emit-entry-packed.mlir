// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry | FileCheck %s
// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry \
// RUN:   -convert-to-llvm -reconcile-unrealized-casts -verify-each -o /dev/null

// Packed code belongs to the code of its level. It asks for the bounds of a table
// that the other reads at one element.

attn.pattern @near(%w: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %n = attn.at %w[%h] : tensor<?xindex>
  %kept = arith.cmpi slt, %k, %n : index
  attn.keep %kept
}
attn.pattern @near_packed(%w: tensor<?xindex>, %row_head: index) keep(%b, %h, %q, %k) {
  %r = arith.addi %row_head, %q : index
  %n = attn.at %w[%r] : tensor<?xindex>
  %kept = arith.cmpi slt, %k, %n : index
  attn.keep %kept
}

llvm.func hidden @p_task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 128, tile.features = "a",
    tile.entry = #attn.entry<"mine", @near_packed, "x", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 8, lanes = 16, unroll = 1>, packed = true>}
llvm.func hidden @p_count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "a",
    tile.entry = #attn.entry<"mine", @near_packed, "x", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 8, lanes = 16, unroll = 1>, packed = true>}
llvm.func hidden @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 4096, tile.features = "a",
    tile.entry = #attn.entry<"mine", @near, "x", qk = 64, v = 32,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1>>}
llvm.func hidden @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "a",
    tile.entry = #attn.entry<"mine", @near, "x", qk = 64, v = 32,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1>>}
llvm.func hidden @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "a",
    tile.entry = #attn.entry<"mine", @near, "x", qk = 64, v = 32,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1>>}

// CHECK-NOT: tile.entry
// CHECK: llvm.mlir.global private constant @[[PACKED:heddle.packed.[0-9]+]]() {{.*}} : !llvm.array<1 x struct<
// CHECK: addressof @p_task
// CHECK: addressof @p_count
// CHECK: mlir.zero
// CHECK: mlir.zero
// CHECK: constant(16 : i64)
// CHECK: constant(32 : i64)
// CHECK: constant(128 : i64)
// CHECK: mlir.zero
// Name, default, whether it has one, kind, rank, needs bounds.
// CHECK: llvm.mlir.global private constant @{{heddle.params.[0-9]+}}() {{.*}} : !llvm.array<1 x struct<
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i32)
// CHECK: constant(2 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// CHECK: llvm.mlir.global private constant @{{heddle.codes.[0-9]+}}() {{.*}} : !llvm.array<1 x struct<
// CHECK: addressof @task
// CHECK: addressof @count
// CHECK: addressof @check
// CHECK: constant(4096 : i64)
// CHECK: addressof @[[PACKED]]
// The kernel's parameters and output are those of its pattern.
// CHECK: \22output_dtype\22:\22f16\22{{.*}}\22short_queries\22:{\22schedule\22:{\22query_tile\22:16,
