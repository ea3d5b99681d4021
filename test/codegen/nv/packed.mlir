// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// Packed code: rows are the query heads that share a key head, at one query. The task
// brings four integers that the caller's operands do not have, and the number of the
// room for its results if its rows are not whole.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>, packed = true>

// One operand in the block.
// CHECK-LABEL: llvm.func @packed(
// CHECK-SAME: llvm.byval = !llvm.array<1128 x i8>
// CHECK-SAME: nvvm.maxntid = array<i32: 32>
// CHECK: %[[TASK:.*]]:8 = scf.if
// CHECK: %[[KEYHEAD:.*]] = arith.index_cast %[[TASK]]#1
// The query within its sequence: positions of the pattern are rows. The heads of a
// group.
// CHECK: %[[QUERY:.*]] = arith.subi %[[TASK]]#5, %{{.*}} : i64
// CHECK: arith.divui
// CHECK: %[[HEAD:.*]] = arith.index_cast %[[TASK]]#4
// CHECK: %[[POSITION:.*]] = arith.index_cast %[[TASK]]#5
// CHECK: %[[BEGIN:.*]] = arith.index_cast %[[TASK]]#6
// CHECK: %[[END:.*]] = arith.index_cast %[[TASK]]#7
// CHECK: arith.addi %[[HEAD]], %[[POSITION]]
// CHECK: arith.addi %{{.*}}, %[[BEGIN]]
// CHECK: arith.addi %{{.*}}, %[[END]]
// Rows that are whole go to the tensor in its type: head strides from row to row.
// CHECK: %[[WHOLE:.*]] = arith.cmpi slt, %[[TASK]]#3
// CHECK: scf.if %[[WHOLE]] {
// CHECK: arith.muli %[[TASK]]#4
// CHECK: arith.muli %[[QUERY]]
// CHECK: llvm.getelementptr {{.*}} f16
// CHECK-NOT: !llvm.ptr<1>, f32
// Others in f32 to a room of 16 * (16 + 2) of them.
// CHECK: arith.muli %[[TASK]]#3, %c288_i64
// CHECK: llvm.getelementptr {{.*}} f32
// CHECK: llvm.return

// What makes rows of rooms is launched with the same block. Without lse parts are
// added up.
// CHECK-LABEL: llvm.func @packed_merge(
// CHECK-SAME: llvm.byval = !llvm.array<1128 x i8>
// CHECK-SAME: nv.shared_bytes = 512
// CHECK-SAME: nv.threads = 128
// CHECK-SAME: nvvm.maxntid = array<i32: 128>
// CHECK-SAME: tile.kernel = "merge"
// CHECK-NOT: ex2
// CHECK: nvvm.barrier0
// CHECK: llvm.store %{{.*}} : f16
// CHECK-NOT: lg2
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

// Heads of keys are counted, and of rows there are as many as a group has.
// CHECK-LABEL: llvm.func @heads_task(
// CHECK: arith.subi %{{.*}}#5
// CHECK: %[[GROUP:.*]] = arith.divui
// CHECK: arith.index_cast %[[GROUP]]
// CHECK: llvm.return

// By lse where there is one, and the largest of the row maxima.
// CHECK-LABEL: llvm.func @heads_merge(
// CHECK: llvm.intr.maxnum
// CHECK: ex2.approx
// CHECK: nvvm.vote.sync any
// CHECK: ex2.approx
// CHECK: nvvm.barrier0
// CHECK: lg2.approx
// CHECK: llvm.intr.maxnum
// CHECK: llvm.return
func.func @heads_task(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %head: index, %position: index,
    %begin: index, %end: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %n = tile.dim position of %q : !attn.view<16xf16>
  %heads = tile.dim head of %q : !attn.view<16xf16>
  %first = arith.addi %n, %heads : index
  %s = tile.fill 0.0 : tensor<16x16xf32>
  %r = tile.fill 0.0 : tensor<16xf32>
  tile.store %s, %o[%b, %h, %first] : tensor<16x16xf32>, !attn.view<16xf16>
  tile.store %r, %lse[%b, %h, %first] : tensor<16xf32>, !attn.view<1xf32>
  tile.store %r, %max[%b, %h, %first] : tensor<16xf32>, !attn.view<1xf32>
  return
}
