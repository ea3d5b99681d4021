// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// The sweep over columns: weights from known log-sum-exps; sums over the rows of a
// warp by shuffles and over warps through shared memory; maxima by atomic
// operations, since tiles of a grid share blocks. The source's number is the
// fourth field of the task.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>

// CHECK-LABEL: llvm.func @columns
// CHECK: nv.shared_bytes = 128
// CHECK: %[[TASK:.*]]:8 = scf.if
// CHECK: %[[SOURCE:.*]] = arith.index_cast %[[TASK]]#3
// CHECK: ex2
// CHECK: scf.if
// CHECK-COUNT-12: nvvm.shfl.sync
// CHECK-NOT: nvvm.barrier0
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> f32
// CHECK: llvm.store %{{.*}} : f32, !llvm.ptr<1>
// CHECK-COUNT-8: llvm.atomicrmw umax
// CHECK: llvm.return
func.func @columns(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %source: index)
    attributes {tile.kernel = "columns", tile.entry = #entry} {
  %n = tile.dim position of %k : !attn.view<16xf16>
  %rows = tile.dim position of %q : !attn.view<16xf16>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%tile) of %n status(%partial) : tensor<16x16xi1>
  %s = tile.fill 1.0 : tensor<16x16xf32>
  %l = tile.load %lse[%b, %h, %source] : !attn.view<1xf32> -> tensor<16xf32>
  %p = tile.weights %s, %l where %bits
    : tensor<16x16xf32>, tensor<16xf32>, tensor<16x16xi1>
  tile.add_columns %p rows %rows, %sums[%b, %h, %tile]
    : tensor<16x16xf32>, !attn.view<1xf32>
  tile.raise_blocks %p rows %rows, %blocks[%b, %h] at(%p0, %tile) by 5 x 3
    : tensor<16x16xf32>, !attn.view<1xf32>
  return
}
