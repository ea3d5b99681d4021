// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// A step without masks. Rows of k and v are read where they lie; those of v are
// never clamped, for every key of such a tile exists, and those of k once per
// register tile, in code shared with partial tiles. The rescaling is part of the
// product that follows, and nothing is copied: q (256 bytes), m and l (64 each,
// the unit of the workspace), o (256), s and p in one place (512), alpha. The
// heavy verbs are functions of their own, for the machine of their caller.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f
// CHECK-SAME: tile.workspace = 1216 : i64
// CHECK-NOT: tile.{{load|scores|accumulate}}
// Nothing is clamped here.
// CHECK-NOT: arith.minsi
// CHECK-NOT: llvm.intr.fmuladd
// CHECK: llvm.call @f.scores(%{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}, %[[S:[^,]*]], %{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}) :
// CHECK: llvm.call @f.softmax_step(%[[S]], %[[M:.*]], %[[L:.*]], %[[S]], %[[M]], %[[L]], %[[ALPHA:.*]]) :
// CHECK: llvm.call @f.accumulate(%{{.*}}, %{{.*}}, %[[S]], %[[O:.*]], %[[ALPHA]], %[[O]]) :
// CHECK: llvm.call @f.finish(%[[O]], %[[M]], %[[L]], %[[O]], %[[M]]) :
// CHECK: llvm.return

// Scores: four keys, both vectors, two features per step.
// CHECK: llvm.func internal @f.scores({{.*}}) attributes {no_inline, prefer_vector_width = "128", target_cpu = "x86-64", tile.procedure = "scores"}
// CHECK-COUNT-4: arith.minsi
// CHECK: scf.for %{{.*}} iter_args({{.*}}) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>)
// This step asks for one row of the values and one of the next keys.
// CHECK-COUNT-1: arith.minsi
// CHECK: llvm.intr.prefetch
// CHECK-COUNT-1: arith.minsi
// CHECK: llvm.intr.prefetch
// CHECK-NOT: arith.minsi
// CHECK-COUNT-16: llvm.intr.fmuladd
// CHECK-NOT: llvm.intr.fmuladd
// Softmax: the maximum, then powers of two.
// CHECK: llvm.func internal @f.softmax_step
// CHECK: arith.cmpf ogt
// CHECK: arith.select
// CHECK: arith.shli
// CHECK: arith.mulf
// The product with v starts from o times alpha.
// CHECK: llvm.func internal @f.accumulate
// CHECK-NOT: arith.minsi
// CHECK: arith.mulf
// CHECK-NOT: arith.minsi
// CHECK-COUNT-16: llvm.intr.fmuladd
// CHECK: llvm.return
// Normalisation.
// CHECK: llvm.func internal @f.finish
// CHECK: arith.divf
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %x = tile.load %q[%b, %h, %tile] : !attn.view<8xf32> -> tensor<8x8xf32>
  %y = tile.load %k[%b, %h, %p0] : !attn.view<8xf32> -> tensor<16x8xf32>
  %z = tile.load %v[%b, %h, %p0] : !attn.view<8xf32> -> tensor<16x8xf32>
  %n = tile.dim position of %k : !attn.view<8xf32>
  %m = tile.fill 0xFF800000 : tensor<8xf32>
  %l = tile.fill 0.0 : tensor<8xf32>
  %a = tile.fill 0.0 : tensor<8x8xf32>
  %s = tile.scores %x, %y : tensor<8x8xf32>, tensor<16x8xf32> -> tensor<8x16xf32>
  %p, %m1, %l1, %alpha = tile.softmax_step %s, %m, %l
    : tensor<8x16xf32>, tensor<8xf32>
  %a1 = tile.rescale %a, %alpha : tensor<8x8xf32>, tensor<8xf32>
  %a2 = tile.accumulate %a1, %p, %z
    : tensor<8x8xf32>, tensor<8x16xf32>, tensor<16x8xf32>
  %r, %e = tile.finish %a2, %m1, %l1 : tensor<8x8xf32>, tensor<8xf32>
  tile.store %r, %o[%b, %h, %tile] : tensor<8x8xf32>, !attn.view<8xf32>
  tile.store %e, %lse[%b, %h, %tile] : tensor<8xf32>, !attn.view<1xf32>
  return
}
