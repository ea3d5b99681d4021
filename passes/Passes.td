// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_PASSES_TD
#define HEDDLE_PASSES_TD

include "mlir/Pass/PassBase.td"

def AttnNormalizePattern : Pass<"attn-normalize-pattern", "::mlir::ModuleOp"> {
  let summary = "writes every pattern as a formula";
  let description = [{
    Fills in the `formula` of every `attn.pattern`: negation normal form, affine
    expressions in canonical order, interval atoms that share a form merged (see
    `#attn.formula`). Minima and maxima become conjunctions and disjunctions of
    comparisons; parameters stay symbolic. An operation that has no place in a
    formula (a product of two variables, a division by a parameter) is an error
    at that operation. Afterwards every pattern has a formula; the region stays,
    it is what the reference interpreter runs. Score regions are folded, and one
    that leaves every score as it is disappears: a temperature of 1 costs
    nothing.

    Before:

    ```mlir
    attn.pattern @sliding_window(%window: index) keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %window : index
      %kept = arith.andi %past, %near : i1
      attn.keep %kept
    } score(%s, %b, %h, %q, %k) {
      %one = arith.constant 1.0 : f32
      %y = arith.mulf %s, %one : f32
      attn.score %y
    }
    ```

    After:

    ```mlir
    attn.pattern @sliding_window(%window: index) keep(%b, %h, %q, %k)
        formula #attn.formula<q - k in interval<0, p0>> { … }
    ```
  }];
}

def AttnFuseMerge : Pass<"attn-fuse-merge", "::mlir::ModuleOp"> {
  let summary = "a merge of attentions as one attention over several sources";
  let description = [{
    A row's softmax over the keys of several attentions is what their merge by
    log-sum-exp gives: an `attn.merge` of attentions of one q, scale, origin and
    schedule becomes one `attn.attention` under an `attn.combine`, which keeps the
    sums in registers and writes no partial result. Merges of merges are
    flattened first. Parameters that have one name but different arguments get
    names of their own, in copies of their patterns. A part that is no attention,
    whose results are used elsewhere, or whose pattern cannot be combined
    (`[combine-3]`) stays a part of a merge, with a remark that says why.

    Before:

    ```mlir
    %o0, %l0 = attn.attention @window(%w : index) q(%q) k(%k0) v(%v0) scale(%s) : …
    %o1, %l1 = attn.attention @all() q(%q) k(%k1) v(%v1) scale(%s) : …
    %o, %lse = attn.merge o(%o0, %o1 : …) lse(%l0, %l1 : …) -> …
    ```

    After:

    ```mlir
    attn.combine @window_and_all [@window, @all]
    …
    %o, %lse = attn.attention @window_and_all(%w : index) q(%q) k(%k0) v(%v0)
      scale(%s) and k(%k1 : …) v(%v1 : …) : …
    ```
  }];
  let dependentDialects = ["::heddle::attn::AttnDialect"];
}

