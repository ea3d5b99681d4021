// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// A score region is built once per register, for its query and key; nothing in it
// becomes a call. Rotation turns rows in shared memory, between barriers.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>

// CHECK-LABEL: llvm.func @modify
// CHECK-COUNT-8: arith.divf
// CHECK-NOT: llvm.call
// CHECK-COUNT-8: llvm.load %{{.*}} invariant {{.*}} : !llvm.ptr -> f32
// CHECK: llvm.return
func.func @modify(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %t: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %s = tile.fill 1.0 : tensor<16x16xf32>
  %r = tile.modify %s at(%b, %h) queries(%origin) keys(%tile) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index):
    %y = math.tanh %x : f32
    tile.yield %y : f32
  } : tensor<16x16xf32> -> tensor<16x16xf32>
  %u:2 = tile.modify %r at(%b, %h) queries(%origin) keys(%tile)
      params(%t : tensor<?x?xf32>) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index, %p: tensor<?x?xf32>):
    %bias = attn.at %p[%i, %j] : tensor<?x?xf32>
    %y = arith.addf %x, %bias : f32
    tile.yield %y, %bias : f32, f32
  } : tensor<16x16xf32> -> tensor<16x16xf32>, tensor<16x16xf32>
  %w = arith.mulf %u#0, %u#1 : tensor<16x16xf32>
  tile.store %w, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}

// The rows are the operand of scores only after they have been turned.
// CHECK-LABEL: llvm.func @rotate
// CHECK: nvvm.cp.async.wait.group
// CHECK: nvvm.barrier0
// CHECK-NOT: nvvm.ldmatrix
// CHECK: nvvm.barrier0
// CHECK: scf.for
// CHECK: nvvm.barrier0
// CHECK: nvvm.ldmatrix
// CHECK: nvvm.mma.sync
// CHECK: llvm.return
func.func @rotate(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %r = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  %turned = tile.rotate %r at %origin : index by(%cos, %sin)
    : tensor<16x16xf32>, tensor<?x?xf32>, tensor<?x?xf32>
  %c = tile.load %k[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  %s = tile.scores %turned, %c
    : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}
