// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A task of packed code has as many rows as a group has heads, which it finds
// out when it runs. With few of them the features lie along the lanes: sums stay
// rows until the end, and what is not f32 is widened in registers, without the
// copy that the other code makes.

#entry = #attn.entry<"few", @any, "cpu-baseline", qk = 10, v = 8, types = bf16 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 16, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @few(
// CHECK: %[[FEW:.*]] = arith.cmpi sle, %{{.*}}, %c2_i64
// Rows of the queries, for few.
// CHECK: scf.if %[[FEW]]
// CHECK: scf.for
// CHECK-NOT: llvm.call
// CHECK: scf.if %[[FEW]] {
// CHECK: llvm.call @few.row_scores(
// CHECK: } else {
// CHECK: llvm.call @few.stage(
// CHECK: llvm.call @few.scores(
// CHECK: scf.if %[[FEW]] {
// CHECK: llvm.call @few.row_sums(
// CHECK: } else {
// CHECK: llvm.call @few.stage
// CHECK: llvm.call @few.accumulate(
// The sums are turned, once.
// CHECK: scf.if %[[FEW]]
// CHECK: llvm.call @few.rows_out(
// CHECK: llvm.return

// Two whole vectors of a key's ten features, then the rest with zeros.
// CHECK-LABEL: llvm.func internal @few.row_scores(
// CHECK: scf.for
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK: llvm.load {{.*}} -> vector<2xi16>
// CHECK: vector.shuffle {{.*}} [0, 1, 2, 2]
// CHECK: llvm.return

// CHECK-LABEL: llvm.func internal @few.row_sums(
// CHECK: llvm.load {{.*}} -> vector<4xi16>
// CHECK-NOT: vector.shuffle
// CHECK: llvm.return

func.func @few(%b: index, %h: index, %tile: index, %q: !attn.view<10xbf16>,
    %k: !attn.view<10xbf16>, %v: !attn.view<8xbf16>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<10xbf16> -> tensor<4x10xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<10xbf16> -> tensor<16x10xf32>
  %s = tile.scores %x, %y : tensor<4x10xf32>, tensor<16x10xf32> -> tensor<4x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xbf16> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<4x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<4x8xf32>, tensor<4x16xf32>, tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<4x8xf32>, !attn.view<8xf32>
  return
}

// What is done to the sums on the way must not depend on how they lie: this
// kernel scales them, and has one code only.

#scaled = #attn.entry<"scaled", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 16, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @scaled(
// CHECK-NOT: row_scores
// CHECK: llvm.call @scaled.scores(
// CHECK: llvm.call @scaled.accumulate(
// CHECK: llvm.return
func.func @scaled(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #scaled} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<4x8xf32>
  %y = tile.load %k[%b, %h, %origin] : !attn.view<8xf32> -> tensor<16x8xf32>
  %s = tile.scores %x, %y : tensor<4x8xf32>, tensor<16x8xf32> -> tensor<4x16xf32>
  %z = tile.load %v[%b, %h, %origin] : !attn.view<8xf32> -> tensor<16x8xf32>
  %a = tile.fill 0.0 : tensor<4x8xf32>
  %r = tile.accumulate %a, %s, %z
    : tensor<4x8xf32>, tensor<4x16xf32>, tensor<16x8xf32>
  %t = tile.scale %r, %scale : tensor<4x8xf32>
  tile.store %t, %o[%b, %h, %tile] : tensor<4x8xf32>, !attn.view<8xf32>
  return
}

// Products ask the memory, into the first level, for their own rows: 8 KB ahead,
// which is 32 rows of keys and 64 of values here, as far as the run of tiles
// goes. While scores become weights nobody reads: before, the values that
// nobody has asked for are, all of them or, after the first tile, from row 64 on.

#run = #attn.entry<"run", @any, "cpu-baseline", qk = 64, v = 32, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 128, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @run(
// CHECK: scf.for %[[KEY:.*]] = %[[FIRST:.*]] to %[[END:.*]] step
// CHECK: arith.subi %{{.*}}, %{{.*}} : i64
// CHECK: %[[BEGIN:.*]] = arith.select %{{.*}}, %c0_i64{{.*}}, %c64_i64
// CHECK: llvm.call @run.row_scores(%{{.*}}, %[[BEGIN]])
// CHECK: llvm.call @run.row_sums(