def AttnPackHeads : Pass<"attn-pack-heads", "::mlir::ModuleOp"> {
  let summary = "adds kernels whose rows are the heads of a group";
  let description = [{
    For every function with the attribute `attn.short_queries`, which disappears,
    adds one with the attribute `attn.packed` that does the same under a pattern
    derived from its own:

    `P'(b, h, r, k) = P(b, row_head + r, row_position, k)
                      and key_begin <= k < key_end`

    with four more parameters behind those of P. A tile of rows is then the query
    heads that share a head of k and v, all at one position, and a row's keys may
    be split: what decoding wants (see docs/rationale/decode.md). The result o is
    f32 whatever it was, but for levels of devices. The runtime fills in the hidden parameters, exchanges
    heads and queries in the strides of q, and merges the parts of a row.

    A remark says why where there is no such pattern: several sources, a token
    grid, a grouped softmax, outputs by columns.

    Before:

    ```mlir
    attn.pattern @head_windows(%w: tensor<?xindex>) keep(%b, %h, %q, %k) {
      %n = attn.at %w[%h] : tensor<?xindex>
      %d = arith.subi %q, %k : index
      %near = arith.cmpi slt, %d, %n : index
      attn.keep %near
    }
    func.func @f(…) attributes {attn.short_queries} { … }
    ```

    After:

    ```mlir
    attn.pattern @head_windows(…) …
    attn.pattern @head_windows_packed(%w: tensor<?xindex>, %row_head: index,
        %row_position: index, %key_begin: index, %key_end: index)
        keep(%b, %h, %q, %k) {
      %0 = arith.addi %row_head, %q : index
      %n = attn.at %w[%0] : tensor<?xindex>
      %d = arith.subi %row_position, %k : index
      %near = arith.cmpi slt, %d, %n : index
      … // %k in [%key_begin, %key_end)
      attn.keep %kept
    }
    func.func @f(…) { … }
    func.func @f_packed(…) attributes {attn.packed} { … }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def AttnAssignSchedule : Pass<"attn-assign-schedule", "::mlir::ModuleOp"> {
  let summary = "chooses the sizes every kernel is built with";
  let description = [{
    Gives every function that holds an `attn.attention` the attribute
    `tile.entry`: its kernel's name, the level its code is for, head dims and a
    schedule, the element types in memory and the outputs asked for. Name and
    level come from the attributes `attn.kernel` and `attn.level` of the function,
    which disappear; without them from the function's name and the option. A
    schedule on the operation wins over the target's choice and is checked against
    what the target can build. On a token grid a schedule has boxes; under a
    grouped normaliser its key tile is a group; and block maxima want a key tile
    that does not cut a block.

    Before:

    ```mlir
    func.func @f(…) attributes {attn.kernel = "dense", attn.level = "x"} {
      %o, %lse = attn.attention @dense() … : tensor<?x?x?x64xf32>, …
    ```

    After:

    ```mlir
    func.func @f(…) attributes {tile.entry = #attn.entry<"dense", @dense, "x",
        qk = 64, v = 64, types = f32 to f32,
        <row_max = false, column_sums = false, block_max = 0 by 0>,
        <query_tile = 48, key_tile = 64, …>>} {
      %o, %lse = attn.attention @dense() … : tensor<?x?x?x64xf32>, …
    ```
  }];
  let options = [
    Option<"level", "level", "std::string", "\"\"",
           "level for functions without the attribute 'attn.level' (default: the "
           "best one this machine can run)">];
}

def AttnTile : Pass<"attn-tile", "::mlir::ModuleOp"> {
  let summary = "attention as a loop over the live key tiles of a query tile";
  let description = [{
    Every function with `tile.entry` becomes kernel functions at the tile level
    (see the `tile` dialect for their arguments): `<name>_task`, which computes one
    query tile of one head (with `heads` in the schedule of several, each in a
    `tile.each_head`), `<name>_count`, which counts what that task visits,
    and `<name>_check`, which says whether a problem meets the pattern's conditions
    and stays inside its tables; with column sums or block maxima further
    `<name>_columns`, which sweeps one tile of a source's keys when all tasks are
    done. The function must do nothing but the attention, on its own arguments.
    Requires formulas and entries; afterwards no `attn.attention` is left in such
    functions.

    Before:

    ```mlir
    func.func @f(%q: tensor<?x?x?x64xf32>, …) attributes {tile.entry = …} {
      %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s) : …
      return %o, %lse : …
    }
    ```

    After:

    ```mlir
    func.func @f_task(%b: index, %h: index, %tile: index, …) {
      %tiles = attn.tiles #attn.formula<all(q - k in interval<0, inf>, k in interval<-inf, n>)>
        at(%b, %h, %q0) keys(%n) tile 48 x 64
      %acc:3 = tile.foreach %tiles init(%o0, %m0, %l0 : …) {
      ^bb0(%k0: index, %status: i32, %o: …, %m: …, %l: …):
        %k = tile.load %keys[%b, %kv, %k0] : …
        %s = tile.scores %q, %k : …
        %bits = tile.bits … status(%status) : tensor<48x64xi1>
        %x = tile.mask %s, %bits : …
        %p, %m1, %l1, %alpha = tile.softmax_step %x, %m, %l : …
        …
      }
      %r, %lse = tile.finish %acc#0, %acc#1, %acc#2 : …
      tile.store %r, %out[%b, %h, %i0] : …
    ```

    What a pattern's clauses change:

    - *a score region* becomes the region of a `tile.modify`; a normaliser without
      a sum (sigmoid, relu, …) ends that region, and there is no maximum, no sum
      and no rescaling, only `tile.accumulate`;
    - *a sink* is a column of its own behind all keys: a `tile.modify` and a
      `tile.softmax_step`, in code for short queries in the part that has the
      first key;
    - *`grouped`* puts `tile.regroup` in the place of the mask;
    - *`rotate`* puts `tile.rotate` behind the loads of q and k;
    - *a token grid*: tiles are boxes; `tile.positions` names their tokens;
    - *several sources*: one loop each, with one state;
    - *isolated columns*: where the formula has `k in p0[b, h]` and would keep more
      keys with a larger list, key tiles are visited for the rest of the formula
      only. A second loop walks the list and gathers the columns whose key tile
      the rest leaves empty, so that every kept pair is computed once:

    ```mlir
    // k in p0[b, h] or q - k in p1[b, h], all with q >= k
    %tiles = attn.tiles #attn.formula<all(q - k in interval<0, inf>, q - k in p1[b, h], …)> …
    %acc:3 = tile.foreach %tiles … // bits by the whole formula
    %all = attn.rank %cols[%b, %h] below %n
    %sum:4 = scf.while (%cursor = %c0, %o = %acc#0, …) : … {
      … // skip what lies in live tiles
      scf.condition(%more) %next, %o, … : …
    } do {
    ^bb0(%cursor: index, %o: …, …):
      %p, %next = tile.collect %cols[%b, %h] from %cursor below %n tile 64 { … }
      %k = tile.load %keys[%b, %kv, %p : tensor<64xindex>] : …
      …
    }
    ```

    Lists whose last index is `q floordiv c` are gathered row by row, where a tile
    of queries meets four rows at most; others, and columns of a formula that reads
    tables along the keys, stay in the first loop.
  }];
  let dependentDialects = ["::heddle::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def AttnStepLinear : Pass<"attn-step-linear", "::mlir::ModuleOp"> {
  let summary = "linear attention token by token";
  let description = [{
    For every function that holds an `attn.linear` and has `tile.entry` adds
    `<name>_step`, a kernel with the arguments of `<name>_task` that works off
    every token of a sequence on its own: for the few tokens of a decoding step.
    The function stays.

    Before:

    ```mlir
    func.func @f(…) attributes {tile.entry = …} {
      %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s) : …
      return %o, %state : …
    }
    ```

    After:

    ```mlir
    func.func @f_step(%b: index, %h: index, %tile: index, …) {
      %s0 = tile.transpose … // of the rows of the state
      %state = scf.for %i = %c0 to %n step %c1 iter_args(%s = %s0) -> (tensor<64x64xf32>) {
        …
        %kept = tile.scale %s, %a : tensor<64x64xf32>
        %next = tile.accumulate %kept, %v, %y : …
        %o = tile.scores %next, %x : …
        …
        scf.yield %next : tensor<64x64xf32>
      }
      …
    }
    func.func @f(…) attributes {tile.entry = …} { … }
    ```
  }];
  let dependentDialects = ["::heddle::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def AttnChunkLinear : Pass<"attn-chunk-linear", "::mlir::ModuleOp"> {
  let summary = "linear attention chunk by chunk";
  let description = [{
    Every function that holds an `attn.linear` and has `tile.entry` becomes kernel
    functions at the tile level: `<name>_task`, which computes all rows of one head
    of a stretch of tokens and the state after it; where states of parts of a
    sequence can be put together, `<name>_state`, which computes the state alone
    and the product of all factors; and `<name>_check`, which says whether a
    problem stays inside the recurrence's tables. The function must do nothing but
    the linear attention, on its own arguments.

    The arguments are `%b, %h, %tile : index` (the tile is not used), views of q,
    k, v and o, of the state that comes in and the one that goes out (as wide as v,
    a row per feature), of the sums beside them and of the product of factors (all
    of width 1, a row per row of the state), `%origin : index`, `%scale : f32` and
    the recurrence's parameters. There is always a state that comes in; what nobody
    asked for is a view without storage. A check has no `%b, %h, %tile` and returns
    what that of an attention does.

    Tokens are worked off in chunks as long as the schedule's query tile. Inside
    of one every pair of tokens has a weight, products of factors between the two
    among it, as in attention; what came before the chunk is in the state:

    Before:

    ```mlir
    func.func @f(…) attributes {tile.entry = …} {
      %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s) : …
      return %o, %state : …
    }
    ```

    After:

    ```mlir
    func.func @f_task(%b: index, %h: index, %tile: index, …) {
      %s0 = tile.transpose … // of the rows of the state
      %a = tile.map at(%b, %h) from(%c0, %c0) { … } : () -> tensor<64xf32>
      %w, %from_start, %to_end, %total = tile.decays %a : tensor<64xf32> -> tensor<64x64xf32>
      %state = scf.for %i = %c0 to %whole step %c64 iter_args(%s = %s0) -> (tensor<64x64xf32>) {
        %x = tile.scale %q, %scale : tensor<64x64xf32>
        %before = tile.scores %x, %s : …
        %far = tile.rescale %before, %from_start : …
        %pairs = tile.scores %x, %k : …
        %p = arith.mulf %pairs, %w : tensor<64x64xf32>
        %o = tile.accumulate %far, %p, %v where %causal : …
        tile.store %o, … : …
        %kept = tile.scale %s, %total : tensor<64x64xf32>
        %next = tile.accumulate %kept, %v_to_end, %k : …
        scf.yield %next : tensor<64x64xf32>
      }
      … // once more for the last, shorter chunk
    }
    ```

    What the clauses change:

    - *maps* become `tile.map`, `tile.reduce` and products with `tile.load_table`;
      what is the same for a row is a vector;
    - *decay per feature*: `tile.decayed_scores` and `tile.cumulate`;
    - *delta*: values are replaced by `tile.solve` of a triangular system first;
    - *erase before decay*, where that matters: what is taken away is the solution,
      and is added beside the values, along keys times the factors of their tokens;
    - *expand*: pairs use the function of the score, the state `tile.expand`;
    - *normalize* carries sums beside the state;
    - *bidirectional*: one loop for the state over all keys, one for the rows;
    - *window*: a loop over the tiles of the window as in `attn-tile`, and chunks
      of keys that lag behind those of queries by its length; the first queries have
      none. For a device these are rows of the same loop, so that the softmax is in
      the kernel once.
  }];
  let dependentDialects = ["::heddle::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def AttnExpandLinear : Pass<"attn-expand-linear", "::mlir::ModuleOp"> {
  let summary = "linear attention as a sum over pairs of tokens";
  let description = [{
    The quadratic form, to hold the others to: instead of `attn-chunk-linear`, with
    the same results. Every row of a head meets every key before it, or with
    `bidirectional` every key, tile by tile; factors between the tiles are carried
    from the diagonal backwards. Only the state that comes out is carried forwards.
    A recurrence with a delta rule has no such form, which is an error.

    Before:

    ```mlir
    func.func @f(…) attributes {tile.entry = …} {
      %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s) : …
      return %o, %state : …
    }
    ```

    After:

    ```mlir
    func.func @f_task(%b: index, %h: index, %tile: index, …) {
      scf.for %i = %c0 to %whole step %c64 {
        … // the tile of the diagonal
        %sums:2 = scf.for %t = %c0 to %i step %c64
            iter_args(%o = %o0, %reach = %from_start) -> (tensor<64x64xf32>, tensor<64xf32>) {
          %j = … // %i - 64 - %t
          %pairs = tile.scores %x, %k : …
          %w = tile.map %pairs, %reach, %to_end … // times both
          %next = tile.accumulate %o, %w, %v : …
          %farther = tile.scale %reach, %total : tensor<64xf32>
          scf.yield %next, %farther : tensor<64x64xf32>, tensor<64xf32>
        }
        … // what the state that came in adds
        tile.store %r, … : …
      }
      …
    }
    ```
  }];
  let dependentDialects = ["::heddle::tile::TileDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def AttnExpandTiles : Pass<"attn-expand-tiles", "::mlir::ModuleOp"> {
  let summary = "loops over live tiles as loops over runs";
  let description = [{
    A `tile.foreach` over `attn.tiles` becomes a loop over the runs of the
    pattern: at the current key the formula answers with a status and the key up
    to which it holds (`at` in dialect/attn/Sets.h, emitted as arithmetic on
    lengths and parameters), a counted loop covers the run, and the next question
    is asked where the run ends. There is one body for full tiles and one for
    partial tiles, each with a constant status; empty runs are one jump. On a
    token grid runs go along the innermost axis, and the outer axes are counted
    loops over all boxes around them. Where runs with keys that are loaded may
    lie behind keys that nobody keeps, the loop is one run ahead: it carries the
    first key, the end and the status of a run, finds the next run that keeps
    anything, and then covers the one it has, whose last tile can ask the memory
    for the first keys of the next one. Afterwards no `tile.foreach` and no `attn.tiles`
    is left but in the kernels "task" and "columns" of targets that take the loops
    as they are (`Target::keepsTileLoops`).

    Before:

    ```mlir
    %tiles = attn.tiles #attn.formula<…> at(%b, %h, %q0) keys(%n) tile 48 x 64
    %r = tile.foreach %tiles init(%x : …) { ^bb0(%k0: index, %status: i32, %acc: …): … }
    ```

    After:

    ```mlir
    %r:2 = scf.while (%k = %c0, %acc = %x) : … {
      %more = arith.cmpi slt, %k, %n : index
      scf.condition(%more) %k, %acc : …
    } do {
    ^bb0(%k: index, %acc: …):
      … // %status, %until
      %f = scf.for %k0 = %k to %full_end step %c64 iter_args(%a = %acc) { … }
      %p = scf.for %k0 = %k to %partial_end step %c64 iter_args(%a = %f) { … }
      scf.yield %until, %p : …
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def TileSimplify : Pass<"tile-simplify", "::mlir::ModuleOp"> {
  let summary = "folds what a known status makes unnecessary";
  let description = [{
    In the body for full tiles every bit is one: masks disappear, products need
    no `where`, counts are products. Applies the folds and canonicalisations of
    the `tile` dialect and removes what is dead.

    Before:

    ```mlir
    %bits = tile.bits #attn.formula<…> at(…) keys(%n) status(%full) : tensor<48x64xi1>
    %x = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x64xi1>
    %r = tile.accumulate %o, %p, %v where %bits : …
    ```

    After:

    ```mlir
    %r = tile.accumulate %o, %p, %v : …
    ```
  }];
}

def AttnOutlineDevices : Pass<"attn-outline-devices", "::mlir::ModuleOp"> {
  let summary = "gives the kernels of every device a module of their own";
  let description = [{
    Moves the kernels "task" and "columns" of levels whose code runs on a device
    beside this machine (`Target::isDevice`) into a module per level, which has
    the attribute `tile.device`. Their "count" and "check" stay where they are,
    marked with `tile.host`: any target of this machine makes code of them. Fails
    where the operands of a launch are more than a device's kernel can be given.

    Before:

    ```mlir
    func.func @f_task(…) attributes {tile.kernel = "task", tile.entry = #attn.entry<…, "x", …>} { … }
    func.func @f_count(…) attributes {tile.kernel = "count", …} { … }
    func.func @f_check(…) attributes {tile.kernel = "check", …} { … }
    ```

    After:

    ```mlir
    func.func @f_count(…) attributes {tile.host, tile.kernel = "count", …} { … }
    func.func @f_check(…) attributes {tile.host, tile.kernel = "check", …} { … }
    module @x attributes {tile.device = "x"} {
      func.func @f_task(…) attributes {tile.kernel = "task", …} { … }
    }
    ```
  }];
}

def AttnEmitEntry : Pass<"attn-emit-entry", "::mlir::ModuleOp"> {
  let summary = "adds the descriptor that the runtime finds kernels by";
  let description = [{
    Collects the kernel functions of the module (`llvm.func` with `tile.kernel`,
    `tile.entry`, `tile.workspace` and `tile.features`) and adds what
    `heddle/abi.h` defines as constant data: one entry per kernel name, one code
    per level in the order of the functions, parameters with their kinds and
    defaults, what the check function checks, the JSON manifest, and the exported
    symbol `heddle_bundle_descriptor`. The architecture is that of the module's
    target triple, or of this machine when it has none. Modules with `tile.device`
    hold declarations of the kernels of other devices with what a launch asks for
    (`tile.resources`), and the code of all of them (`tile.code`), which becomes
    data; they disappear.

    Needs the formulas of `attn-normalize-pattern` to tell whether a kernel
    depends on batch and head, and which tables need bounds. Afterwards no
    `attn.pattern`, `attn.combine` or `attn.recurrence` and none of the four
    attributes is left. Fails when a level lacks its task, count or check function,
    or with outputs by columns its columns function, when functions of one name
    disagree, or when a pattern is missing. Kernels of a recurrence have no count
    function, but a state function where states of stretches make up that of the
    whole, and possibly a step function.

    Before:

    ```mlir
    attn.pattern @dense keep(%b, %h, %q, %k) { … }
    llvm.func hidden @dense_x_task(…) attributes {tile.kernel = "task",
        tile.entry = #attn.entry<"dense", @dense, "x", …>, …} { … }
    llvm.func hidden @dense_x_count(…) attributes {tile.kernel = "count", …} { … }
    llvm.func hidden @dense_x_check(…) attributes {tile.kernel = "check", …} { … }
    ```

    After:

    ```mlir
    llvm.func hidden @dense_x_task(…) { … }
    llvm.func hidden @dense_x_count(…) { … }
    llvm.func hidden @dense_x_check(…) { … }
    llvm.mlir.global private constant @heddle.codes.4() : !llvm.array<1 x struct<…>> { … }
    llvm.mlir.global private constant @heddle.entries.9() : !llvm.array<1 x struct<…>> { … }
    llvm.mlir.global external constant @heddle_bundle_descriptor() : !llvm.struct<…> { … }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // HEDDLE_PASSES_TD
