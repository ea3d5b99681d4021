// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry | FileCheck %s
// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry \
// RUN:   -convert-to-llvm -reconcile-unrealized-casts -verify-each -o /dev/null

module attributes {llvm.target_triple = "riscv64-unknown-linux-gnu"} {

attn.pattern @chunked(%chunk: index = 64, %shift: index, %tau: f32 = 1.5,
                      %doc: tensor<?x?xindex>, %cols: !attn.set)
    keep(%b, %h, %q, %k) {
  %n = attn.num_keys
  %fits = arith.cmpi sle, %chunk, %n : index
  attn.require %fits, "a chunk is larger than the sequence"
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %column = attn.in %k, %cols[%i]
  %d = arith.subi %q, %k : index
  %e = arith.addi %d, %h : index
  %f = arith.subi %e, %shift : index
  %past = attn.in %f, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %chunk : index
  %close = arith.andi %past, %near : i1
  %kept = arith.ori %close, %column : i1
  attn.keep %kept
} score(%s, %b, %h, %q, %k) {
  %y = arith.mulf %s, %tau : f32
  attn.score %y
}

llvm.func hidden @wide_task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 4096, tile.features = "a,b",
    tile.entry = #attn.entry<"mine", @chunked, "wide", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func hidden @wide_count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "a,b",
    tile.entry = #attn.entry<"mine", @chunked, "wide", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func hidden @narrow_count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"mine", @chunked, "narrow", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 1>>}
llvm.func hidden @narrow_task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 512, tile.features = "",
    tile.entry = #attn.entry<"mine", @chunked, "narrow", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 1>>}

llvm.func hidden @wide_check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "a,b",
    tile.entry = #attn.entry<"mine", @chunked, "wide", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func hidden @wide_columns(!llvm.ptr, i64, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "columns", tile.workspace = 8192, tile.features = "a,b",
    tile.entry = #attn.entry<"mine", @chunked, "wide", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func hidden @narrow_check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"mine", @chunked, "narrow", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 1>>}
llvm.func hidden @narrow_columns(!llvm.ptr, i64, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "columns", tile.workspace = 256, tile.features = "",
    tile.entry = #attn.entry<"mine", @chunked, "narrow", qk = 64, v = 32,
      types = f16 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 1>>}

}

// CHECK-NOT: attn.pattern
// CHECK-NOT: tile.kernel
// CHECK-NOT: tile.entry
// CHECK-NOT: tile.workspace
// CHECK-NOT: tile.features
// CHECK: constant @[[CHUNK:heddle.text.[0-9]+]]("chunk\00")
// CHECK: constant @[[SHIFT:heddle.text.[0-9]+]]("shift\00")
// CHECK: constant @[[TAU:heddle.text.[0-9]+]]("tau\00")
// CHECK: constant @[[DOC:heddle.text.[0-9]+]]("doc\00")
// CHECK: constant @[[COLS:heddle.text.[0-9]+]]("cols\00")
// CHECK: constant @[[MESSAGE:heddle.text.[0-9]+]]("a chunk is larger than the sequence\00")
// CHECK: constant @[[WIDE:heddle.text.[0-9]+]]("wide\00")
// CHECK: constant @[[NARROW:heddle.text.[0-9]+]]("narrow\00")
// CHECK: constant @[[KERNEL:heddle.text.[0-9]+]]("mine\00")
// CHECK: constant @[[PATTERN:heddle.text.[0-9]+]]("chunked\00")

// A parameter: name, default, whether it has one, kind, rank, whether kernels
// need bounds. A default that is real is written as the bits of a double.
// CHECK: llvm.mlir.global private constant @[[PARAMS:heddle.params.[0-9]+]]() {{.*}} : !llvm.array<5 x struct<(ptr, i64, i32, i32, i32, i32)>>
// CHECK: addressof @[[CHUNK]]
// CHECK: constant(64 : i64)
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: addressof @[[SHIFT]]
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i32)
// CHECK: addressof @[[TAU]]
// CHECK: constant(4609434218613702656 : i64)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// The table's elements are indices of the set: their bounds are asked for.
// CHECK: addressof @[[DOC]]
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i32)
// CHECK: constant(2 : i32)
// CHECK: constant(2 : i32)
// CHECK: constant(1 : i32)
// CHECK: addressof @[[COLS]]
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i32)
// CHECK: constant(4 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)

