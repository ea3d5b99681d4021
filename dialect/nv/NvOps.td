// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_NV_OPS_TD
#define HEDDLE_NV_OPS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Dialect/LLVMIR/LLVMOpBase.td"

def Nv_Dialect : Dialect {
  let name = "nv";
  let summary = "rings of shared memory between copies and products";
  let description = [{
    The level of a kernel that one CTA of an NVIDIA GPU runs. Fragments of tiles
    are f32 values of a thread, everything else of it is `arith`, `scf`, `llvm`
    and `nvvm`; what this dialect adds is how tiles of keys and values get from
    global memory to the products: through a *ring* of stages in shared memory.

    A stage is in turn acquired by who fills it, filled, published (which tile it
    is, or that there is none any more), committed, waited for by who reads it,
    read and released. Only the producer knows what comes next; the consumer reads
    it from the stage. `nv.pipeline` holds both sides; `nv-assign-roles` decides
    which warps play them, and `nv-lower-rings` makes the protocol into copies,
    barriers and memory.
  }];
  let cppNamespace = "::heddle::nv";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
  let useDefaultTypePrinterParser = 1;
}

class Nv_Op<string mnemonic, list<Trait> traits = []>
    : Op<Nv_Dialect, mnemonic, traits>;

def Nv_RingType : TypeDef<Nv_Dialect, "Ring"> {
  let mnemonic = "ring";
  let summary = "stages of shared memory that tiles pass through";
  let description = [{
    Every one of the `stages` has a slot of so many bytes for each of `slots`,
    and a record of the values that say which tile it holds. The stages lie one
    after the other, each slot at a multiple of 128 bytes; the records follow.

    Example: `!nv.ring<stages = 2, slots = [8192, 8192], tile = [index, i32]>`
    has room for two pairs of 8 KB, each with a position and a status.

    Rules: `[ring-1]` there is a stage; `[ring-2]` slots are positive multiples of
    128 bytes; `[ring-3]` the values of a tile are `index`, `i32` or `i64`.
  }];
  let parameters = (ins "int64_t":$stages, ArrayRefParameter<"int64_t">:$slots,
                        ArrayRefParameter<"::mlir::Type">:$tile);
  let assemblyFormat = [{
    `<` `stages` `=` $stages `,` `slots` `=` `[` $slots `]` `,`
    `tile` `=` `[` $tile `]` `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Bytes of the slots of a stage, and of its record.
    int64_t getSlotBytes() const;
    int64_t getRecordBytes() const;
    /// Bytes of the whole ring, a multiple of 128.
    int64_t getBytes() const;
  }];
}

def Nv_Slot : LLVM_PointerInAddressSpace<3>;

def Nv_RingOp : Nv_Op<"ring"> {
  let summary = "a ring in the shared memory of the CTA";
  let description = [{
    The ring begins `offset` bytes into the CTA's dynamic shared memory. All
    threads of the CTA have to arrive there before its stages are used: others may
    have had the memory. Memory that is `free` nobody can still be using.

    Rules: `[place-1]` the offset is a multiple of 128 and not negative.

    Example:

    ```mlir
    func.func @f() {
      %r = nv.ring at 8192
        : !nv.ring<stages = 2, slots = [8192, 8192], tile = [index, i32]>
      return
    }
    ```
  }];
  let arguments = (ins I64Attr:$offset, UnitAttr:$free);
  let results = (outs Nv_RingType:$ring);
  let assemblyFormat = "(`free` $free^)? `at` $offset attr-dict `:` type($ring)";
  let hasVerifier = 1;
}

def Nv_PipelineOp : Nv_Op<"pipeline", [
    AttrSizedOperandSegments, InferTypeOpAdaptor]> {
  let summary = "a producer of tiles and a consumer, joined by a ring";
  let description = [{
    The *produce* region runs once per stage that it fills. It gets the slots to
    fill and the producer's state, starts the copies, and ends in `nv.produced`
    with the tile and the next state. The *consume* region runs once per tile, in
    the order in which they were produced, with the slots, which are complete, the
    values of the tile and the values that it carries. When the producer says
    that there is no tile, the loop ends after the last one; the carried values
    are the results. The producer runs ahead by at most `stages` tiles, and may
    run again after it has said so: it must then say so again.

    With a *first* region the stage that is filled first is for this region alone,
    whatever the producer says of it; what it yields is carried as well, behind the
    initial values, and is no result. So a consumer can be a step ahead of itself:
    a stage holds what is to be done of one tile now and of the next one already.

    No region sees values of another; all may use values from outside, and hold
    barriers of the whole CTA in uniform control flow.

    Rules: `[pipeline-1]` the arguments of the produce region are the slots and
    the types of the state; `[pipeline-2]` those of the consume region are the
    slots, the values of a tile and the types of what is carried;
    `[pipeline-3]` it yields values of the latter types; `[pipeline-4]` the
    arguments of a first region are the slots, and it ends in `nv.yield`;
    `[pipeline-5]` its ring has two stages or more.

    Example:

    ```mlir
    func.func @f(%ring: !nv.ring<stages = 2, slots = [8192], tile = [index]>,
                 %n: index, %x: f32) -> f32 {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
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
      } : !nv.ring<stages = 2, slots = [8192], tile = [index]>
      return %r : f32
    }
    ```

    The same sum, which adds the number of a stage before this one. A stage is
    published as that of the tile before; the first one is read by who it is for:

    ```mlir
    func.func @f(%ring: !nv.ring<stages = 2, slots = [8192], tile = [index]>,
                 %n: index, %x: f32) -> f32 {
      %c0 = arith.constant 0 : index
      %c64 = arith.constant 64 : index
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
      } : !nv.ring<stages = 2, slots = [8192], tile = [index]>
      return %r : f32
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, Variadic<AnyType>:$state,
                       Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$produce, MaxSizedRegion<1>:$first,
                        SizedRegion<1>:$consume);
  let assemblyFormat = [{
    $ring (`state` `(` $state^ `:` type($state) `)`)?
    (`init` `(` $inits^ `:` type($inits) `)`)?
    `produce` $produce (`first` $first^)? `consume` $consume
    attr-dict `:` type($ring)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::heddle::nv::ProducedOp getProduced();
    ::heddle::nv::YieldOp getYield();
    /// What is carried from tile to tile.
    ::mlir::SmallVector<::mlir::Type> getCarriedTypes();
  }];
}

