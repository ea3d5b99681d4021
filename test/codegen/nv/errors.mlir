// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv --split-input-file --verify-diagnostics

// Sizes that are no blocks of a matrix product.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 48, key_tile = 24, rows = 8, lanes = 4, unroll = 2, stages = 1>>
// expected-error @below {{has 'query_tile' 48, 'key_tile' 24 and 'rows' 8; expected rows and key tile to be multiples of 16, and 1 to 32 times the rows as query tile}}
func.func @blocks(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

// More shared memory than there is: 64 rows of 512 f32 are 128 KB.

#entry = #attn.entry<"f", @any, "sm_86", qk = 512, v = 512, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 64, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>
// expected-error @below {{needs 131072 bytes of shared memory; level 'sm_86' has 101376: choose a smaller 'query_tile' or 'key_tile', or fewer 'stages'}}
func.func @memory(%b: index, %h: index, %tile: index, %q: !attn.view<512xf32>,
    %k: !attn.view<512xf32>, %v: !attn.view<512xf32>, %o: !attn.view<512xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<512xf32> -> tensor<64x512xf32>
  return
}

// -----

// Not the arguments of a kernel.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = 1>>
// expected-error @below {{expected (index, index, index, views of q, of k and v for every source, of three outputs and of two for every source, index, f32, parameters...)}}
func.func @arguments(%b: index) attributes {tile.kernel = "task", tile.entry = #entry} {
  return
}

// -----

// Operations of other levels, and tiles that cannot be carried.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>
func.func @operation(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  // expected-error @below {{cannot be lowered to the nv target: expected tile verbs of attention, 'scf.for', 'scf.while', 'scf.if' and scalar arithmetic; run 'attn-tile' first}}
  %turned = tile.transpose %rows : tensor<16x16xf32> -> tensor<16x16xf32>
  return
}

// -----

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>
func.func @carried(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  // expected-error @below {{carries a tile of rows, bits or positions; expected scores, outputs or statistics of rows on the nv target}}
  %r = scf.for %i = %c0 to %tile step %c1 iter_args(%x = %rows) -> tensor<16x16xf32> {
    scf.yield %x : tensor<16x16xf32>
  }
  return
}

// -----

// A call in a score region.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>
func.func @function(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %s = tile.fill 1.0 : tensor<16x16xf32>
  %r = tile.modify %s at(%b, %h) queries(%tile) keys(%tile) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    // expected-error @below {{has no code on the nv target; expected elementwise operations of 'arith' and 'math' on f32 and index, divisions by positive constants and 'attn.at'}}
    %y = math.atan %x : f32
    tile.yield %y : f32
  } : tensor<16x16xf32> -> tensor<16x16xf32>
  return
}

// -----

// Sums with the values along the rows, which only processors have.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>
func.func @upper(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %z = tile.fill 0.0 : tensor<16x16xf32>
  // expected-error @below {{cannot be lowered to the nv target with 'upper': expected queries along the rows of the sum, and bits}}
  %r = tile.accumulate %z, %z, upper %z : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>
  return
}

// -----

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>,
  state = <rows = 16, sums = true, causal = true>>
func.func @upper_of_a_chunk(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %s0: !attn.view<16xf32>, %s1: !attn.view<16xf32>, %z0: !attn.view<1xf32>,
    %z1: !attn.view<1xf32>, %factor: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %z = tile.fill 0.0 : tensor<16x16xf32>
  // expected-error @below {{cannot be lowered to the nv target with 'upper': expected queries along the rows of the sum, and bits}}
  %r = tile.accumulate %z, %z, upper %z : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>
  return
}