// Checks in their order: a condition with its message, reads with parameter and
// axis.
// CHECK: llvm.mlir.global private constant @[[CHECKS:heddle.checks.[0-9]+]]() {{.*}} : !llvm.array<4 x struct<(ptr, i32, i32)>>
// CHECK: addressof @[[MESSAGE]]
// CHECK: mlir.zero
// CHECK: constant(3 : i32)
// CHECK: constant(0 : i32)
// CHECK: mlir.zero
// CHECK: constant(3 : i32)
// CHECK: constant(1 : i32)
// CHECK: mlir.zero
// CHECK: constant(4 : i32)
// CHECK: constant(0 : i32)

// Code, in the order of the functions: level, features, functions, tiles, boxes,
// the most bytes that a function of a task needs, no packed code.
// CHECK: llvm.mlir.global private constant @[[CODES:heddle.codes.[0-9]+]]() {{.*}} : !llvm.array<2 x struct<(ptr, ptr, ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i64, i64, ptr, ptr, ptr, ptr, i64, i64, i64, ptr)>>
// CHECK: addressof @[[WIDE]]
// CHECK: addressof @wide_task
// CHECK: addressof @wide_count
// CHECK: addressof @wide_check
// CHECK: addressof @wide_columns
// CHECK: constant(48 : i64)
// CHECK: constant(64 : i64)
// CHECK: constant(8192 : i64)
// CHECK: constant(1 : i64)
// CHECK: mlir.zero
// CHECK: addressof @[[NARROW]]
// CHECK: addressof @narrow_task
// CHECK: addressof @narrow_count
// CHECK: addressof @narrow_check
// CHECK: addressof @narrow_columns
// CHECK: constant(16 : i64)
// CHECK: constant(32 : i64)
// CHECK: constant(512 : i64)
// CHECK: constant(1 : i64)
// CHECK: mlir.zero

// CHECK: constant @[[ARCH:heddle.text.[0-9]+]]("riscv64\00")

// An entry: names, dtypes, whether the keys depend on b and h, head dims, lists,
// sources, no grid, a log-sum-exp, further outputs.
// CHECK: constant @{{heddle.text.[0-9]+}}("{\22compiler\22:\22heddle {{.*}}\22arch\22:\22riscv64\22,{{.*}}{\22role\22:\22o\22,\22dtype\22:\22f32\22{{.*}}{\22role\22:\22column_sums\22{{.*}}{\22name\22:\22chunk\22,\22kind\22:\22integer\22,\22default\22:64},{\22name\22:\22shift\22,\22kind\22:\22integer\22},{\22name\22:\22tau\22,\22kind\22:\22real\22,\22default\22:1.5},{\22name\22:\22doc\22,\22kind\22:\22integer table\22,\22rank\22:2},{\22name\22:\22cols\22,\22kind\22:\22set\22,\22rank\22:1}{{.*}}\22uses_batch\22:true,\22uses_head\22:true{{.*}}\22features\22:[\22a\22,\22b\22]
// CHECK: llvm.mlir.global private constant @[[ENTRIES:heddle.entries.[0-9]+]]() {{.*}} : !llvm.array<1 x struct<(ptr, ptr, i32, i32, i32, i32, i64, i64, i64, ptr, i64, ptr, i64, i64, i64, i64, i64, i64, i64, i64, i32, i32, i32, i32, i64, i64, i64, ptr, i32, i32, i32, i32, i64, i64)>>
// CHECK: addressof @[[KERNEL]]
// CHECK: addressof @[[PATTERN]]
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(64 : i64)
// CHECK: constant(32 : i64)
// CHECK: constant(5 : i64)
// CHECK: addressof @[[PARAMS]]
// CHECK: constant(4 : i64)
// CHECK: addressof @[[CHECKS]]
// CHECK: constant(1 : i64)
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: constant(1 : i32)
// CHECK: constant(0 : i32)
// CHECK: constant(2 : i64)
// CHECK: addressof @[[CODES]]

// CHECK: llvm.mlir.global external constant @heddle_bundle_descriptor() {{.*}} : !llvm.struct<(i64, i32, i32, ptr, ptr, ptr, i64, ptr)>
// CHECK: constant(5639145877286438216 : i64)
// CHECK: constant(9 : i32)
// CHECK: constant(56 : i32)
// CHECK: addressof @[[ARCH]]
// CHECK: constant(1 : i64)
// CHECK: addressof @[[ENTRIES]]
