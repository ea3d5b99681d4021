// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What is printed is what was written.
// RUN: heddle-opt %s | heddle-opt | FileCheck %s

// CHECK: func.func @pipeline(%[[N:.*]]: index, %[[X:.*]]: f32)
// CHECK: %[[R:.*]] = nv.ring at 8192 : <stages = 2, slots = [8192, 128], tile = [index, i32]>
// CHECK: nv.pipeline %[[R]] state(%{{.*}} : index) init(%[[X]] : f32) produce {
// CHECK: ^bb0(%{{.*}}: !llvm.ptr<3>, %{{.*}}: !llvm.ptr<3>, %[[K:.*]]: index):
// CHECK: nv.produced %{{.*}} tile(%[[K]], %{{.*}} : index, i32) next(%{{.*}} : index)
// CHECK: } consume {
// CHECK: ^bb0(%{{.*}}: !llvm.ptr<3>, %{{.*}}: !llvm.ptr<3>, %{{.*}}: index, %{{.*}}: i32, %[[S:.*]]: f32):
// CHECK: nv.yield %[[S]] : f32
// CHECK: } : <stages = 2, slots = [8192, 128], tile = [index, i32]>
!ring = !nv.ring<stages = 2, slots = [8192, 128], tile = [index, i32]>
func.func @pipeline(%n: index, %x: f32) -> f32 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : i32
  %c64 = arith.constant 64 : index
  %ring = nv.ring at 8192 : !ring
  %r = nv.pipeline %ring state(%c0 : index) init(%x : f32) produce {
  ^bb0(%a: !llvm.ptr<3>, %b: !llvm.ptr<3>, %k: index):
    %live = arith.cmpi slt, %k, %n : index
    %next = arith.addi %k, %c64 : index
    nv.produced %live tile(%k, %c1 : index, i32) next(%next : index)
  } consume {
  ^bb0(%a: !llvm.ptr<3>, %b: !llvm.ptr<3>, %k: index, %status: i32, %sum: f32):
    nv.yield %sum : f32
  } : !ring
  return %r : f32
}

// CHECK: func.func @first
// CHECK: nv.pipeline %{{.*}} state(%{{.*}} : index) produce {
// CHECK: } first {
// CHECK: ^bb0(%{{.*}}: !llvm.ptr<3>, %{{.*}}: !llvm.ptr<3>):
// CHECK: nv.yield %{{.*}} : f32
// CHECK: } consume {
// CHECK: ^bb0(%{{.*}}: !llvm.ptr<3>, %{{.*}}: !llvm.ptr<3>, %{{.*}}: index, %{{.*}}: i32, %[[S:.*]]: f32):
// CHECK: nv.yield %[[S]] : f32
// CHECK: nv.wait %{{.*}}[%{{.*}}] behind 1 : <
func.func @first(%ring: !ring, %n: index, %status: i32, %stage: i32) {
  %c0 = arith.constant 0 : index
  nv.pipeline %ring state(%c0 : index) produce {
  ^bb0(%a: !llvm.ptr<3>, %b: !llvm.ptr<3>, %k: index):
    %live = arith.cmpi slt, %k, %n : index
    nv.produced %live tile(%k, %status : index, i32) next(%n : index)
  } first {
  ^bb0(%a: !llvm.ptr<3>, %b: !llvm.ptr<3>):
    %x = llvm.load %a : !llvm.ptr<3> -> f32
    nv.yield %x : f32
  } consume {
  ^bb0(%a: !llvm.ptr<3>, %b: !llvm.ptr<3>, %k: index, %now: i32, %x: f32):
    nv.yield %x : f32
  } : !ring
  %l, %k, %now, %a, %b = nv.wait %ring[%stage] behind 1
    : !ring -> i1, (index, i32), (!llvm.ptr<3>, !llvm.ptr<3>)
  return
}

// CHECK: func.func @stage(%[[R:.*]]: !nv.ring<{{.*}}>, %[[S:.*]]: i32, %[[L:.*]]: i1, %[[K:.*]]: index)
// CHECK: nv.acquire %[[R]][%[[S]]] : <{{.*}}> -> !llvm.ptr<3>
// CHECK: nv.publish %[[R]][%[[S]]], %[[L]] tile(%[[K]] : index) : <
// CHECK: nv.commit %[[R]][%[[S]]] : <
// CHECK: nv.wait %[[R]][%[[S]]] : <{{.*}}> -> i1, (index), (!llvm.ptr<3>)
// CHECK: nv.release %[[R]][%[[S]]] : <
!one = !nv.ring<stages = 1, slots = [128], tile = [index]>
func.func @stage(%r: !one, %s: i32, %live: i1, %k: index) {
  %slot = nv.acquire %r[%s] : !one -> !llvm.ptr<3>
  nv.publish %r[%s], %live tile(%k : index) : !one
  nv.commit %r[%s] : !one
  %l, %k1, %slot1 = nv.wait %r[%s] : !one -> i1, (index), (!llvm.ptr<3>)
  nv.release %r[%s] : !one
  return
}
