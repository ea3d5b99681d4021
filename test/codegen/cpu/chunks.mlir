// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// One chunk of a recurrence. Nothing is turned: what was computed serves as rows of
// the other operand. The factor of the state is left to the product that loads it,
// and of the square of tokens only what is not later than the query is worked out.

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 8, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f(
// CHECK-NOT: .bits
// CHECK-NOT: .scale(
// CHECK: llvm.call @f.decays(
// CHECK: llvm.call @f.scores(
// CHECK: llvm.call @f.accumulate(
// The state and its factor.
// CHECK: llvm.call @f.accumulate_0({{.*}}) : (!llvm.ptr, i64, !llvm.ptr, !llvm.ptr, f32, !llvm.ptr) -> ()
// CHECK: llvm.return

// Keys after the query give zeros.
// CHECK: llvm.func internal @f.scores(
// CHECK: llvm.store %{{.*}} : vector<4xf32>
// CHECK: llvm.return

// Steps before the lanes need no mask, and where the lanes begin they do.
// CHECK: llvm.func internal @f.accumulate(
// CHECK: scf.for
// CHECK-NOT: arith.cmpi
// CHECK: scf.yield
// CHECK: scf.for
// CHECK: arith.cmpi sge, %{{.*}} : vector<4xi32>
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<8xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %partial = arith.constant 1 : i32
  %x = tile.load %q[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %u = tile.load %v[%b, %h, %c0] : !attn.view<8xf32> -> tensor<8x8xf32>
  %a = tile.fill 0.5 : tensor<8xf32>
  %s = tile.fill 1.0 : tensor<8x8xf32>
  %z = tile.fill 0.0 : tensor<8x8xf32>
  %w, %f, %e, %total = tile.decays %a : tensor<8xf32> -> tensor<8x8xf32>
  %xy = tile.scores %x, %y : tensor<8x8xf32>, tensor<8x8xf32> -> tensor<8x8xf32>
  %p = arith.mulf %xy, %w : tensor<8x8xf32>
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h)
    queries(%c0) keys(%c0) of %c8 status(%partial) : tensor<8x8xi1>
  %r = tile.accumulate %z, %p, %u where %bits
    : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xi1>
  %ut = tile.transpose %u : tensor<8x8xf32> -> tensor<8x8xf32>
  %s1 = tile.scale %s, %total : tensor<8x8xf32>
  %s2 = tile.accumulate %s1, %ut, %y
    : tensor<8x8xf32>, tensor<8x8xf32>, tensor<8x8xf32>
  tile.store %r, %o[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  %st = tile.transpose %s2 : tensor<8x8xf32> -> tensor<8x8xf32>
  tile.store %st, %sums[%b, %h, %c0] : tensor<8x8xf32>, !attn.view<8xf32>
  return
}
