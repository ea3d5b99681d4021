// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry | FileCheck %s
// RUN: heddle-opt %s -attn-normalize-pattern -attn-emit-entry \
// RUN:   -convert-to-llvm -reconcile-unrealized-casts -verify-each -o /dev/null

// Code of a device is data: its kernels are names in it, and only what counts
// and checks is a function here.

module attributes {llvm.target_triple = "riscv64-unknown-linux-gnu"} {

attn.pattern @all keep(%b, %h, %q, %k) {
  %kept = arith.constant true
  attn.keep %kept
}

llvm.func hidden @count(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.host, tile.kernel = "count", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>, tf32 = true>}
llvm.func hidden @check(!llvm.ptr, !llvm.ptr) -> i64 attributes {
    tile.host, tile.kernel = "check", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>, tf32 = true>}
llvm.func hidden @count_packed(!llvm.ptr, i64, i64, i64, i32, !llvm.ptr) attributes {
    tile.host, tile.kernel = "count", tile.features = "", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 3>, packed = true>}
module @sm_80 attributes {tile.device = "sm_80", tile.code = {target = "nv", arch = 80 : i64, text = "words", binary = "\7FELF", warnings = ["it is slow"]}} {
  llvm.func @task(!llvm.ptr) attributes {tile.resources = {threads = 128 : i64, shared_bytes = 41088 : i64, stages = 2 : i64, registers = 168 : i64, spill_store_bytes = unit},
      tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f16, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 2>, tf32 = true>}
  llvm.func @packed_task(!llvm.ptr) attributes {tile.resources = {threads = 32 : i64, shared_bytes = 9000 : i64, stages = 2 : i64, registers = 168 : i64, spill_store_bytes = unit},
      tile.kernel = "task", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 3>, packed = true>}
  llvm.func @packed_merge(!llvm.ptr) attributes {tile.resources = {threads = 96 : i64, shared_bytes = 1024 : i64, stages = unit, registers = 40 : i64, spill_store_bytes = unit},
      tile.kernel = "merge", tile.entry = #attn.entry<"all", @all, "sm_80", qk = 64, v = 64,
      types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
      <query_tile = 16, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 3>, packed = true>}
}
}

// CHECK-NOT: tile.
// CHECK: llvm.func hidden @count(
// CHECK-NOT: tile.
// CHECK-NOT: module @sm_80
// CHECK-DAG: constant @[[LEVEL:heddle.text.[0-9]+]]("sm_80\00")
// CHECK-DAG: constant @[[TARGET:heddle.text.[0-9]+]]("nv\00")
// CHECK-DAG: constant @[[PACKED:heddle.text.[0-9]+]]("packed_task\00")
// CHECK-DAG: constant @[[MERGE:heddle.text.[0-9]+]]("packed_merge\00")
// CHECK-DAG: constant @[[TEXT:heddle.text.[0-9]+]]("words\00")
// CHECK-DAG: constant @[[BYTES:heddle.bytes.[0-9]+]]("\7FELF") {{.*}}alignment = 64
// Target, kernels, text, its size, binary, its size, capability, threads and
// shared memory of the kernels, and whether products are of tf32.
// CHECK: constant @{{heddle.device.[0-9]+}}() {{.*}} : !llvm.array<1 x struct<(ptr, ptr, ptr, ptr, i64, ptr, i64, i32, i32, i64, i64, i64, i32, ptr, i64, i64)>>
// CHECK: addressof @[[TARGET]]
// CHECK: addressof @[[PACKED]]
// CHECK: mlir.zero
// CHECK: addressof @[[TEXT]]
// CHECK: constant(5 : i64)
// CHECK: addressof @[[BYTES]]
// CHECK: constant(4 : i64)
// CHECK: constant(80 : i32)
// CHECK: constant(32 : i32)
// CHECK: constant(9000 : i64)
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i32)
// CHECK: addressof @[[MERGE]]
// CHECK: constant(96 : i64)
// CHECK: constant(1024 : i64)
// CHECK: constant @[[TASK:heddle.text.[0-9]+]]("task\00")
// CHECK: constant @[[DEVICE:heddle.device.[0-9]+]]()
// CHECK: addressof @[[TASK]]
// CHECK: addressof @[[TEXT]]
// CHECK: addressof @[[BYTES]]
// CHECK: constant(128 : i32)
// CHECK: constant(41088 : i64)
// CHECK: constant(0 : i64)
// CHECK: constant(0 : i64)
// CHECK: constant(1 : i32)
// No task and columns of this machine, no workspace.
// CHECK: constant @{{heddle.codes.[0-9]+}}()
// CHECK: addressof @[[LEVEL]]
// CHECK: mlir.zero
// CHECK: addressof @count
// CHECK: addressof @check
// CHECK: mlir.zero
// CHECK: constant(64 : i64)
// CHECK: addressof @[[DEVICE]]
// CHECK: \22stages\22:2},\22workspace_bytes\22:0,\22device\22:{\22target\22:\22nv\22,\22arch\22:80,\22tf32\22:true,\22text_bytes\22:5,\22binary_bytes\22:4,\22warnings\22:[\22it is slow\22],\22kernels\22:[{\22symbol\22:\22task\22,\22registers\22:168,\22shared_bytes\22:41088,\22spill_store_bytes\22:null,\22stages\22:2,\22threads\22:128}]},\22short_queries\22:
