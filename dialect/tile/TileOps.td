// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TILE_OPS_TD
#define HEDDLE_TILE_OPS_TD

include "dialect/attn/AttnAttrs.td"
include "dialect/attn/AttnTypes.td"
include "dialect/attn/AttnParams.td"
include "dialect/tile/TileEnums.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let summary = "one attention kernel in value semantics";
  let description = [{
    The target-neutral level: iteration over `!attn.tiles` and verbs on
    tiles: about a dozen for plain attention, a few more for listed keys, boxes,
    score regions and sums over columns. A tile is a ranked tensor of static shape. Queries run along
    axis 0 of query-side tiles (`q`, scores, `o`, and the rank-1 row statistics
    `m`, `l`); keys run along axis 0 of key-side tiles (`k`, `v`).

    The function that holds a kernel carries the string attribute `tile.kernel`
    and the following arguments: `%b, %h, %tile : index`; views of q, of k and v
    for every source, of o, lse and row_max, of column_sums and block_max for
    every source (without storage where nobody asked for them); `%origin : index`
    (the absolute position of query 0); `%scale : f32`; the pattern parameters, in
    the types of the pattern; for a `"count"` kernel further `%exact : i1`, for a
    `"columns"` kernel, whose `%tile` is a tile of keys, `%source : index`, the
    number of the source that they belong to. A `"check"` kernel has
    the same arguments without `%b, %h, %tile` and returns index values: the number
    of the first check that fails, from one, or 0, and for a read outside of a
    table the smallest and the largest index and the extent.
  }];
  let cppNamespace = "::heddle::tile";
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::heddle::attn::AttnDialect",
                           "::mlir::arith::ArithDialect"];
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Tile : StaticShapeTensorOf<[F32]>;
def Tile_Bits : StaticShapeTensorOf<[I1]>;
/// The tokens that the rows of a tile stand for; -1 for none.
def Tile_Positions : StaticShapeTensorOf<[Index]>;
/// The first row of a contiguous tile, or the token of every row.
def Tile_Rows : AnyTypeOf<[Index, Tile_Positions]>;

//===----------------------------------------------------------------------===//
// Iteration
//===----------------------------------------------------------------------===//

def Tile_ForeachOp : Tile_Op<"foreach", [
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    InferTypeOpAdaptor]> {
  let summary = "a loop over the live key tiles of a query tile";
  let description = [{
    Runs the body once per tile of `tiles`, in ascending key order, with the
    tile's first key and its status (1 partial, 2 full; see `attn.tiles`). On a
    token grid the first key has one coordinate per axis, outermost first. Values
    are carried from one iteration to the next and are the results. A tile
    sequence without elements gives the initial values.

    Rules: `[foreach-1]` the body's arguments are (index per axis, i32, carried
    values…);
    `[foreach-2]` the yielded types are those of the initial values and results.

    Example:

    ```mlir
    func.func @f(%tiles: !attn.tiles) -> index {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %n = tile.foreach %tiles init(%c0 : index) {
      ^bb0(%k0: index, %status: i32, %acc: index):
        %next = arith.addi %acc, %c1 : index
        tile.yield %next : index
      }
      return %n : index
    }
    ```
  }];
  let arguments = (ins Attn_TilesType:$tiles, Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $tiles (`init` `(` $inits^ `:` type($inits) `)`)? $body attr-dict
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$tiles, "unsigned":$axes, "::mlir::ValueRange":$inits,
    "::llvm::function_ref<::mlir::SmallVector<::mlir::Value>(::mlir::OpBuilder &, ::mlir::Location, ::mlir::ValueRange, ::mlir::Value, ::mlir::ValueRange)>":$body)>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumAxes() {
      return getBody().getNumArguments() - getInits().size() - 1;
    }
    ::mlir::Block::BlockArgListType getFirstKey() {
      return getBody().getArguments().take_front(getNumAxes());
    }
    ::mlir::BlockArgument getStatus() {
      return getBody().getArgument(getNumAxes());
    }
    ::mlir::Block::BlockArgListType getCarried() {
      return getBody().getArguments().drop_front(getNumAxes() + 1);
    }
  }];
}

