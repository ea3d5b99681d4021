// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A score region becomes code on vectors of queries. Values of the key and of the
// parameters stay scalars; what the key has no part in is computed before the loop
// over the keys. A value of the kernel that the region uses is one more argument.

#bias = #attn.entry<"bias", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#functions = #attn.entry<"functions", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
#twice = #attn.entry<"twice", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @bias.modify(
// CHECK: scf.for
// CHECK:   %[[TEMPERATURE:.*]] = llvm.intr.masked.gather %{{.*}} vector<4xf32>
// CHECK:   scf.for
// CHECK:     %[[S:.*]] = llvm.load %{{.*}} : !llvm.ptr -> vector<4xf32>
// CHECK:     %[[K:.*]] = arith.sitofp %{{.*}} : i64 to f32
// CHECK:     %[[BIAS:.*]] = arith.mulf %[[K]], %{{.*}} : f32
// CHECK:     arith.mulf %[[S]], %[[TEMPERATURE]] : vector<4xf32>
// CHECK:     vector.broadcast %[[BIAS]]
// CHECK:     llvm.store %{{.*}} : vector<4xf32>
// CHECK: llvm.return

func.func @bias(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #bias} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    %u = attn.at %t[%hh, %i] : tensor<?x?xf32>
    %l = arith.index_cast %j : index to i64
    %f = arith.sitofp %l : i64 to f32
    %g = arith.mulf %f, %m : f32
    %y = arith.mulf %x, %u : f32
    %z = arith.addf %y, %g : f32
    tile.yield %z : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// Functions are made of arithmetic: nothing is called.
// CHECK: llvm.func hidden @functions(
// CHECK: llvm.call @functions.modify(
// CHECK: llvm.return
// CHECK: llvm.func internal @functions.modify(
// CHECK-NOT: math.{{tanh|exp|log|sin|cos|erf|powf|floor|ceil|rsqrt}}
// CHECK-NOT: llvm.call
// CHECK: llvm.return

func.func @functions(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #functions} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    %0 = math.tanh %x : f32
    %1 = math.exp %0 : f32
    %2 = math.log %1 : f32
    %3 = math.sin %2 : f32
    %4 = math.cos %3 : f32
    %5 = math.erf %4 : f32
    %6 = math.powf %5, %m : f32
    %7 = math.floor %6 : f32
    %8 = math.ceil %7 : f32
    %9 = math.exp2 %8 : f32
    %10 = math.log2 %9 : f32
    %11 = math.rsqrt %10 : f32
    %12 = math.sqrt %11 : f32
    %13 = math.absf %12 : f32
    %14 = math.fma %13, %x, %m : f32
    tile.yield %14 : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// The same region twice is one function; another constant makes another one.
// CHECK: llvm.func hidden @twice(
// CHECK: llvm.call @twice.modify({{.*}}) : (i64, i64, i64, i64, i64, !llvm.ptr, !llvm.ptr) -> ()
// CHECK: llvm.call @twice.modify(
// CHECK: llvm.call @twice.modify_0(
// CHECK: llvm.return
// CHECK: llvm.func internal @twice.modify(
// CHECK: llvm.func internal @twice.modify_0(
// CHECK-NOT: llvm.func internal @twice.modify

func.func @twice(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #twice} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %half = arith.constant 0.5 : f32
  %third = arith.constant 0.25 : f32
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %s1 = tile.modify %s at(%b, %h) queries(%origin) keys(%p0) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %last = arith.cmpi eq, %j, %n : index
    %y = arith.select %last, %half, %x : f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  %s2 = tile.modify %s1 at(%b, %h) queries(%origin) keys(%p0) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %last = arith.cmpi eq, %j, %n : index
    %y = arith.select %last, %half, %x : f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  %s3 = tile.modify %s2 at(%b, %h) queries(%origin) keys(%p0) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %last = arith.cmpi eq, %j, %n : index
    %y = arith.select %last, %third, %x : f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %s3, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}
