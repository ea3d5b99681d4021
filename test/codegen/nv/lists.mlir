// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --tile-to-nv | FileCheck %s

// Tables and sets: elements by loads, questions by calls of the device library.

#entry = #attn.entry<"f", @any, "sm_80", qk = 16, v = 16, types = f16 to f16,
  <row_max = false, column_sums = false, block_max = 0 by 0>,
  <query_tile = 16, key_tile = 16, rows = 16, lanes = 16, unroll = 1, stages = 1>>

// CHECK-DAG: llvm.func @heddle_device_rank(!llvm.ptr, i64, i64) -> i64
// CHECK-DAG: llvm.func @heddle_device_member(!llvm.ptr, i64, i64) -> i64
// CHECK-DAG: llvm.func @heddle_device_seek(!llvm.ptr, i64, i64, i64, i64, i32) -> i64
// CHECK-DAG: llvm.func @heddle_device_span(!llvm.ptr, i64, i64, i64, !llvm.ptr)
// CHECK-DAG: llvm.func @heddle_device_probe(!llvm.ptr, i64, i64, i64, i64, i64, !llvm.ptr)

// Two rows of a thread: for each, 64 bits of the set, which fall as keys rise,
// of which every element tests its own.
// CHECK-LABEL: llvm.func @member
// CHECK-COUNT-2: llvm.intr.bitreverse(%{{.*}}) : (i64) -> i64
// CHECK-COUNT-8: arith.select %{{.*}}, %{{.*}}, %{{.*}} : f32
// CHECK-NOT: llvm.call
// CHECK: llvm.return
func.func @member(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %set: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %n = tile.dim position of %k : !attn.view<16xf16>
  %partial = arith.constant 1 : i32
  %bits = tile.bits #attn.formula<q - k in p0[b, h]> at(%b, %h) queries(%origin)
    keys(%tile) of %n status(%partial) params(%set : !attn.set) : tensor<16x16xi1>
  %s = tile.fill 0.0 : tensor<16x16xf32>
  %w = tile.mask %s, %bits : tensor<16x16xf32>, tensor<16x16xi1>
  tile.store %w, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}

// All threads walk the members together; each stores its share of the list, which
// is complete behind a barrier, and where rows are fetched from.
// CHECK-LABEL: llvm.func @collect
// CHECK-NOT: nvvm.barrier0
// CHECK: llvm.call @heddle_device_rank
// CHECK: %[[END:.*]]:3 = scf.while
// CHECK: arith.cmpi slt
// CHECK: } do {
// CHECK: llvm.call @heddle_device_member
// CHECK: llvm.call @heddle_device_rank
// CHECK: scf.for
// CHECK: %[[TOKEN:.*]] = llvm.call @heddle_device_member
// CHECK: llvm.store %[[TOKEN]], %{{.*}} : i64, !llvm.ptr<3>
// CHECK: scf.for
// CHECK: llvm.store %{{.*}}, %{{.*}} : i64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: nvvm.barrier0
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> i64
// CHECK: nvvm.cp.async.shared.global
// CHECK: llvm.return
func.func @collect(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %set: !attn.set, %n: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %true = arith.constant true
  %p, %next = tile.collect %set[%b, %h] from %c0 below %n tile 16 {
  ^bb0(%k0: index):
    tile.yield %true, %n : i1, index
  } : tensor<16xindex>
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  %keys = tile.load %k[%b, %h, %p : tensor<16xindex>]
    : !attn.view<16xf16> -> tensor<16x16xf32>
  %s = tile.scores %rows, %keys
    : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
  tile.store %s, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}

