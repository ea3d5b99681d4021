// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --nv-assign-roles | FileCheck %s

// Every warp plays both roles. With three stages two are filled ahead; every
// round fills the stage that the round before has read.

// CHECK-LABEL: func.func @three
// CHECK-SAME: %[[N:.*]]: index, %[[X:.*]]: f32
// CHECK: %[[RING:.*]] = nv.ring at 0
// CHECK: %[[AHEAD:.*]] = scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[K0:.*]] = %{{.*}}) -> (index)
// CHECK: nv.acquire %[[RING]][%[[I]]]
// CHECK: %[[LIVE0:.*]] = arith.cmpi slt, %[[K0]], %[[N]]
// CHECK: nv.publish %[[RING]][%[[I]]], %[[LIVE0]] tile(%[[K0]] : index)
// CHECK: nv.commit %[[RING]][%[[I]]]
// CHECK: scf.while (%[[STAGE:.*]] = %{{.*}}, %[[K:.*]] = %[[AHEAD]], %[[SUM:.*]] = %[[X]])
// CHECK: %[[LIVE:.*]], %[[TILE:.*]], %[[SLOT:.*]] = nv.wait %[[RING]][%[[STAGE]]]
// CHECK: scf.condition(%[[LIVE]]) %[[TILE]], %[[SLOT]], %[[STAGE]], %[[K]], %[[SUM]]
// CHECK: } do {
// CHECK: ^bb0(%{{.*}}: index, %[[READ:.*]]: !llvm.ptr<3>, %[[NOW:.*]]: i32, %{{.*}}: index, %{{.*}}: f32):
// CHECK: arith.addi %[[NOW]], %{{.*}} : i32
// CHECK: %[[FILLED:.*]] = arith.select
// CHECK: nv.acquire %[[RING]][%[[FILLED]]]
// CHECK: nv.publish %[[RING]][%[[FILLED]]]
// CHECK: nv.commit %[[RING]][%[[FILLED]]]
// CHECK: llvm.load %[[READ]]
// CHECK: nv.release %[[RING]][%[[NOW]]]
// CHECK: scf.yield
// CHECK-NOT: nv.pipeline
!three = !nv.ring<stages = 3, slots = [128], tile = [index]>
func.func @three(%n: index, %x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %ring = nv.ring at 0 : !three
  %r = nv.pipeline %ring state(%c0 : index) init(%x : f32) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    %live = arith.cmpi slt, %k, %n : index
    %next = arith.addi %k, %c64 : index
    nv.produced %live tile(%k : index) next(%next : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index, %sum: f32):
    %y = llvm.load %slot : !llvm.ptr<3> -> f32
    %s = arith.addf %sum, %y : f32
    nv.yield %s : f32
  } : !three
  return %r : f32
}

// A single stage is filled, waited for and read in turn.

// CHECK-LABEL: func.func @one
// CHECK-NOT: scf.for
// CHECK: scf.while
// CHECK: nv.acquire
// CHECK: nv.publish
// CHECK: nv.commit
// CHECK: nv.wait
// CHECK: scf.condition
// CHECK: } do {
// CHECK-NOT: nv.acquire
// CHECK: nv.release
!one = !nv.ring<stages = 1, slots = [128], tile = [index]>
func.func @one(%n: index) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %ring = nv.ring at 0 : !one
  nv.pipeline %ring state(%c0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    %live = arith.cmpi slt, %k, %n : index
    %next = arith.addi %k, %c64 : index
    nv.produced %live tile(%k : index) next(%next : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } : !one
  return
}

// With a region for the first stage all of them are filled ahead: that stage is
// read before the loop, which fills it again when the next one has arrived. What
// the region yields is carried, and is no result.

// CHECK-LABEL: func.func @first
// CHECK-SAME: %[[N:.*]]: index, %[[X:.*]]: f32
// CHECK: %[[RING:.*]] = nv.ring at 0
// CHECK: %[[STAGES:.*]] = arith.constant 2 : i32
// CHECK: %[[AHEAD:.*]] = scf.for %[[I:.*]] = %{{.*}} to %[[STAGES]] step
// CHECK: nv.commit %[[RING]][%[[I]]]
// CHECK: %{{.*}}, %{{.*}}, %[[SLOT:.*]] = nv.wait %[[RING]][%[[ZERO:.*]]] behind 1
// CHECK: %[[BEFORE:.*]] = llvm.load %[[SLOT]]
// CHECK: nv.release %[[RING]][%[[ZERO]]]
// CHECK: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK: %[[END:.*]]:{{.*}} = scf.while (%[[STAGE:.*]] = %[[ONE]], %{{.*}} = %[[AHEAD]], %[[SUM:.*]] = %[[X]], %[[CARRIED:.*]] = %[[BEFORE]])
// CHECK: nv.wait %[[RING]][%[[STAGE]]] :
// CHECK: } do {
// CHECK: ^bb0(%{{.*}}: index, %[[READ:.*]]: !llvm.ptr<3>, %[[NOW:.*]]: i32, %{{.*}}: index, %[[SUM:.*]]: f32, %[[CARRIED:.*]]: f32):
// CHECK: nv.acquire
// CHECK: %[[NEXT:.*]] = llvm.load %[[READ]]
// CHECK: %[[ADDED:.*]] = arith.addf %[[SUM]], %[[CARRIED]]
// CHECK: nv.release %[[RING]][%[[NOW]]]
// CHECK: scf.yield %{{.*}}, %{{.*}}, %[[ADDED]], %[[NEXT]]
// CHECK: return %[[END]]#4
!first = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @first(%n: index, %x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %ring = nv.ring at 0 : !first
  %r = nv.pipeline %ring state(%c0 : index) init(%x : f32) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    %live = arith.cmpi sle, %k, %n : index
    %next = arith.addi %k, %c64 : index
    nv.produced %live tile(%k : index) next(%next : index)
  } first {
  ^bb0(%slot: !llvm.ptr<3>):
    %y = llvm.load %slot : !llvm.ptr<3> -> f32
    nv.yield %y : f32
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index, %sum: f32, %before: f32):
    %y = llvm.load %slot : !llvm.ptr<3> -> f32
    %s = arith.addf %sum, %before : f32
    nv.yield %s, %y : f32, f32
  } : !first
  return %r : f32
}
