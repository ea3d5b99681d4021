// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{[ring-1] expected at least one stage, found 0}}
func.func @stages(%r: !nv.ring<stages = 0, slots = [128], tile = [index]>) {
  return
}

// -----

// expected-error @below {{[ring-2] expected slots of a positive multiple of 128 bytes, found 100}}
func.func @slots(%r: !nv.ring<stages = 1, slots = [128, 100], tile = [index]>) {
  return
}

// -----

// expected-error @below {{[ring-3] expected values of the types index, i32 or i64, found 'f32'}}
func.func @tile(%r: !nv.ring<stages = 1, slots = [128], tile = [index, f32]>) {
  return
}

// -----

func.func @place() {
  // expected-error @below {{[place-1] expected an offset that is a multiple of 128 and not negative, found 64}}
  %r = nv.ring at 64 : !nv.ring<stages = 1, slots = [128], tile = [index]>
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @produce(%r: !ring, %x: f32, %true: i1) {
  // expected-error @below {{[pipeline-1] expected a produce region with a pointer per slot and the types of the state}}
  nv.pipeline %r state(%x : f32) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @consume(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[pipeline-2] expected a consume region with a pointer per slot, the values of a tile and the types of what is carried}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: i32):
    nv.yield
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @produced(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[produced-1] expected the produce region to end in 'nv.produced' with the values of a tile of the ring and the types of the state}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @yield(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[pipeline-3] expected the consume region to end in 'nv.yield' with the types of what is carried}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield %k : index
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @first(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[pipeline-4] expected a first region with a pointer per slot that ends in 'nv.yield'}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } first {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 1, slots = [128], tile = [index]>
func.func @first_of_one(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[pipeline-5] expected a ring of two stages or more for a first region, found one}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } first {
  ^bb0(%slot: !llvm.ptr<3>):
    nv.yield
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.yield
  } : !ring
  return
}

// -----

!ring = !nv.ring<stages = 2, slots = [128], tile = [index]>
func.func @carried(%r: !ring, %k0: index, %true: i1) {
  // expected-error @below {{[pipeline-3] expected the consume region to end in 'nv.yield' with the types of what is carried}}
  nv.pipeline %r state(%k0 : index) produce {
  ^bb0(%slot: !llvm.ptr<3>, %k: index):
    nv.produced %true tile(%k : index) next(%k : index)
  } first {
  ^bb0(%slot: !llvm.ptr<3>):
    nv.yield %k0 : index
  } consume {
  ^bb0(%slot: !llvm.ptr<3>, %k: index, %before: index):
    nv.yield
  } : !ring
  return
}

// -----

func.func @acquire(%r: !nv.ring<stages = 2, slots = [128, 256], tile = [index]>, %s: i32) {
  // expected-error @below {{[acquire-1] expected one pointer per slot of the ring}}
  %slot = nv.acquire %r[%s] : !nv.ring<stages = 2, slots = [128, 256], tile = [index]> -> !llvm.ptr<3>
  return
}

// -----

func.func @publish(%r: !nv.ring<stages = 2, slots = [128], tile = [index, i32]>,
                   %s: i32, %live: i1, %k: index) {
  // expected-error @below {{[publish-1] expected the values of a tile of the ring}}
  nv.publish %r[%s], %live tile(%k : index)
    : !nv.ring<stages = 2, slots = [128], tile = [index, i32]>
  return
}

// -----

func.func @wait(%r: !nv.ring<stages = 2, slots = [128], tile = [index]>, %s: i32) {
  // expected-error @below {{[wait-1] expected the values of a tile of the ring and one pointer per slot}}
  %live, %k, %slot = nv.wait %r[%s]
    : !nv.ring<stages = 2, slots = [128], tile = [index]> -> i1, (i32), (!llvm.ptr<3>)
  return
}

// -----

func.func @outside(%x: f32) {
  // expected-error @below {{expects parent op 'nv.pipeline'}}
  nv.yield %x : f32
}