// A loop over gathered columns is a pipeline whose stages hold the list, 16 tokens
// of eight bytes; the consumer gets the tokens from there.
// CHECK-LABEL: llvm.func @gather
// CHECK: nv.ring free at 512 : <stages = 1, slots = [512, 128], tile = [index]>
// CHECK: nv.pipeline %{{.*}} state(%{{.*}} : index)
// CHECK: ^bb0(%[[KEYS:.*]]: !llvm.ptr<3>, %[[LIST:.*]]: !llvm.ptr<3>, %[[CURSOR:.*]]: index):
// CHECK: %[[LIVE:.*]] = arith.cmpi slt, %[[CURSOR]], %{{.*}} : index
// CHECK: %[[NEXT:.*]] = scf.if %[[LIVE]] -> (index) {
// CHECK: scf.while
// CHECK: %[[ENTRY:.*]] = llvm.getelementptr %[[LIST]]
// CHECK: llvm.store %{{.*}}, %[[ENTRY]] : i64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK: nvvm.cp.async.shared.global
// CHECK: nv.produced %[[LIVE]] tile(%[[CURSOR]] : index) next(%[[NEXT]] : index)
// CHECK: } consume {
// CHECK-NOT: llvm.call
// Keys of the list: pair by pair, eight columns at a time, ahead of the product.
// CHECK: scf.for
// CHECK: llvm.getelementptr %{{.*}}[%{{.*}}] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, i64
// CHECK: arith.cmpi ult
// CHECK: nvvm.mma.sync
// CHECK: nv.yield
// CHECK: llvm.return
func.func @gather(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %set: !attn.set, %n: index)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %c0 = arith.constant 0 : index
  %true = arith.constant true
  %partial = arith.constant 1 : i32
  %rows = tile.load %q[%b, %h, %tile] : !attn.view<16xf16> -> tensor<16x16xf32>
  %zero = tile.fill 0.0 : tensor<16x16xf32>
  %count = attn.rank %set[%b, %h] below %n
  %r:2 = scf.while (%at = %c0, %sum = %zero)
      : (index, tensor<16x16xf32>) -> (index, tensor<16x16xf32>) {
    %more = arith.cmpi slt, %at, %count : index
    scf.condition(%more) %at, %sum : index, tensor<16x16xf32>
  } do {
  ^bb0(%at: index, %sum: tensor<16x16xf32>):
    %p, %next = tile.collect %set[%b, %h] from %at below %n tile 16 {
    ^bb1(%k0: index):
      tile.yield %true, %n : i1, index
    } : tensor<16xindex>
    %keys = tile.load %k[%b, %h, %p : tensor<16xindex>]
      : !attn.view<16xf16> -> tensor<16x16xf32>
    %s = tile.scores %rows, %keys
      : tensor<16x16xf32>, tensor<16x16xf32> -> tensor<16x16xf32>
    %bits = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h)
      queries(%origin) listed(%p : tensor<16xindex>) of %n status(%partial)
      : tensor<16x16xi1>
    %masked = tile.mask %s, %bits : tensor<16x16xf32>, tensor<16x16xi1>
    %total = arith.addf %sum, %masked : tensor<16x16xf32>
    scf.yield %next, %total : index, tensor<16x16xf32>
  }
  tile.store %r#1, %o[%b, %h, %tile] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}

// CHECK-LABEL: llvm.func @questions
// CHECK: llvm.call @heddle_device_span
// CHECK: llvm.call @heddle_device_seek
// CHECK: llvm.call @heddle_device_probe
// CHECK: llvm.return
func.func @questions(%b: index, %h: index, %tile: index, %q: !attn.view<16xf16>,
    %k: !attn.view<16xf16>, %v: !attn.view<16xf16>, %o: !attn.view<16xf16>,
    %lse: !attn.view<1xf32>, %max: !attn.view<1xf32>, %sums: !attn.view<1xf32>,
    %blocks: !attn.view<1xf32>, %origin: index, %scale: f32, %t: tensor<?x?xindex>, %set: !attn.set)
    attributes {tile.kernel = "task", tile.entry = #entry} {
  %lo, %hi = attn.span %t[%b : %h to %tile] : tensor<?x?xindex>
  %at = attn.seek %t[%b : %lo] in %lo to %hi : tensor<?x?xindex>
  %some, %every, %next, %previous = attn.probe %set[%b : %h to %tile] for %lo to %at
  %x = arith.select %some, %next, %previous : index
  %f = tile.fill 1.0 : tensor<16x16xf32>
  tile.store %f, %o[%b, %h, %x] : tensor<16x16xf32>, !attn.view<16xf16>
  return
}
