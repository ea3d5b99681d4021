// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Lists of tokens are i64 in the workspace. Keys of a list of f32 stay where they
// are, as those of a stretch do: the product finds the address of each in a list.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK-LABEL: llvm.func hidden @f(
// CHECK: llvm.call @f.positions(
// The queries of the box, then where its keys are; no copy is made.
// CHECK: llvm.call @f.rows_in(
// CHECK-NOT: llvm.call @f.stage(
// CHECK: llvm.call @f.addresses(
// CHECK-NOT: llvm.call @f.stage(
// CHECK: llvm.call @f.scores(
// CHECK-NOT: llvm.call @f.stage(
// CHECK: llvm.call @f.scores_0(
// CHECK: llvm.return
// CHECK: llvm.func internal @f.positions(
// CHECK: %[[MINUS:.*]] = arith.constant -1 : i64
// The box: a loop per axis, no token outside of the grid.
// CHECK: scf.for
// CHECK:   %[[Y:.*]] = arith.cmpi ult
// CHECK:   %[[INY:.*]] = arith.andi %{{.*}}, %[[Y]]
// CHECK:   scf.for
// CHECK:     %[[X:.*]] = arith.cmpi ult
// CHECK:     %[[INSIDE:.*]] = arith.andi %[[INY]], %[[X]]
// CHECK:     %[[TOKEN:.*]] = arith.select %[[INSIDE]], %{{.*}}, %[[MINUS]]
// CHECK:     llvm.store %[[TOKEN]], %{{.*}} : i64
// CHECK: llvm.func internal @f.rows_in(
// CHECK: scf.for
// CHECK:   %[[P:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i64
// CHECK:   arith.cmpi ult, %[[P]]
// One that does not exist is where zeros are.
// CHECK: llvm.func internal @f.addresses(
// CHECK: scf.for
// CHECK:   llvm.store %{{.*}}, %{{.*}} : vector<
// CHECK: scf.for
// CHECK:   %[[KEY:.*]] = llvm.load %{{.*}} : !llvm.ptr -> i64
// CHECK:   %[[EXISTS:.*]] = arith.cmpi ult, %[[KEY]]
// CHECK:   %[[ROW:.*]] = arith.select %[[EXISTS]], %{{.*}}, %{{.*}} : !llvm.ptr
// CHECK:   llvm.store %[[ROW]], %{{.*}} : !llvm.ptr
// The rows of a register tile, once for all steps.
// CHECK: llvm.func internal @f.scores(
// CHECK: scf.for
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK-NOT: -> !llvm.ptr
// CHECK: scf.for {{.*}} iter_args(

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %y: index, %x: index,
    %n: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %p = tile.positions at(%y, %x) of(%n, %n) box [2, 4] : tensor<8xindex>
  %r = tile.load %q[%b, %h, %p : tensor<8xindex>]
    : !attn.view<8xf32> -> tensor<8x8xf32>
  %c = tile.load %k[%b, %h, %p : tensor<8xindex>]
    : !attn.view<8xf32> -> tensor<8x8xf32>
  %s = tile.scores %r, %c : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %d = tile.load %k[%b, %h, %y] : !attn.view<8xf32> -> tensor<8x8xf32>
  %t = tile.scores %s, %d : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  tile.store %t, %o[%b, %h, %p : tensor<8xindex>]
    : tensor<8x8xf32>, !attn.view<8xf32>
  return
}

// A walk over a set: the region is asked in a loop, and again about the set
// itself only through the caller's functions. The list is carried in place.
// CHECK-LABEL: llvm.func hidden @walk(
// CHECK-SAME: tile.workspace = 128 : i64
// CHECK: scf.while
// CHECK:   arith.cmpi slt
// CHECK:   scf.condition
// CHECK: } do {
// CHECK:   %[[MEMBER:.*]] = llvm.call %{{.*}} : !llvm.ptr, (!llvm.ptr, i64, i64) -> i64
// CHECK:   arith.divui %[[MEMBER]]
// CHECK:   arith.remui
// CHECK:   scf.for
// CHECK:     llvm.call
// CHECK:     llvm.store %{{.*}} : i64
// CHECK:   scf.yield
// CHECK: llvm.return

#walk = #attn.entry<"walk", @any, "cpu-baseline", qk = 8, v = 8,
  types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

func.func @walk(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<1xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %cols: !attn.set, %n: index)
    attributes {tile.kernel = "task", tile.entry = #walk} {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %p, %next = tile.collect %cols[%b, %h] from %c0 below %n tile 16 {
  ^bb0(%k0: index):
    %phase = arith.remui %k0, %c32 : index
    %free = arith.cmpi eq, %phase, %c0 : index
    tile.yield %free, %n : i1, index
  } : tensor<8xindex>
  %t = tile.fill 1.0 : tensor<8xf32>
  tile.store %t, %lse[%b, %h, %p : tensor<8xindex>]
    : tensor<8xf32>, !attn.view<1xf32>
  return
}
