// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu --split-input-file --verify-diagnostics

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    // expected-error @+1 {{'math.atan' op has no code on the cpu target; expected elementwise operations}}
    %y = math.atan %x : f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// -----

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    // expected-error @+1 {{'arith.remf' op has no code on the cpu target}}
    %y = arith.remf %x, %m : f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// -----

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    // expected-error @+1 {{'arith.extf' op has no code on the cpu target}}
    %w0 = arith.extf %x : f32 to f64
    %y = arith.truncf %w0 : f64 to f32
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}

// -----

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %p1: f32, %p2: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.modify %s at(%b, %h) queries(%origin) keys(%p0)
    params(%p0, %p1, %p2 : index, f32, tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index,
       %c: index, %m: f32, %t: tensor<?x?xf32>):
    // expected-error @+1 {{'arith.divsi' op has no code on the cpu target}}
    %d = arith.divsi %i, %c : index
    %y = attn.at %t[%d, %d] : tensor<?x?xf32>
    tile.yield %y : f32
  } : tensor<8x16xf32> -> tensor<8x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}
