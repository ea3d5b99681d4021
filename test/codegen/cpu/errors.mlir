// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu --split-input-file --verify-diagnostics

// expected-error @+1 {{has the kernel kind "other"; expected "task" or "count"}}
func.func @f() attributes {tile.kernel = "other"} {
  return
}

// -----

// expected-error @+1 {{has no 'tile.entry'; run 'attn-tile' first}}
func.func @f() attributes {tile.kernel = "task"} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-nothing", qk = 8, v = 8,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{is for the level 'cpu-nothing'; expected one of}}
func.func @f() attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
// expected-error @+1 {{has the arguments '() -> ()'; expected (index, index, index, five views, index, f32, index...)}}
func.func @f() attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>
func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  // expected-error @+1 {{cannot be lowered to the cpu target}}
  %t = attn.tiles #attn.formula<true> at(%b, %h, %tile) keys(%p0) tile 8 x 16
  return
}