// CHECK-LABEL: llvm.func internal @run.row_scores(
// CHECK: %[[LATER:.*]] = arith.addi %[[ROW:.*]], %c32_i64
// CHECK: arith.minsi %[[LATER]], %{{.*}} : i64
// CHECK: %[[WANTED:.*]] = arith.cmpi sge, %[[ROW]], %{{.*}} : i64
// CHECK: scf.if %[[WANTED]]
// CHECK-COUNT-2: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK: scf.for {{.*}} iter_args
// CHECK: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK-LABEL: llvm.func internal @run.row_sums(
// CHECK: arith.addi %{{.*}}, %c64_i64
// CHECK: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
// CHECK: llvm.return
func.func @run(%b: index, %h: index, %tile: index, %q: !attn.view<64xf32>,
    %k: !attn.view<64xf32>, %v: !attn.view<32xf32>, %o: !attn.view<32xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #run} {
  %zero = arith.constant 0 : index
  %step = arith.constant 128 : index
  %x = tile.load %q[%b, %h, %tile] : !attn.view<64xf32> -> tensor<4x64xf32>
  %a = tile.fill 0.0 : tensor<4x32xf32>
  %r = scf.for %key = %zero to %origin step %step iter_args(%c = %a) -> tensor<4x32xf32> {
    %y = tile.load %k[%b, %h, %key] : !attn.view<64xf32> -> tensor<128x64xf32>
    %s = tile.scores %x, %y : tensor<4x64xf32>, tensor<128x64xf32> -> tensor<4x128xf32>
    %z = tile.load %v[%b, %h, %key] : !attn.view<32xf32> -> tensor<128x32xf32>
    %n = tile.accumulate %c, %s, %z
      : tensor<4x32xf32>, tensor<4x128xf32>, tensor<128x32xf32>
    scf.yield %n : tensor<4x32xf32>
  }
  tile.store %r, %o[%b, %h, %tile] : tensor<4x32xf32>, !attn.view<32xf32>
  return
}

// Behind a run another may follow, whose first keys, 32 of them, the last tile of
// the run asks for while values are summed up: scores ask to the end of the run.

#runs = #attn.entry<"runs", @any, "cpu-baseline", qk = 64, v = 32, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 4, key_tile = 128, rows = 4, lanes = 4, unroll = 2>, packed = true>

// CHECK-LABEL: llvm.func hidden @runs(
// CHECK: scf.while
// CHECK: scf.for
// CHECK: %[[LAST:.*]] = arith.cmpi sge
// CHECK: %[[BEGIN:.*]] = arith.select %[[LAST]], %c0_i64{{.*}}, %c32_i64
// CHECK: llvm.call @runs.row_sums(%{{.*}}, %[[BEGIN]])
// CHECK-LABEL: llvm.func internal @runs.row_sums(
// CHECK: %[[WANTED:.*]] = arith.cmpi sge
// CHECK: scf.if %[[WANTED]]
// CHECK-COUNT-4: "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 3 : i32, rw = 0 : i32}>
func.func @runs(%b: index, %h: index, %tile: index, %q: !attn.view<64xf32>,
    %k: !attn.view<64xf32>, %v: !attn.view<32xf32>, %o: !attn.view<32xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #runs} {
  %zero = arith.constant 0 : index
  %step = arith.constant 128 : index
  %far = arith.constant 1024 : index
  %x = tile.load %q[%b, %h, %tile] : !attn.view<64xf32> -> tensor<4x64xf32>
  %a = tile.fill 0.0 : tensor<4x32xf32>
  %r:2 = scf.while (%at = %zero, %sum = %a)
      : (index, tensor<4x32xf32>) -> (index, tensor<4x32xf32>) {
    %more = arith.cmpi slt, %at, %origin : index
    scf.condition(%more) %at, %sum : index, tensor<4x32xf32>
  } do {
  ^bb0(%begin: index, %before: tensor<4x32xf32>):
    %next = arith.addi %begin, %far : index
    %end = arith.addi %begin, %step : index
    %all = scf.for %key = %begin to %end step %step iter_args(%c = %before) -> tensor<4x32xf32> {
      %y = tile.load %k[%b, %h, %key] : !attn.view<64xf32> -> tensor<128x64xf32>
      %s = tile.scores %x, %y : tensor<4x64xf32>, tensor<128x64xf32> -> tensor<4x128xf32>
      %z = tile.load %v[%b, %h, %key] : !attn.view<32xf32> -> tensor<128x32xf32>
      %n = tile.accumulate %c, %s, %z
        : tensor<4x32xf32>, tensor<4x128xf32>, tensor<128x32xf32>
      scf.yield %n : tensor<4x32xf32>
    }
    scf.yield %next, %all : index, tensor<4x32xf32>
  }
  tile.store %r#1, %o[%b, %h, %tile] : tensor<4x32xf32>, !attn.view<32xf32>
  return
}