def Nv_ProducedOp : Nv_Op<"produced", [
    Pure, Terminator, AttrSizedOperandSegments, ParentOneOf<["PipelineOp"]>]> {
  let summary = "what a stage was filled with";
  let description = [{
    Ends the produce region of an `nv.pipeline`: whether there is a tile, which
    one, and the producer's next state. Without a tile, its values mean nothing;
    see there for an example.

    Rules: `[produced-1]` the tile has the types of the ring, the state those of
    the pipeline's state.
  }];
  let arguments = (ins I1:$live, Variadic<AnyType>:$tile,
                       Variadic<AnyType>:$state);
  let assemblyFormat = [{
    $live (`tile` `(` $tile^ `:` type($tile) `)`)?
    (`next` `(` $state^ `:` type($state) `)`)? attr-dict
  }];
}

def Nv_YieldOp : Nv_Op<"yield", [
    Pure, Terminator, ReturnLike, ParentOneOf<["PipelineOp"]>]> {
  let summary = "the values that a consumer carries on";
  let description = [{
    Ends the first and the consume region of an `nv.pipeline`; see there for
    examples. Fails to verify elsewhere.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
}

//===----------------------------------------------------------------------===//
// The protocol of a stage
//===----------------------------------------------------------------------===//

def Nv_AcquireOp : Nv_Op<"acquire"> {
  let summary = "waits until a stage may be filled";
  let description = [{
    After it, everybody has released the stage's last tile. Gives the slots. The
    stage is a number below the ring's stages; so for the following operations.

    Rules: `[acquire-1]` there is one pointer per slot.

    Example:

    ```mlir
    func.func @f(%r: !nv.ring<stages = 2, slots = [8192], tile = [index]>, %s: i32) {
      %slot = nv.acquire %r[%s]
        : !nv.ring<stages = 2, slots = [8192], tile = [index]> -> !llvm.ptr<3>
      return
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, I32:$stage);
  let results = (outs Variadic<Nv_Slot>:$slots);
  let assemblyFormat = [{
    $ring `[` $stage `]` attr-dict `:` type($ring) `->` type($slots)
  }];
  let hasVerifier = 1;
}

def Nv_PublishOp : Nv_Op<"publish"> {
  let summary = "says which tile a stage holds, or that there is none";
  let description = [{
    With `live` false, nothing follows this stage. Seen by who waits for the
    stage after it was committed.

    Rules: `[publish-1]` the values have the types of the ring.

    Example:

    ```mlir
    func.func @f(%r: !nv.ring<stages = 2, slots = [8192], tile = [index]>, %s: i32,
                 %live: i1, %k: index) {
      nv.publish %r[%s], %live tile(%k : index)
        : !nv.ring<stages = 2, slots = [8192], tile = [index]>
      return
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, I32:$stage, I1:$live,
                       Variadic<AnyType>:$tile);
  let assemblyFormat = [{
    $ring `[` $stage `]` `,` $live (`tile` `(` $tile^ `:` type($tile) `)`)?
    attr-dict `:` type($ring)
  }];
  let hasVerifier = 1;
}

def Nv_CommitOp : Nv_Op<"commit"> {
  let summary = "ends the filling of a stage";
  let description = [{
    The copies that were started since the stage was acquired belong to it. Stages
    are committed in their order. Never fails.

    Example:

    ```mlir
    func.func @f(%r: !nv.ring<stages = 2, slots = [8192], tile = [index]>, %s: i32) {
      nv.commit %r[%s] : !nv.ring<stages = 2, slots = [8192], tile = [index]>
      return
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, I32:$stage);
  let assemblyFormat = "$ring `[` $stage `]` attr-dict `:` type($ring)";
}

def Nv_WaitOp : Nv_Op<"wait", [AttrSizedResultSegments]> {
  let summary = "waits until a stage is filled";
  let description = [{
    Gives whether it holds a tile, and if so which one, and the slots. Of the
    stages that were committed after this one so many as are `behind` may still be
    under way; without the number, all but one of the others: that one was read
    before this stage and is filled next.

    Rules: `[wait-1]` there are as many values as the ring's tiles have, of their
    types, and one pointer per slot.

    Example:

    ```mlir
    func.func @f(%r: !nv.ring<stages = 2, slots = [8192], tile = [index]>, %s: i32) {
      %live, %k, %slot = nv.wait %r[%s]
        : !nv.ring<stages = 2, slots = [8192], tile = [index]>
          -> i1, (index), (!llvm.ptr<3>)
      return
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, I32:$stage,
      OptionalAttr<ConfinedAttr<I64Attr, [IntNonNegative]>>:$behind);
  let results = (outs I1:$live, Variadic<AnyType>:$tile, Variadic<Nv_Slot>:$slots);
  let assemblyFormat = [{
    $ring `[` $stage `]` (`behind` $behind^)? attr-dict `:` type($ring) `->` type($live) `,`
    `(` type($tile) `)` `,` `(` type($slots) `)`
  }];
  let hasVerifier = 1;
  
}

def Nv_ReleaseOp : Nv_Op<"release"> {
  let summary = "gives a stage back";
  let description = [{
    Its tile is not read any more by who calls it. Never fails.

    Example:

    ```mlir
    func.func @f(%r: !nv.ring<stages = 2, slots = [8192], tile = [index]>, %s: i32) {
      nv.release %r[%s] : !nv.ring<stages = 2, slots = [8192], tile = [index]>
      return
    }
    ```
  }];
  let arguments = (ins Nv_RingType:$ring, I32:$stage);
  let assemblyFormat = "$ring `[` $stage `]` attr-dict `:` type($ring)";
}

#endif // HEDDLE_NV_OPS_TD
