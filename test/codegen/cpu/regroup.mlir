// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Landmarks: over the ordinary keys of the group the maximum, the sum, then the
// scores; rows whose own group this is keep theirs; the landmark itself goes.

#f = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func internal @f.regroup(
// CHECK: scf.for
// CHECK:   %[[OWN:.*]] = arith.cmpi ult, %{{.*}} : vector<4xi64>
// CHECK:   scf.for %{{.*}} = %{{.*}} to %[[LANDMARK:.*]] step
// CHECK:     arith.cmpf ogt
// CHECK:   scf.for %{{.*}} = %{{.*}} to %[[LANDMARK]] step
// CHECK:     arith.addf
// CHECK:   %[[SHARE:.*]] = arith.select %[[OWN]]
// CHECK:   scf.for %{{.*}} = %{{.*}} to %[[LANDMARK]] step
// CHECK:     arith.addf %{{.*}}, %[[SHARE]]
// CHECK:     llvm.store
// CHECK:   }
// CHECK:   llvm.store
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<16xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index)
    attributes {tile.kernel = "task", tile.entry = #f} {
  %n = tile.dim position of %k : !attn.view<8xf32>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
  %s = tile.fill 1.0 : tensor<8x16xf32>
  %w = tile.regroup %s, %bits at(%origin, %p0) : tensor<8x16xf32>, tensor<8x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<8x16xf32>, !attn.view<16xf32>
  return
}
