// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s --check-prefix AHEAD
// RUN: sed 's/qk = 16, v = 16/qk = 256, v = 256/' %s | heddle-opt --tile-to-nv | FileCheck %s

// The loop over key tiles is a pipeline: its producer walks to the next live tile
// and starts the copies of keys and values, its consumer does the rest. One warp
// holds 16 x 16 scores as eight registers per thread.

// Scores are computed a tile ahead: a stage has the next keys, and the values and
// coordinates of the tile before them, which the producer tells from its state.
// There are keys in any case; of no tile they are zeros.
// AHEAD-LABEL: llvm.func @task
// AHEAD: nv.ring free at 512 : <stages = 2, slots = [512, 512], tile = [i64, i32]>
// AHEAD: nv.pipeline %{{.*}} state(%{{.*}} : i64, i64, i32) init({{.*}}) produce {
// AHEAD: ^bb0(%[[KEYS:.*]]: !llvm.ptr<3>, %[[VALUES:.*]]: !llvm.ptr<3>, %[[K:.*]]: i64, %{{.*}}: i64, %[[STATUS:.*]]: i32):
// AHEAD: %[[WALK:.*]]:3 = scf.while
// AHEAD: %[[LIVE:.*]] = arith.cmpi slt, %[[WALK]]#0,
// AHEAD: scf.if %[[LIVE]]
// AHEAD: llvm.getelementptr %[[KEYS]]
// AHEAD: nvvm.cp.async.shared.global
// AHEAD: %[[NEXT:.*]] = arith.addi %[[WALK]]#0,
// AHEAD: %[[BEGUN:.*]] = arith.cmpi sge, %[[K]],
// AHEAD: %[[BEFORE:.*]] = arith.subi %[[K]],
// AHEAD: %[[INSIDE:.*]] = arith.cmpi slt, %[[BEFORE]],
// AHEAD: %[[WAS:.*]] = arith.andi %[[BEGUN]], %[[INSIDE]]
// AHEAD: scf.if %[[WAS]]
// AHEAD: llvm.getelementptr %[[VALUES]]
// AHEAD: nvvm.cp.async.shared.global
// AHEAD: %[[NONE:.*]] = arith.xori %[[LIVE]],
// AHEAD: scf.if %[[NONE]]
// AHEAD: llvm.getelementptr %[[KEYS]]
// AHEAD: llvm.store
// AHEAD: nv.produced %[[WAS]] tile(%[[BEFORE]], %[[STATUS]] : i64, i32) next(%[[NEXT]], %[[WALK]]#1, %[[WALK]]#2 : i64, i64, i32)
// AHEAD: } first {
// AHEAD: ^bb0(%[[KEYS:.*]]: !llvm.ptr<3>, %{{.*}}: !llvm.ptr<3>):
// AHEAD: llvm.getelementptr %[[KEYS]]
// AHEAD-COUNT-2: nvvm.mma.sync
// AHEAD: nv.yield %{{.*}} : f32, f32, f32, f32, f32, f32, f32, f32
// AHEAD: } consume {
// AHEAD: ^bb0(%[[KEYS:[^:]*]]: !llvm.ptr<3>, %[[VALUES:[^:]*]]: !llvm.ptr<3>,
// The scores that were carried are masked; what they become stands in one block
// with the product of the next ones.
// AHEAD: scf.if %[[PARTIAL:.*]] -> (i32, i32)
// AHEAD: scf.if %[[PARTIAL]] -> (f32, f32, f32, f32, f32, f32, f32, f32)
// AHEAD-NOT: scf.if
// AHEAD: llvm.getelementptr %[[KEYS]]
// AHEAD-NOT: scf.if
// AHEAD-COUNT-2: nvvm.mma.sync
// AHEAD-NOT: scf.if
// AHEAD-COUNT-10: ex2
// AHEAD: scf.if %[[PARTIAL]] -> (i1)
// AHEAD: llvm.getelementptr %[[VALUES]]
// AHEAD: nv.yield

// Without registers for the scores of two tiles they are not.

#entry = #attn.entry<"k", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 2>>

// 32 bytes of the launch, then heddle_args, one source and one operand.
// CHECK-LABEL: llvm.func @task
// CHECK-SAME: %[[BLOCK:.*]]: !llvm.ptr {llvm.align = 8 : i64, llvm.byval = !llvm.array<{{[0-9]+}} x i8>, nvvm.grid_constant})
// CHECK-SAME: nv.shared_bytes = 2688 : i64, nv.threads = 32 : i64, nvvm.kernel, nvvm.maxntid = array<i32: 32>
// CHECK-NOT: tensor

// The task is that of the CTA's number, or of the record with this number.
// CHECK: %[[TASKS:.*]] = llvm.load %{{.*}} invariant : !llvm.ptr -> !llvm.ptr<1>
// CHECK: scf.if %{{.*}} -> (i64, i64, i64, i64, i64, i64, i64, i64)
// CHECK: arith.remui
// CHECK: } else {
// CHECK: llvm.getelementptr %[[TASKS]]

// Queries: the copies, and their arrival. Nobody had the memory before.
// CHECK-NOT: nvvm.barrier0
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: nvvm.barrier0
// CHECK: nvvm.ldmatrix

