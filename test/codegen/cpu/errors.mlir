// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu --split-input-file --verify-diagnostics

// expected-error @+1 {{has the kernel kind "other"; expected "task", "state", "step", "slice", "columns", "count" or "check"}}
func.func @f() attributes {tile.kernel = "other"} {
  return
}

// -----

// expected-error @+1 {{has no 'tile.entry'; run 'attn-tile' first}}
func.func @f() attributes {tile.kernel = "task"} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-nothing", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{is for the level 'cpu-nothing'; expected one of}}
func.func @f() attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{has the arguments '() -> ()'; expected (index, index, index, views of q, of k and v for every source, of three outputs and of two for every source, index, f32, parameters...)}}
func.func @f() attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// A source without values.
// expected-error @+1 {{views of q, of k and v for every source, of three outputs and of two for every source}}
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %o: !attn.view<8xf32>, %lse: !attn.view<1xf32>,
    %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// A parameter is an index, an f32, a table without static extents or a set.
// expected-error @+1 {{views of q, of k and v for every source, of three outputs and of two for every source, index, f32, parameters...) followed by index}}
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32,
    %p0: tensor<4xf32>, %source: index)
    attributes {tile.kernel = "columns", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// A sweep over columns is told which source it is for.
// expected-error @+1 {{parameters...) followed by index}}
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "columns", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{returns 'index'; expected 4 index values}}
func.func @f(%q: !attn.view<8xf32>, %k: !attn.view<8xf32>,
    %v: !attn.view<8xf32>, %o: !attn.view<8xf32>, %lse: !attn.view<1xf32>,
    %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32) -> index
    attributes {tile.kernel = "check", tile.entry = #entry} {
  return %origin : index
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  // expected-error @+1 {{cannot be lowered to the cpu target}}
  %t = attn.tiles #attn.formula<true> at(%b, %h, %tile) keys(%p0) tile 8 x 16
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{is of the kind "step", which a kernel without a state does not have}}
func.func @f() attributes {tile.kernel = "step", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 8, rows = 4, lanes = 4, unroll = 2>,
  state = <rows = 8, sums = false, causal = true>>
// expected-error @+1 {{is of the kind "count", which a kernel with a state does not have}}
func.func @f() attributes {tile.kernel = "count", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 8, rows = 4, lanes = 4, unroll = 2>,
  state = <rows = 8, sums = false, causal = true>>
// No view of the factor.
// expected-error @+1 {{expected (index, index, index, views of q, k, v, o, of the state and of the sums before and after, and of the factor, index, f32, parameters...)}}
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %s0: !attn.view<8xf32>, %s1: !attn.view<8xf32>, %z0: !attn.view<1xf32>,
    %z1: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "state", tile.entry = #entry} {
  return
}
