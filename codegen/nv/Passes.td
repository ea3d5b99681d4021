// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_PASSES_TD
#define HEDDLE_CODEGEN_NV_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileToNv : Pass<"tile-to-nv", "::mlir::ModuleOp"> {
  let summary = "tile kernels as the code of a CTA of an NVIDIA GPU";
  let description = [{
    Replaces every kernel function of the kinds `"task"` and `"columns"` whose
    level belongs to this target by an `llvm.func` that a CTA runs; kernels of
    other levels, and those that count and check, are left alone. The function has
    one parameter, the block of a launch (`heddle_device_launch`), passed by
    value. Every thread runs all of it, scalars are the same in all of them. Warp
    w owns query rows [w * rows, (w + 1) * rows): scores, weights and outputs are
    the registers of `mma.sync` accumulators, row statistics one value per row,
    equal in the four lanes of a row. Rows of q, k and v lie in shared memory in
    their element type; a factor on queries is applied to the scores. The loop
    over key tiles becomes an `nv.pipeline`: its producer walks the live tiles
    and starts the copies, its consumer does the rest. Where there are registers for
    the scores of two tiles, the consumer is a tile ahead with them: a stage has the
    keys of a tile, and the values and coordinates of the tile before, whose softmax
    stands in one block with the product of the next scores. A loop that gathers
    columns becomes a pipeline too; its producer lists the tokens in the stage. Masks are made element by
    element from the formula, in a branch on the tile's status that all threads
    take. Shared memory and threads are left as `nv.shared_bytes` and
    `nv.threads`.

    ```mlir
    // before
    func.func @k_task(…) attributes {tile.kernel = "task", tile.entry = #attn.entry<…>} {
      %c = tile.scale %o, %f : tensor<64x64xf32>
    // after
    llvm.func @k_task(%block: !llvm.ptr {llvm.byval = !llvm.array<560 x i8>, …})
        attributes {nvvm.kernel, nv.shared_bytes = 41088, nv.threads = 128, …} {
      %c0 = arith.mulf %o0, %f : f32
      %c1 = arith.mulf %o1, %f : f32
    ```

    ```mlir
    // before
    %r:3 = tile.foreach %tiles init(%o, %m, %l : …) {
    ^bb0(%k0: index, %status: i32, …):
      %keys = tile.load %k[…, %k0]
      %s = tile.scores %q, %keys
      %p, … = tile.softmax_step %s, …
      %values = tile.load %v[…, %k0]
      …
    // after, with scores a tile ahead
    nv.pipeline %ring … produce {
    ^bb0(%keys: !llvm.ptr<3>, %values: !llvm.ptr<3>, …):
      … // copies keys of the next tile, values of the tile before it
    } first {
    ^bb0(%keys: !llvm.ptr<3>, %values: !llvm.ptr<3>):
      … // %s0, scores of the first tile
      nv.yield %s0, … : f32, …
    } consume {
    ^bb0(%keys: !llvm.ptr<3>, %values: !llvm.ptr<3>, …, %s: f32, …):
      … // %n, scores of the keys; softmax of %s; product with the values
      nv.yield …, %n, … : …, f32, …
    ```
  }];
  let dependentDialects = [
    "::heddle::nv::NvDialect", "::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def NvAssignRoles : Pass<"nv-assign-roles", "::mlir::ModuleOp"> {
  let summary = "pipelines as loops of the warps that run them";
  let description = [{
    Every warp plays both roles, as devices without asynchronous copies of whole
    tiles want it: every turn of the loop waits for a tile, fills the stage that
    the turn before has freed, and consumes the tile. The first turns, one less
    than there are stages, only fill, so that the code that fills is there once.
    With one stage a turn fills it, waits and consumes. With a first region all
    stages are filled ahead of the loop; the region reads stage 0, and the stage
    that is consumed first is the next one. The protocol of the stages is spelled
    out, for warps of one role to be split off by the same operations.

    ```mlir
    // before
    %r = nv.pipeline %ring state(%s : i64) init(%x : f32) produce {
    ^bb0(%slot: !llvm.ptr<3>, %k: i64):
      …
      nv.produced %live tile(%k : i64) next(%n : i64)
    } consume {
    ^bb0(%slot: !llvm.ptr<3>, %k: i64, %c: f32):
      …
      nv.yield %d : f32
    } : !nv.ring<stages = 2, slots = [8192], tile = [i64]>
    // after
    %w:6 = scf.while (%stage = %c1, %turns = %c1, %k = %s, %c = %x) {
      %consumes = arith.cmpi eq, %turns, %c0
      %live, %tile, %slot = scf.if %consumes {
        nv.wait %ring[%stage]
      } else { … } // true, and nothing
      scf.condition(%live) %tile, %slot, %stage, %turns, %k, %c
    } do {
      %fill = nv.acquire %ring[%before]
      …
      nv.publish %ring[%before], %live tile(%k : i64)
      nv.commit %ring[%before]
      %d = scf.if %consumes {
        … // consumes
        nv.release %ring[%stage]
      } else { … } // %c
      scf.yield %next, %less, %n, %d : i32, i32, i64, f32
    }
    ```

    ```mlir
    // before
    } first {
    ^bb0(%slot: !llvm.ptr<3>):
      …
      nv.yield %y : f32
    } consume {
    ^bb0(%slot: !llvm.ptr<3>, %k: i64, %c: f32, %z: f32):
    // after
    %s2 = scf.for %i = %c0 to %c2 step %c1 iter_args(%k = %s) -> i64 { … }
    %live, %tile, %slot = nv.wait %ring[%c0] behind 1
    … // %y
    nv.release %ring[%c0]
    %w:6 = scf.while (%stage = %c1, %k = %s2, %c = %x, %z = %y) {
    ```
  }];
  let dependentDialects = [
    "::heddle::nv::NvDialect", "::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect"];
}

def NvLowerRings : Pass<"nv-lower-rings", "::mlir::ModuleOp"> {
  let summary = "the protocol of rings as copies, barriers and memory";
  let description = [{
    A stage is a piece of the CTA's dynamic shared memory. A committed stage is a
    group of asynchronous copies; a wait is one for the group and a barrier, after
    which all threads see the stage, and everybody has read the tile before it, so
    that its stage may be filled. What is published is written by one thread and
    read by all.

    ```mlir
    // before
    nv.commit %ring[%s] : !nv.ring<stages = 2, slots = [8192], tile = [i64]>
    %live, %k, %slot = nv.wait %ring[%t] : … -> i1, (i64), (!llvm.ptr<3>)
    // after
    nvvm.cp.async.commit.group
    nvvm.cp.async.wait.group 0
    nvvm.barrier0
    %l = llvm.load %record : !llvm.ptr<3> -> i32
    %k = llvm.load %field : !llvm.ptr<3> -> i64
    ```
  }];
  let dependentDialects = [
    "::heddle::nv::NvDialect", "::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect"];
}

#endif // HEDDLE_CODEGEN_NV_PASSES_TD
