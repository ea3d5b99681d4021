// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// Packed code: the task brings four integers that the caller's operands do not have,
// and says which partial result is its own: that takes the place of the sequence in
// views of outputs, and of no other.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>, packed = true>

// One operand in the block.
// CHECK-LABEL: llvm.func @packed
// CHECK-SAME: llvm.byval = !llvm.array<1120 x i8>
// CHECK: %[[TASK:.*]]:8 = scf.if
// CHECK: arith.index_cast %[[TASK]]#0
// CHECK: %[[HEAD:.*]] = arith.index_cast %[[TASK]]#4
// CHECK: %[[POSITION:.*]] = arith.index_cast %[[TASK]]#5
// CHECK: %[[BEGIN:.*]] = arith.index_cast %[[TASK]]#6
// CHECK: %[[END:.*]] = arith.index_cast %[[TASK]]#7
// CHECK: arith.addi %[[HEAD]], %[[POSITION]]
// CHECK: arith.addi %{{.*}}, %[[BEGIN]]
// CHECK: arith.addi %{{.*}}, %[[END]]
// What only the store needs is made there.
// CHECK: arith.muli %[[TASK]]#3
// CHECK: llvm.return
func.func @packed(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index, %head: index, %position: index,
    %begin: index, %end: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x0 = arith.addi %head, %position : index
  %x1 = arith.addi %x0, %begin : index
  %x2 = arith.addi %x1, %end : index
  %s = tile.fill 0.0 : tensor<16x16xf32>
  tile.store %s, %o[%b, %h, %x2] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}
