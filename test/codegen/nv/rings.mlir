// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --nv-lower-rings --split-input-file --verify-diagnostics | FileCheck %s

// A ring of two stages at byte 1024: slots of 512 and 128 bytes, then records of
// 24 bytes each. The group of a stage may not be under way when it is waited for,
// and one thread writes what all of them read.

llvm.mlir.global external @heddle_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>

// CHECK-LABEL: func.func @two
// CHECK-SAME: %[[S:.*]]: i32, %[[LIVE:.*]]: i1, %[[K:.*]]: index, %[[ST:.*]]: i32
// CHECK: nvvm.barrier0
// CHECK: %[[SHARED:.*]] = llvm.mlir.addressof @heddle_shared
// CHECK: %[[AT:.*]] = arith.constant 1024
// CHECK: %[[BASE:.*]] = llvm.getelementptr %[[SHARED]][%[[AT]]]
// CHECK-NOT: nvvm.barrier0
// CHECK: %[[BYTES:.*]] = arith.constant 640 : i32
// CHECK: arith.muli %[[S]], %[[BYTES]]
// CHECK: arith.constant 512 : i32
// CHECK: %[[THREAD:.*]] = nvvm.read.ptx.sreg.tid.x
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[THREAD]], %{{.*}}
// CHECK: scf.if %[[FIRST]] {
// CHECK: %[[FLAG:.*]] = arith.extui %[[LIVE]]
// CHECK: arith.constant 24 : i32
// CHECK: arith.constant 1280 : i32
// CHECK: llvm.store %[[FLAG]]
// CHECK: %[[WIDE:.*]] = arith.index_cast %[[K]]
// CHECK: arith.constant 1288 : i32
// CHECK: llvm.store %[[WIDE]]
// CHECK: arith.constant 1296 : i32
// CHECK: llvm.store %[[ST]]
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: nvvm.barrier0
// CHECK: %[[READ:.*]] = llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK: arith.cmpi ne, %[[READ]], %{{.*}}
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> i64
// CHECK: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK-NOT: nv.
!two = !nv.ring<stages = 2, slots = [512, 128], tile = [index, i32]>
func.func @two(%s: i32, %live: i1, %k: index, %status: i32) -> (i1, index, i32) {
  %r = nv.ring at 1024 : !two
  %a, %b = nv.acquire %r[%s] : !two -> !llvm.ptr<3>, !llvm.ptr<3>
  nv.publish %r[%s], %live tile(%k, %status : index, i32) : !two
  nv.commit %r[%s] : !two
  %l, %k1, %st, %c, %d = nv.wait %r[%s] : !two -> i1, (index, i32), (!llvm.ptr<3>, !llvm.ptr<3>)
  nv.release %r[%s] : !two
  return %l, %k1, %st : i1, index, i32
}

// -----

// Memory that nobody can be using needs no barrier before its first use.

llvm.mlir.global external @heddle_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>

// CHECK-LABEL: func.func @free
// CHECK-NOT: nvvm.barrier0
// CHECK: nvvm.cp.async.commit.group
// CHECK-NOT: nvvm.barrier0
// CHECK: return
!free = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @free(%s: i32) {
  %r = nv.ring free at 0 : !free
  %a = nv.acquire %r[%s] : !free -> !llvm.ptr<3>
  nv.commit %r[%s] : !free
  return
}

// -----

// A single stage is acquired behind a barrier; of four, the two behind the one
// that is waited for may be under way.

llvm.mlir.global external @heddle_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>

// CHECK-LABEL: func.func @one
// CHECK: nvvm.barrier0
// CHECK: nvvm.barrier0
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: nvvm.barrier0
!one = !nv.ring<stages = 1, slots = [128], tile = [i64]>
func.func @one(%s: i32) {
  %r = nv.ring at 0 : !one
  %a = nv.acquire %r[%s] : !one -> !llvm.ptr<3>
  nv.commit %r[%s] : !one
  %l, %k, %b = nv.wait %r[%s] : !one -> i1, (i64), (!llvm.ptr<3>)
  return
}

// CHECK-LABEL: func.func @four
// CHECK: nvvm.cp.async.wait.group 2
!four = !nv.ring<stages = 4, slots = [128], tile = [i64]>
func.func @four(%s: i32) {
  %r = nv.ring at 0 : !four
  %l, %k, %b = nv.wait %r[%s] : !four -> i1, (i64), (!llvm.ptr<3>)
  return
}

// -----

!ring = !nv.ring<stages = 1, slots = [128], tile = [i64]>
func.func @pipeline(%k0: i64, %true: i1) {
  %r = nv.ring at 0 : !ring
  // expected-error @below {{uses a ring beyond the protocol of its stages; run 'nv-assign-roles' first}}
  nv.pipeline %r state(%k0 : i64) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: i64):
    nv.produced %true tile(%k : i64) next(%k : i64)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: i64):
    nv.yield
  } : !ring
  return
}

// -----

// Stages that are known to be under way behind a stage are not waited for.

llvm.mlir.global external @heddle_shared() {addr_space = 3 : i32, alignment = 128 : i64} : !llvm.array<0 x i8>

// CHECK-LABEL: func.func @behind
// CHECK: nvvm.cp.async.wait.group 1
!behind = !nv.ring<stages = 2, slots = [128], tile = [i64]>
func.func @behind(%s: i32) -> i1 {
  %r = nv.ring free at 0 : !behind
  %l, %k, %a = nv.wait %r[%s] behind 1 : !behind -> i1, (i64), (!llvm.ptr<3>)
  return %l : i1
}
