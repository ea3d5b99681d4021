// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TILE_OPS_TD
#define HEDDLE_TILE_OPS_TD

include "dialect/attn/AttnAttrs.td"
include "dialect/attn/AttnTypes.td"
include "dialect/tile/TileEnums.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let summary = "one attention kernel in value semantics";
  let description = [{
    The target-neutral level: iteration over `!attn.tiles` and about a dozen
    verbs on tiles. A tile is a ranked tensor of static shape. Queries run along
    axis 0 of query-side tiles (`q`, scores, `o`, and the rank-1 row statistics
    `m`, `l`); keys run along axis 0 of key-side tiles (`k`, `v`).

    The function that holds a kernel carries the string attribute `tile.kernel`
    and the following arguments: `%b, %h, %tile : index`; views of q, k, v, o and
    lse; `%origin : index` (the absolute position of query 0); `%scale : f32`;
    the pattern parameters, `index` each; for a `"count"` kernel further
    `%exact : i1`.
  }];
  let cppNamespace = "::heddle::tile";
  let dependentDialects = ["::heddle::attn::AttnDialect",
                           "::mlir::arith::ArithDialect"];
}

class Tile_Op<string mnemonic, list<Trait> traits = []>
    : Op<Tile_Dialect, mnemonic, traits>;

def Tile_Tile : StaticShapeTensorOf<[F32]>;
def Tile_Bits : StaticShapeTensorOf<[I1]>;

//===----------------------------------------------------------------------===//
// Iteration
//===----------------------------------------------------------------------===//

def Tile_ForeachOp : Tile_Op<"foreach", [
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    InferTypeOpAdaptor]> {
  let summary = "a loop over the live key tiles of a query tile";
  let description = [{
    Runs the body once per tile of `tiles`, in ascending key order, with the
    tile's first key and its status (1 partial, 2 full; see `attn.tiles`). Values
    are carried from one iteration to the next and are the results. A tile
    sequence without elements gives the initial values.

    Rules: `[foreach-1]` the body's arguments are (index, i32, carried values…);
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
  let builders = [OpBuilder<(ins "::mlir::Value":$tiles, "::mlir::ValueRange":$inits,
    "::llvm::function_ref<::mlir::SmallVector<::mlir::Value>(::mlir::OpBuilder &, ::mlir::Location, ::mlir::Value, ::mlir::Value, ::mlir::ValueRange)>":$body)>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getFirstKey() { return getBody().getArgument(0); }
    ::mlir::BlockArgument getStatus() { return getBody().getArgument(1); }
  }];
}

def Tile_YieldOp : Tile_Op<"yield", [Pure, Terminator, ReturnLike,
                                     HasParent<"ForeachOp">]> {
  let summary = "the carried values of the next iteration";
  let description = [{
    Ends the body of a `tile.foreach`; see there for an example. Fails to verify
    elsewhere.
  }];
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange{}); }]>];
}

//===----------------------------------------------------------------------===//
// Storage
//===----------------------------------------------------------------------===//

def Tile_DimOp : Tile_Op<"dim", [Pure]> {
  let summary = "the run-time size of a view along an axis";
  let description = [{
    `batch`, `head` or `position`. Never fails.

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
    Rows `[row, row + n)` of head `h` of sequence `b`. Rows outside the view are
    never read from memory; their values in the tile are those of some row of
    the view and must not be used: every consumer masks them or does not store
    them. The view must not be written while the tile is in use.

    Rules: `[load-1]` the tile has rank 2, its second extent is the view's width;
    `[load-2]` element types agree.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %row: index, %k: !attn.view<64xf32>) {
      %t = tile.load %k[%b, %h, %row] : !attn.view<64xf32> -> tensor<32x64xf32>
      return
    }
    ```
  }];
  let arguments = (ins Attn_ViewType:$view, Index:$b, Index:$h, Index:$row);
  let results = (outs Tile_Tile:$tile);
  let assemblyFormat = [{
    $view `[` $b `,` $h `,` $row `]` attr-dict `:` type($view) `->` type($tile)
  }];
  let hasVerifier = 1;
}

def Tile_StoreOp : Tile_Op<"store", [MemoryEffects<[MemWrite]>]> {
  let summary = "a tile into rows of a view";
  let description = [{
    Writes rows `[row, row + n)`; rows outside the view are not written. A rank-1
    tile goes to a view of width 1. A view without storage (`lse` when nobody
    asked for it) is left alone.

    Rules: `[store-1]` the tile's second extent (1 for rank 1) is the view's
    width; `[store-2]` element types agree.

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
                       Index:$b, Index:$h, Index:$row);
  let assemblyFormat = [{
    $tile `,` $view `[` $b `,` $h `,` $row `]` attr-dict `:` type($tile) `,` type($view)
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

def Tile_BitsOp : Tile_Op<"bits", [Pure]> {
  let summary = "which pairs of a tile are kept";
  let description = [{
    Bit (i, j) says whether the formula keeps query `q0 + i` (absolute) and key
    `k0 + j`. Keys at or past `num_keys` are never kept. With status 2 (full)
    every bit is one, and the formula need not be evaluated.

    Rules: `[bits-1]` the result has rank 2; `[bits-2]` the formula uses no
    parameter beyond those given.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %q0: index, %k0: index, %n: index,
                 %status: i32) -> tensor<48x64xi1> {
      %t = tile.bits #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0, %k0)
        keys(%n) status(%status) : tensor<48x64xi1>
      return %t : tensor<48x64xi1>
    }
    ```
  }];
  let arguments = (ins Attn_FormulaAttr:$formula,
                       Index:$b, Index:$h, Index:$q0, Index:$k0, Index:$num_keys,
                       I32:$status, Variadic<Index>:$params);
  let results = (outs Tile_Bits:$bits);
  let assemblyFormat = [{
    $formula `at` `(` $b `,` $h `,` $q0 `,` $k0 `)` `keys` `(` $num_keys `)`
    `status` `(` $status `)` (`params` `(` $params^ `)`)? attr-dict `:` type($bits)
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
    reaches only the rows that keep it.

    Rules: `[accumulate-1]` the extents of p are the first extents of o and v, and
    o and v agree in the second; `[accumulate-2]` the bits have the shape of p.

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
                       Optional<Tile_Bits>:$bits);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $o `,` $p `,` $v (`where` $bits^)? attr-dict
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

#endif // HEDDLE_TILE_OPS_TD