def Tile_YieldOp : Tile_Op<"yield", [
    Pure, Terminator, ReturnLike,
    ParentOneOf<["ForeachOp", "EachHeadOp", "CollectOp", "MapOp", "ModifyOp"]>]> {
  let summary = "the values of a region";
  let description = [{
    Ends the body of a `tile.foreach` (the carried values of the next iteration), a
    `tile.each_head`, a `tile.collect`, a `tile.map` or a `tile.modify`; see there for examples. Fails to
    verify elsewhere.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
}

def Tile_PositionsOp : Tile_Op<"positions", [Pure, SameVariadicOperandSize]> {
  let summary = "the tokens of a box of a grid";
  let description = [{
    The row-major numbers of the tokens of the box that starts at the given
    coordinates, row by row, outermost axis first; -1 for those outside of the
    grid.

    Rules: `[positions-1]` coordinates, extents and box have one to three axes,
    all the same number; `[positions-2]` the result has rank 1 and as many
    elements as the box.

    Example:

    ```mlir
    func.func @f(%y: index, %x: index, %H: index, %W: index) -> tensor<64xindex> {
      %p = tile.positions at(%y, %x) of(%H, %W) box [8, 8] : tensor<64xindex>
      return %p : tensor<64xindex>
    }
    ```
  }];
  let arguments = (ins Variadic<Index>:$coordinates, Variadic<Index>:$extents,
                       DenseI64ArrayAttr:$box);
  let results = (outs Tile_Positions:$positions);
  let assemblyFormat = [{
    `at` `(` $coordinates `)` `of` `(` $extents `)` `box` $box attr-dict
    `:` type($positions)
  }];
  let hasVerifier = 1;
}

def Tile_CollectOp : Tile_Op<"collect", [SingleBlockImplicitTerminator<"YieldOp">,
                                         Pure]> {
  let summary = "the next members of a set that no tile covers";
  let description = [{
    Walks the members of a set below `num_keys` in ascending order from rank
    `cursor` on and takes those in key tiles for which the region answers that
    nothing else visits them, until the result is full or the members are
    exhausted. The region gets the first key of a key tile, as `at` of
    `attn.tiles` does, and yields whether the tile is free and the first key
    of a later tile where that may change. Gives the tokens, -1 where there
    are no more, and the cursor to go on from: at most the number of members
    below `num_keys`, and equal to it when there is no more to find.

    Rules: `[collect-1]` the region maps an index to (i1, index); `[collect-2]`
    the result has rank 1.

    Example:

    ```mlir
    func.func @f(%cols: !attn.set, %b: index, %n: index) -> tensor<64xindex> {
      %c0 = arith.constant 0 : index
      %p, %next = tile.collect %cols[%b] from %c0 below %n tile 64 {
      ^bb0(%k0: index):
        %true = arith.constant true
        tile.yield %true, %n : i1, index
      } : tensor<64xindex>
      return %p : tensor<64xindex>
    }
    ```
  }];
  let arguments = (ins Attn_SetType:$set, Variadic<Index>:$indices, Index:$cursor,
                       Index:$num_keys, I64Attr:$key_tile);
  let results = (outs Tile_Positions:$positions, Index:$next);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $set `[` $indices `]` `from` $cursor `below` $num_keys `tile` $key_tile $body
    attr-dict `:` type($positions)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Storage
//===----------------------------------------------------------------------===//

def Tile_DimOp : Tile_Op<"dim", [Pure]> {
  let summary = "the run-time size of a view along an axis";
  let description = [{
    `batch`, `head` or `position`; the last is the length of the sequence that
    the kernel works on. Never fails.

    Example:

    ```mlir
    func.func @f(%k: !attn.view<64xf32>) -> index {
      %n = tile.dim position of %k : !attn.view<64xf32>
      return %n : index
    }
    ```
  }];
  let arguments = (ins Tile_Axis:$axis, Attn_ViewType:$view);
  let results = (outs Index:$result);
  let assemblyFormat = "$axis `of` $view attr-dict `:` type($view)";
}

def Tile_LoadOp : Tile_Op<"load", [Pure]> {
  let summary = "rows of a view as a tile";
  let description = [{
    Rows `[row, row + n)` of head `h` of sequence `b`, or the rows of a list of
    tokens, widened to f32. Rows outside the view are never read from memory;
    their values in the tile are those of some row of the view or 0 and must not
    be used: every consumer masks them or does not store them. The view must not
    be written while the tile is in use.

    Rules: `[load-1]` the tile has rank 2, its second extent is the view's width,
    or rank 1 for a view of width 1;
    `[load-2]` the view's elements are f32, f16 or bf16; `[load-3]` there are as
    many tokens as rows.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %row: index, %k: !attn.view<64xf32>) {
      %t = tile.load %k[%b, %h, %row] : !attn.view<64xf32> -> tensor<32x64xf32>
      return
    }
    ```
  }];
  let arguments = (ins Attn_ViewType:$view, Index:$b, Index:$h, Tile_Rows:$row);
  let results = (outs Tile_Tile:$tile);
  let assemblyFormat = [{
    $view `[` $b `,` $h `,` $row custom<RowType>(type($row)) `]` attr-dict `:` type($view) `->` type($tile)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "a tile into rows of a view";
  let description = [{
    Writes rows `[row, row + n)`, or the rows of a list of tokens, rounded to the
    view's element type; rows outside the view are not written. A rank-1 tile
    goes to a view of width 1. A view without storage (`lse` when nobody asked
    for it) is left alone.

    Rules: `[store-1]` the tile's second extent (1 for rank 1) is the view's
    width; `[store-2]` the view's elements are f32, f16 or bf16; `[store-3]` there
    are as many tokens as rows.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %row: index, %o: !attn.view<64xf32>,
                 %t: tensor<48x64xf32>) {
      tile.store %t, %o[%b, %h, %row] : tensor<48x64xf32>, !attn.view<64xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, Attn_ViewType:$view,
                       Index:$b, Index:$h, Tile_Rows:$row);
  let assemblyFormat = [{
    $tile `,` $view `[` $b `,` $h `,` $row custom<RowType>(type($row)) `]` attr-dict `:` type($tile) `,` type($view)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

def Tile_FillOp : Tile_Op<"fill", [Pure]> {
  let summary = "a tile of one value";
  let description = [{
    Every element is `value`. Never fails.

    Example:

    ```mlir
    func.func @f() -> tensor<48xf32> {
      %m = tile.fill 0xFF800000 : tensor<48xf32>
      return %m : tensor<48xf32>
    }
    ```
  }];
  let arguments = (ins F32Attr:$value);
  let results = (outs Tile_Tile:$tile);
  let assemblyFormat = "$value attr-dict `:` type($tile)";
}

def Tile_ScaleOp : Tile_Op<"scale", [Pure, AllTypesMatch<["tile", "result"]>]> {
  let summary = "a tile times a scalar";
  let description = [{
    Element by element, in f32. Never fails.

    Example:

    ```mlir
    func.func @f(%q: tensor<48x64xf32>, %c: f32) -> tensor<48x64xf32> {
      %s = tile.scale %q, %c : tensor<48x64xf32>
      return %s : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, F32:$factor);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$tile `,` $factor attr-dict `:` type($tile)";
}

def Tile_ScoresOp : Tile_Op<"scores", [Pure]> {
  let summary = "dot products of every query row with every key row";
  let description = [{
    `s[i, j] = sum over t of q[i, t] * k[j, t]`, accumulated in f32.

    Rules: `[scores-1]` q and k have equal second extents; `[scores-2]` the
    result's extents are the first extents of q and k.

    Example:

    ```mlir
    func.func @f(%q: tensor<48x40xf32>, %k: tensor<32x40xf32>) -> tensor<48x32xf32> {
      %s = tile.scores %q, %k
        : tensor<48x40xf32>, tensor<32x40xf32> -> tensor<48x32xf32>
      return %s : tensor<48x32xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$q, Tile_Tile:$k);
  let results = (outs Tile_Tile:$s);
  let assemblyFormat = [{
    $q `,` $k attr-dict `:` type($q) `,` type($k) `->` type($s)
  }];
  let hasVerifier = 1;
}

def Tile_BitsOp : Tile_Op<"bits", [Pure, AttrSizedOperandSegments]> {
  let summary = "which pairs of a tile are kept";
  let description = [{
    Bit (i, j) says whether the formula keeps query i and key j of the tile, the
    query at absolute position `q0 + i` and the key at `k0 + j`. With `boxes` the
    tile is one of boxes that start at the given coordinates; with `listed` key j
    is the j-th of a list of tokens. Keys outside the sequence are never kept.
    With status 2 (full) every bit is one, and the formula need not be evaluated.

    Rules: `[bits-1]` the result has rank 2; `[bits-2]` the formula uses no
    parameter beyond those given; `[bits-3]` there are as many coordinates of
    queries and keys as the boxes have axes, or one and no boxes; `[bits-4]` there
    are as many tokens as keys, and no boxes beside them.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %q0: index, %k0: index, %n: index,
                 %status: i32) -> tensor<48x64xi1> {
      %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h)
        queries(%q0) keys(%k0) of %n status(%status) : tensor<48x64xi1>
      return %t : tensor<48x64xi1>
    }
    ```
  }];
  let arguments = (ins Attn_FormulaAttr:$formula,
                       Index:$b, Index:$h, Variadic<Index>:$q0, Variadic<Index>:$k0,
                       Optional<Tile_Positions>:$listed,
                       Index:$num_keys, I32:$status, Variadic<Attn_Param>:$params,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$query_box,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$key_box);
  let results = (outs Tile_Bits:$bits);
  let assemblyFormat = [{
    $formula `at` `(` $b `,` $h `)` `queries` `(` $q0 `)`
    (`listed` `(` $listed^ `:` type($listed) `)`)? (`keys` `(` $k0^ `)`)? `of` $num_keys
    `status` `(` $status `)` (`params` `(` $params^ `:` type($params) `)`)?
    (`boxes` $query_box^ $key_box)? attr-dict `:` type($bits)
  }];
  let hasVerifier = 1;
}

def Tile_CountOp : Tile_Op<"count", [Pure]> {
  let summary = "how many pairs of a tile are kept";
  let description = [{
    The number of ones among rows `[0, rows)` of the tile; `rows` is the number
    of queries that exist.

    Example:

    ```mlir
    func.func @f(%bits: tensor<48x64xi1>, %rows: index) -> index {
      %n = tile.count %bits rows %rows : tensor<48x64xi1>
      return %n : index
    }
    ```
  }];
  let arguments = (ins Tile_Bits:$bits, Index:$rows);
  let results = (outs Index:$count);
  let assemblyFormat = "$bits `rows` $rows attr-dict `:` type($bits)";
  let hasCanonicalizeMethod = 1;
}

def Tile_RotateOp : Tile_Op<"rotate", [Pure, AllTypesMatch<["tile", "result"]>]> {
  let summary = "rows of a tile rotated by their positions";
  let description = [{
    Rotary position embedding (Su et al., "RoFormer", 2021). With d the rows'
    length and i the position of a row, features t and t + d/2, t < d/2, become

    `x[t] * cos[i, t] - x[t + d/2] * sin[i, t]` and
    `x[t + d/2] * cos[i, t] + x[t] * sin[i, t]`.

    The tables have d/2 columns. Positions of a contiguous tile are `row + i`;
    those outside of the tables are moved to the nearest row. Rows that are no
    tokens (-1) may become anything. With `same` all rows have the position
    `row`: they are heads of one token.

    Rules: `[rotate-1]` the tile has rank 2 and an even second extent;
    `[rotate-2]` there are as many tokens as rows; `[rotate-3]` `same` goes with
    one position.

    Example:

    ```mlir
    func.func @f(%k: tensor<64x40xf32>, %cos: tensor<?x?xf32>,
                 %sin: tensor<?x?xf32>, %k0: index) -> tensor<64x40xf32> {
      %r = tile.rotate %k at %k0 : index by(%cos, %sin)
        : tensor<64x40xf32>, tensor<?x?xf32>, tensor<?x?xf32>
      return %r : tensor<64x40xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, Tile_Rows:$row,
                       RankedTensorOf<[F32]>:$cos, RankedTensorOf<[F32]>:$sin,
                       UnitAttr:$same);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $tile `at` (`same` $same^)? $row `:` type($row) `by` `(` $cos `,` $sin `)`
    attr-dict
    `:` type($tile) `,` type($cos) `,` type($sin)
  }];
  let hasVerifier = 1;
}

def Tile_ModifyOp : Tile_Op<"modify", [SingleBlockImplicitTerminator<"YieldOp">,
                                       Pure, AttrSizedOperandSegments]> {
  let summary = "a scalar function of every element of a tile of scores";
  let description = [{
    The region gets a score, then batch, head, the query's and the key's
    coordinates, as a score region does, and then the parameters; it yields one
    or two values. Coordinates and tokens are given as for `tile.bits`. Elements
    that are not kept are changed too, by whatever the function makes of them:
    a mask follows.

    Rules: `[modify-1]` the region's arguments are (f32, the coordinates, the
    parameters); `[modify-2]` it yields as many f32 as there are results, one or
    two, each of the type of the scores.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %b: index, %h: index, %q0: index,
                 %k0: index, %slope: f32) -> tensor<48x64xf32> {
      %r = tile.modify %s at(%b, %h) queries(%q0) keys(%k0) params(%slope : f32) {
      ^bb0(%x: f32, %bb: index, %hh: index, %q: index, %k: index, %m: f32):
        %y = arith.mulf %x, %m : f32
        tile.yield %y : f32
      } : tensor<48x64xf32> -> tensor<48x64xf32>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$s,
                       Index:$b, Index:$h, Variadic<Index>:$q0, Variadic<Index>:$k0,
                       Optional<Tile_Positions>:$listed,
                       Variadic<Attn_Param>:$params,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$query_box,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$key_box);
  let results = (outs Variadic<Tile_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $s `at` `(` $b `,` $h `)` `queries` `(` $q0 `)`
    (`listed` `(` $listed^ `:` type($listed) `)`)? (`keys` `(` $k0^ `)`)?
    (`params` `(` $params^ `:` type($params) `)`)?
    (`boxes` $query_box^ $key_box)? $body attr-dict `:` type($s) `->` type($results)
  }];
  let hasVerifier = 1;
}

def Tile_RegroupOp : Tile_Op<"regroup", [Pure, AllTypesMatch<["s", "result"]>,
                                         AllShapesMatch<["s", "bits"]>]> {
  let summary = "scores of one group of keys under its landmark";
  let description = [{
    The keys of the tile are one group whose last key is its landmark (see
    `#attn.normalizer`, `grouped`). For a row whose own group this is, `k0 <= q0 +
    i < k0 + n` with n keys, the result is the kept scores, -inf for the
    landmark. For any other row it is `s_j - log2 sum 2^s + s_landmark`, the sum
    over the kept ordinary keys, and -inf for the landmark; -inf altogether when
    the landmark is not kept. Scores are in units of log2; what is not kept
    becomes -inf.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %bits: tensor<48x64xi1>, %q0: index,
                 %k0: index) -> tensor<48x64xf32> {
      %r = tile.regroup %s, %bits at(%q0, %k0) : tensor<48x64xf32>, tensor<48x64xi1>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$s, Tile_Bits:$bits, Index:$q0, Index:$k0);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $s `,` $bits `at` `(` $q0 `,` $k0 `)` attr-dict `:` type($s) `,` type($bits)
  }];
}

def Tile_MaskOp : Tile_Op<"mask", [Pure, AllTypesMatch<["s", "result"]>,
                                   AllShapesMatch<["s", "bits"]>]> {
  let summary = "scores with -inf where a pair is not kept";
  let description = [{
    Kept scores are unchanged, NaN included. Fails to verify when the shapes of
    scores and bits differ.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %bits: tensor<48x64xi1>) -> tensor<48x64xf32> {
      %r = tile.mask %s, %bits : tensor<48x64xf32>, tensor<48x64xi1>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$s, Tile_Bits:$bits);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$s `,` $bits attr-dict `:` type($s) `,` type($bits)";
  let hasFolder = 1;
}

def Tile_SoftmaxStepOp : Tile_Op<"softmax_step", [
    Pure, AllTypesMatch<["s", "p"]>,
    AllTypesMatch<["m", "l", "new_m", "new_l", "alpha"]>]> {
  let summary = "one step of the online softmax, in base two";
  let description = [{
    With scores already in units of log2:

    `m' = max(m, max over j of s[:, j])`, `p = 2^(s - m')`, `alpha = 2^(m - m')`,
    `l' = alpha * l + sum over j of p[:, j]`.

    A row whose m' is -inf gives `p = 0` and `alpha = 1`. Where m' = m, alpha is
    exactly 1. (Milakov and Gimelshein, "Online normalizer calculation for
    softmax", 2018.)

    Rules: `[softmax_step-1]` s has rank 2, m and l have rank 1 and the first
    extent of s.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %m: tensor<48xf32>, %l: tensor<48xf32>) {
      %p, %m1, %l1, %alpha = tile.softmax_step %s, %m, %l
        : tensor<48x64xf32>, tensor<48xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$s, Tile_Tile:$m, Tile_Tile:$l);
  let results = (outs Tile_Tile:$p, Tile_Tile:$new_m, Tile_Tile:$new_l,
                      Tile_Tile:$alpha);
  let assemblyFormat = "$s `,` $m `,` $l attr-dict `:` type($s) `,` type($m)";
  let hasVerifier = 1;
}

def Tile_RescaleOp : Tile_Op<"rescale", [Pure, AllTypesMatch<["o", "result"]>]> {
  let summary = "every row of a tile times that row's factor";
  let description = [{
    `o[i, :] * alpha[i]`.

    Rules: `[rescale-1]` alpha has rank 1 and the first extent of o.

    Example:

    ```mlir
    func.func @f(%o: tensor<48x64xf32>, %alpha: tensor<48xf32>) -> tensor<48x64xf32> {
      %r = tile.rescale %o, %alpha : tensor<48x64xf32>, tensor<48xf32>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$o, Tile_Tile:$alpha);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$o `,` $alpha attr-dict `:` type($o) `,` type($alpha)";
  let hasVerifier = 1;
}

def Tile_AccumulateOp : Tile_Op<"accumulate", [Pure, AllTypesMatch<["o", "result"]>]> {
  let summary = "adds the product of weights and values to the output tile";
  let description = [{
    `o[i, :] + sum over j of p[i, j] * v[j, :]`, in f32. With `where`, pairs whose
    bit is zero take no part at all, so that an infinity or NaN in a value row
    reaches only the rows that keep it. With `upper` elements v[j, c] with j > c
    take no part, nor does what they are multiplied with: v is upper triangular.

    Rules: `[accumulate-1]` the extents of p are the first extents of o and v, and
    o and v agree in the second; `[accumulate-2]` the bits have the shape of p;
    `[accumulate-3]` with `upper`, v is square and there are no bits.

    Example:

    ```mlir
    func.func @f(%o: tensor<48x64xf32>, %p: tensor<48x32xf32>, %v: tensor<32x64xf32>,
                 %bits: tensor<48x32xi1>) -> tensor<48x64xf32> {
      %r = tile.accumulate %o, %p, %v where %bits
        : tensor<48x64xf32>, tensor<48x32xf32>, tensor<32x64xf32>, tensor<48x32xi1>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$o, Tile_Tile:$p, Tile_Tile:$v,
                       Optional<Tile_Bits>:$bits, UnitAttr:$upper);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $o `,` $p `,` (`upper` $upper^)? $v (`where` $bits^)? attr-dict
    `:` type($o) `,` type($p) `,` type($v) (`,` type($bits)^)?
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Tile_FinishOp : Tile_Op<"finish", [Pure, AllTypesMatch<["o", "result"]>,
                                       AllTypesMatch<["m", "l", "lse"]>]> {
  let summary = "the normalised output and the log-sum-exp of every row";
  let description = [{
    `result = o / l` and `lse = (m + log2 l) * ln 2`; a row with l = 0 gives
    `result = 0` and `lse = -inf`.

    Rules: `[finish-1]` m and l have rank 1 and the first extent of o.

    Example:

    ```mlir
    func.func @f(%o: tensor<48x64xf32>, %m: tensor<48xf32>, %l: tensor<48xf32>) {
      %r, %lse = tile.finish %o, %m, %l : tensor<48x64xf32>, tensor<48xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$o, Tile_Tile:$m, Tile_Tile:$l);
  let results = (outs Tile_Tile:$result, Tile_Tile:$lse);
  let assemblyFormat = "$o `,` $m `,` $l attr-dict `:` type($o) `,` type($m)";
  let hasVerifier = 1;
}

include "dialect/tile/ColumnOps.td"
include "dialect/tile/HeadOps.td"
include "dialect/tile/LinearOps.td"

#endif // HEDDLE_TILE_OPS_TD
