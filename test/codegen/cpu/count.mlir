// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-cpu | FileCheck %s

// Counting stores three numbers and needs no workspace of its caller. The words
// are made by the function that the kernel calls too; of tiles with ones alone
// there are none.

#entry = #attn.entry<"f", @any, "cpu-baseline", qk = 8, v = 8, types = f32 to f32,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 8, key_tile = 16, rows = 4, lanes = 4, unroll = 2>>

// CHECK: llvm.func hidden @f(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: i64, %[[EXACT:.*]]: i32, %[[OUT:.*]]: !llvm.ptr)
// CHECK: %[[IF:.*]] = arith.cmpi ne, %[[EXACT]]
// CHECK: %[[WORDS:.*]] = llvm.alloca
// CHECK: scf.if %[[IF]]
// CHECK:   llvm.call @f.bits({{.*}}, %[[WORDS]])
// CHECK:   scf.for
// CHECK:     scf.for
// CHECK:       llvm.load
// CHECK:       llvm.intr.ctpop
// CHECK: llvm.store %{{.*}}, %[[OUT]] : i64
// CHECK: llvm.getelementptr %[[OUT]][1]
// CHECK: llvm.getelementptr %[[OUT]][2]
// CHECK: llvm.return
// CHECK: llvm.func internal @f.bits
// CHECK:   llvm.bitcast %{{.*}} : vector<4xi1> to i4
// CHECK:   llvm.store %{{.*}} : i8
// CHECK: llvm.return

// CHECK: llvm.func hidden @ones
// CHECK-NOT: llvm.alloca
// CHECK-NOT: llvm.call
// CHECK: %[[SOME:.*]] = arith.maxsi
// CHECK: %[[EXISTING:.*]] = arith.minsi %[[SOME]]
// CHECK: arith.muli %[[EXISTING]]
// CHECK: llvm.return

func.func @f(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index,
    %exact: i1) -> (index, index, index)
    attributes {tile.kernel = "count", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %partial = arith.constant 1 : i32
  %n = tile.dim position of %k : !attn.view<8xf32>
  %rows = tile.dim position of %q : !attn.view<8xf32>
  %kept = scf.if %exact -> index {
    %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
      at(%b, %h) queries(%origin) keys(%p0) of %n status(%partial) : tensor<8x16xi1>
    %c = tile.count %bits rows %rows : tensor<8x16xi1>
    scf.yield %c : index
  } else {
    scf.yield %c0 : index
  }
  return %c0, %n, %kept : index, index, index
}

func.func @ones(%b: index, %h: index, %tile: index, %q: !attn.view<8xf32>,
    %k: !attn.view<8xf32>, %v: !attn.view<8xf32>, %o: !attn.view<8xf32>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %p0: index,
    %exact: i1) -> (index, index, index)
    attributes {tile.kernel = "count", tile.entry = #entry} {
  %full = arith.constant 2 : i32
  %n = tile.dim position of %k : !attn.view<8xf32>
  %rows = tile.dim position of %q : !attn.view<8xf32>
  %bits = tile.bits #attn.formula<q - k in interval<0, inf>>
    at(%b, %h) queries(%origin) keys(%p0) of %n status(%full) : tensor<8x16xi1>
  %c = tile.count %bits rows %rows : tensor<8x16xi1>
  return %n, %n, %c : index, index, index
}