// The head of the keys does not depend on the tile.
// CHECK: arith.divui
// CHECK: %[[RING:.*]] = nv.ring free at 512 : <stages = 2, slots = [512, 512], tile = [i64, i32]>
// CHECK: nv.pipeline %[[RING]] state(%{{.*}} : i64, i64, i32) init({{.*}}) produce {
// CHECK: ^bb0(%[[KEYS:.*]]: !llvm.ptr<3>, %[[VALUES:.*]]: !llvm.ptr<3>, %[[K:.*]]: i64, %[[END:.*]]: i64, %[[STATUS:.*]]: i32):
// CHECK: %[[WALK:.*]]:3 = scf.while (%[[NOW:.*]] = %[[K]], %[[KNOWN:.*]] = %[[END]],
// CHECK: %[[UNKNOWN:.*]] = arith.cmpi sge, %[[NOW]], %[[KNOWN]]
// CHECK: arith.cmpi slt, %[[NOW]],
// CHECK: scf.condition
// CHECK: %[[LIVE:.*]] = arith.cmpi slt, %[[WALK]]#0,
// CHECK: scf.if %[[LIVE]]
// CHECK: nvvm.cp.async.shared.global
// CHECK: nv.produced %[[LIVE]] tile(%[[WALK]]#0, %[[WALK]]#2 : i64, i32) next(%{{.*}}, %[[WALK]]#1, %[[WALK]]#2 : i64, i64, i32)
// CHECK: } consume {
// CHECK: ^bb0(%[[KEYS:[^:]*]]: !llvm.ptr<3>, %[[VALUES:[^:]*]]: !llvm.ptr<3>, %[[K:[^:]*]]: i64, %[[STATUS:[^:]*]]: i32,
// The mask is made where the tile is partial, ahead of the product: one word per
// row, of the bits between two bounds.
// CHECK: %[[PARTIAL:.*]] = arith.cmpi ne, %[[STATUS]], %{{.*}} : i32
// CHECK: %[[WORDS:.*]]:2 = scf.if %[[PARTIAL]] -> (i32, i32)
// CHECK-NOT: scf.for
// CHECK: arith.shli
// CHECK: llvm.getelementptr %[[KEYS]]
// CHECK: nvvm.ldmatrix
// CHECK-COUNT-2: nvvm.mma.sync
// Scores are not scaled: the factor meets them in the exponent.
// CHECK-NOT: arith.mulf
// CHECK: scf.if %[[PARTIAL]] -> (f32, f32, f32, f32, f32, f32, f32, f32)
// CHECK: arith.andi %[[WORDS]]#0, %{{.*}} : i32
// CHECK-COUNT-8: arith.select
// CHECK: nvvm.shfl.sync
// CHECK: llvm.intr.fma
// CHECK: ex2
// CHECK: nv.yield
// CHECK: llvm.return
func.func @task(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %w: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c16 = arith.constant 16 : index
  %n = tile.dim position of %k : !attn.view<16xf16>
  %row = arith.muli %tile, %c16 : index
  %q0 = arith.addi %row, %origin : index
  %o0 = tile.fill 0.0 : tensor<16x16xf32>
  %m0 = tile.fill 0xFF800000 : tensor<16xf32>
  %l0 = tile.fill 0.0 : tensor<16xf32>
  %rows = tile.load %q[%b, %h, %row] : !attn.view<16xf16> -> tensor<16x16xf32>
  %scaled = tile.scale %rows, %scale : tensor<16x16xf32>
  %tiles = attn.tiles #attn.formula<q - k in interval<0, p0>> at(%b, %h, %q0)
    keys(%n) params(%w : index) tile 16 x 16
  %r:3 = tile.foreach %tiles
      init(%o0, %m0, %l0 : tensor<16x16xf32>, tensor<16xf32>, tensor<16xf32>) {
  ^bb0(%k0: index, %status: i32, %oi: tensor<16x16xf32>, %mi: tensor<16xf32>,
       %li: tensor<16xf32>):
    %hq = tile.dim head of %q : !attn.view<16xf16>
    %hk = tile.dim head of %k : !attn.view<16xf16>
    %group = arith.divui %hq, %hk : index
    %head = arith.divui %h, %group : index
    %keys = tile.load %k[%b, %head, %k0] : !attn.view<16xf16> -> tensor<16x16xf32>
    %s = tile.scores %scaled, %keys
      : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
    %bits = tile.bits #attn.formula<q - k in interval<0, p0>> at(%b, %h) queries(%q0)
      keys(%k0) of %n status(%status) params(%w : index) : tensor<16x16xi1>
    %masked = tile.mask %s, %bits : tensor<16x16xf32>, tensor<16x16xi1>
    %p, %m1, %l1, %alpha = tile.softmax_step %masked, %mi, %li
      : tensor<16x16xf32>, tensor<16xf32>
    %o1 = tile.rescale %oi, %alpha : tensor<16x16xf32>, tensor<16xf32>
    %values = tile.load %v[%b, %head, %k0] : !attn.view<16xf16> -> tensor<16x16xf32>
    %o2 = tile.accumulate %o1, %p, %values where %bits
      : tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xf32>, tensor<16x16xi1>
    tile.yield %o2, %m1, %l1 : tensor<16x16xf32>, tensor<16xf32>, tensor<16xf32>
  }
  %result, %end = tile.finish %r#0, %r#1, %r#2 : tensor<16x16xf32>, tensor<16xf32>
  tile.store %result, %o[%b, %h, %row] : tensor<16x16xf32>, !attn.view<16xf16>
  tile.store %end, %lse[%b, %h, %row] : tensor<16xf32>, !attn.view<1xf32>
  return
}
