// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-emit-entry -split-input-file -verify-diagnostics

attn.pattern @all keep(%b, %h, %q, %k) {
  %kept = arith.constant true
  attn.keep %kept
}
// expected-error@+1 {{kernel 'all' has no count function at level 'x'}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

// expected-error@+1 {{kernel function has no 'tile.entry' attribute}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {tile.kernel = "task"}

// -----

// expected-error@+1 {{expected 'tile.kernel' to be "task", "count", "check" or "columns", got "work"}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "work", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

// expected-error@+1 {{the module has no pattern or recurrence @all}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

// expected-error@+1 {{has no formula; run 'attn-normalize-pattern' first}}
attn.pattern @all keep(%b, %h, %q, %k) {
  %kept = arith.constant true
  attn.keep %kept
}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
// expected-error@+1 {{second task function of kernel 'all' at level 'x'}}
llvm.func @again(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
// expected-error@+1 {{kernel 'all' differs in pattern, types, head dims or outputs from another function of that name}}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "y", qk = 64, v = 32,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

// expected-error@+1 {{already has a symbol 'heddle_bundle_descriptor'}}
module {
  llvm.mlir.global external constant @heddle_bundle_descriptor(0 : i64) : i64
}

// -----

// expected-error@+1 {{kernel 'all' has no columns function at level 'x'}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 16 by 64>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 16 by 64>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}
llvm.func @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 16 by 64>,
      <query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 2>>}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %kept = arith.constant true
  attn.keep %kept
}
// expected-error@+1 {{kernel 'all' has packed code but no other at level 'x'}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 64, rows = 8, lanes = 16, unroll = 2>, packed = true>}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 64, rows = 8, lanes = 16, unroll = 2>, packed = true>}

// -----

// A kernel of a recurrence has no count function.
// expected-error@+1 {{expected 'tile.kernel' to be "task", "state", "step", "slice" or "check", got "count"}}
llvm.func @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.kernel = "count", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}

// -----

attn.recurrence @all
// expected-error@+1 {{kernel 'all' has no state function at level 'x'}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}

// -----

attn.recurrence @all bidirectional
// expected-error@+1 {{kernel 'all' does not have the state of its recurrence @all}}
llvm.func @task(!llvm.ptr, i64, i64, i64, !llvm.ptr) attributes {
    tile.kernel = "task", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}
llvm.func @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.kernel = "check", tile.workspace = 0, tile.features = "",
    tile.entry = #attn.entry<"all", @all, "x", qk = 64, v = 64,
      types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 8, lanes = 16, unroll = 2>,
      state = <rows = 64, sums = false, causal = true>>}

// -----

attn.pattern @all keep(%b, %h, %q, %k)
    formula #attn.formula<true> {
  %kept = arith.constant true
  attn.keep %kept
}

llvm.func hidden @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.host, tile.kernel = "count", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
llvm.func hidden @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.host, tile.kernel = "check", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
// expected-error@+1 {{expected the attribute 'tile.code' with 'target', 'arch' and 'text'}}
module @sm_80 attributes {tile.device = "sm_80"} {
  llvm.func @task(!llvm.ptr) attributes {tile.resources = {threads = 128 : i64, shared_bytes = 41088 : i64, stages = 2 : i64, registers = 168 : i64, spill_store_bytes = unit},
      tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
}

// -----

attn.pattern @all keep(%b, %h, %q, %k)
    formula #attn.formula<true> {
  %kept = arith.constant true
  attn.keep %kept
}

llvm.func hidden @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.host, tile.kernel = "count", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
llvm.func hidden @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.host, tile.kernel = "check", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
module @sm_80 attributes {tile.device = "sm_80", tile.code = {target = "nv", arch = 80 : i64, text = ""}} {
  // expected-error@+1 {{expected the attribute 'tile.resources' with 'threads' and 'shared_bytes'}}
  llvm.func @task(!llvm.ptr) attributes {tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>>}
}
