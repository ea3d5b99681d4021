// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs of kernels that carry a state: what a recurrence is made of when it is
// worked off in chunks. Included by TileOps.td.

#ifndef HEDDLE_TILE_LINEAR_OPS_TD
#define HEDDLE_TILE_LINEAR_OPS_TD

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

def Tile_TransposeOp : Tile_Op<"transpose", [Pure]> {
  let summary = "a tile with its axes exchanged";
  let description = [{
    `r[j, i] = t[i, j]`. A vector is one row, and one row is a vector.

    Rules: `[transpose-1]` the result of NxD is DxN, that of N is 1xN, and that of
    1xN is Nx1 or N.

    Example:

    ```mlir
    func.func @f(%v: tensor<48x64xf32>, %z: tensor<64xf32>) -> tensor<64x48xf32> {
      %row = tile.transpose %z : tensor<64xf32> -> tensor<1x64xf32>
      %r = tile.transpose %v : tensor<48x64xf32> -> tensor<64x48xf32>
      return %r : tensor<64x48xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Tile_RowOp : Tile_Op<"row", [Pure]> {
  let summary = "one row of a tile";
  let description = [{
    Row `index`, which must be below the first extent, as a tile of one row.

    Rules: `[row-1]` the result of NxD is 1xD.

    Example:

    ```mlir
    func.func @f(%y: tensor<48x64xf32>, %t: index) -> tensor<1x64xf32> {
      %r = tile.row %y[%t] : tensor<48x64xf32> -> tensor<1x64xf32>
      return %r : tensor<1x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, Index:$index);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = "$tile `[` $index `]` attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}

def Tile_ElementOp : Tile_Op<"element", [Pure]> {
  let summary = "one element of a vector";
  let description = [{
    Element `index`, which must be below the extent.

    Rules: `[element-1]` the tile has rank 1.

    Example:

    ```mlir
    func.func @f(%a: tensor<48xf32>, %t: index) -> f32 {
      %x = tile.element %a[%t] : tensor<48xf32>
      return %x : f32
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$tile, Index:$index);
  let results = (outs F32:$result);
  let assemblyFormat = "$tile `[` $index `]` attr-dict `:` type($tile)";
  let hasVerifier = 1;
}

def Tile_LoadTableOp : Tile_Op<"load_table", [Pure]> {
  let summary = "a matrix of a run-time table as a tile";
  let description = [{
    The matrix of the last two axes at the given leading indices. Indices and
    rows and columns that are outside of the table are moved to the nearest one.

    Rules: `[load_table-1]` the table has f32 elements and two axes more than there
    are indices; `[load_table-2]` the result has rank 2.

    Example:

    ```mlir
    func.func @f(%w: tensor<?x?x?xf32>, %h: index) -> tensor<64x64xf32> {
      %r = tile.load_table %w[%h] : tensor<?x?x?xf32> -> tensor<64x64xf32>
      return %r : tensor<64x64xf32>
    }
    ```
  }];
  let arguments = (ins RankedTensorOf<[F32]>:$table, Variadic<Index>:$indices);
  let results = (outs Tile_Tile:$tile);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table) `->` type($tile)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Element by element, and over rows and columns
//===----------------------------------------------------------------------===//

def Tile_MapOp : Tile_Op<"map", [SingleBlockImplicitTerminator<"YieldOp">, Pure,
                                 AttrSizedOperandSegments]> {
  let summary = "a scalar function of the elements of tiles";
  let description = [{
    The region gets an element of every input, then batch, head, the row `row0 + i`
    and the column `column0 + c`, and then the parameters; it yields one value per
    result. Results are all NxD, or all N (then c = 0). An input is NxD, or N, one
    value per row, or 1xD, one per column. There may be no input at all.

    Rules: `[map-1]` results are of one type, of rank 1 or 2; `[map-2]` every input
    fits; `[map-3]` the region's arguments are (f32 per input, four index, the
    parameters) and it yields an f32 per result.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %z: tensor<48xf32>, %b: index, %h: index,
                 %i0: index, %slope: f32) -> tensor<48x64xf32> {
      %c0 = arith.constant 0 : index
      %r = tile.map %s, %z at(%b, %h) from(%i0, %c0) params(%slope : f32) {
      ^bb0(%x: f32, %y: f32, %bb: index, %hh: index, %i: index, %c: index, %m: f32):
        %u = arith.mulf %x, %m : f32
        %w = arith.addf %u, %y : f32
        tile.yield %w : f32
      } : (tensor<48x64xf32>, tensor<48xf32>) -> tensor<48x64xf32>
      return %r : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<Tile_Tile>:$inputs, Index:$b, Index:$h,
                       Index:$row0, Index:$column0, Variadic<Attn_Param>:$params);
  let results = (outs Variadic<Tile_Tile>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    ($inputs^)? `at` `(` $b `,` $h `)` `from` `(` $row0 `,` $column0 `)`
    (`params` `(` $params^ `:` type($params) `)`)? $body attr-dict
    `:` functional-type($inputs, $results)
  }];
  let hasVerifier = 1;
}

def Tile_ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "the sum or maximum of every row or column";
  let description = [{
    Along axis 1 one value per row, along axis 0 one per column. The maximum of
    elements with a NaN among them is NaN. The order of additions is the target's.

    Rules: `[reduce-1]` the tile has rank 2, the axis is 0 or 1, and the result is
    the other extent.

    Example:

    ```mlir
    func.func @f(%p: tensor<48x32xf32>) -> tensor<48xf32> {
      %l = tile.reduce sum %p along 1 : tensor<48x32xf32> -> tensor<48xf32>
      return %l : tensor<48xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Reduction:$kind, Tile_Tile:$tile, I64Attr:$axis);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $kind $tile `along` $axis attr-dict `:` type($tile) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

def Tile_DecaysOp : Tile_Op<"decays", [
    Pure, AllTypesMatch<["a", "from_start", "to_end"]>]> {
  let summary = "products of the factors between two tokens";
  let description = [{
    With a factor `a[t]` in [0, 1] per token:

    `w[i, j] = prod over j < t <= i of a[t]` for j <= i, 1 for j = i, 0 for j > i;
    `from_start[i] = prod over t <= i`; `to_end[j] = prod over t > j`; `total` the
    product of all. Products are multiplied out, never divided.

    Rules: `[decays-1]` a, from_start and to_end are vectors of one length N, and w
    is NxN.

    Example:

    ```mlir
    func.func @f(%a: tensor<48xf32>) -> tensor<48x48xf32> {
      %w, %from_start, %to_end, %total = tile.decays %a
        : tensor<48xf32> -> tensor<48x48xf32>
      return %w : tensor<48x48xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$a);
  let results = (outs Tile_Tile:$w, Tile_Tile:$from_start, Tile_Tile:$to_end,
                      F32:$total);
  let assemblyFormat = "$a attr-dict `:` type($a) `->` type($w)";
  let hasVerifier = 1;
}

def Tile_DecayedScoresOp : Tile_Op<"decayed_scores", [
    Pure, AllTypesMatch<["q", "k", "a"]>]> {
  let summary = "dot products of rows with a factor per token and feature";
  let description = [{
    `s[i, j] = sum over c of q[i, c] * k[j, c] * prod over j < t <= i of a[t, c]` for
    j <= i, 0 for j > i. Every partial product of factors is of a stretch of (j, i],
    so with factors in [0, 1] nothing overflows. With `before`, row i stands before
    the factor of its token: the products are over j < t < i, and s is 0 for j = i
    too.

    Rules: `[decayed_scores-1]` q, k and a are NxD and the result is NxN.

    Example:

    ```mlir
    func.func @f(%q: tensor<48x64xf32>, %k: tensor<48x64xf32>,
                 %a: tensor<48x64xf32>) -> tensor<48x48xf32> {
      %s = tile.decayed_scores %q, %k, %a : tensor<48x64xf32> -> tensor<48x48xf32>
      %t = tile.decayed_scores %k, %k, %a before
        : tensor<48x64xf32> -> tensor<48x48xf32>
      return %s : tensor<48x48xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$q, Tile_Tile:$k, Tile_Tile:$a,
                       UnitAttr:$before);
  let results = (outs Tile_Tile:$s);
  let assemblyFormat = [{
    $q `,` $k `,` $a (`before` $before^)? attr-dict `:` type($q) `->` type($s)
  }];
  let hasVerifier = 1;
}

def Tile_CumulateOp : Tile_Op<"cumulate", [
    Pure, AllTypesMatch<["a", "from_start", "to_end"]>]> {
  let summary = "products of the factors before and after every token";
  let description = [{
    `from_start[i, c] = prod over t <= i of a[t, c]`, with `before` over t < i;
    `to_end[j, c] = prod over t > j`, `total[c]` the product of all.

    Rules: `[cumulate-1]` a is NxD.

    Example:

    ```mlir
    func.func @f(%a: tensor<48x64xf32>) -> tensor<64xf32> {
      %from_start, %to_end, %total = tile.cumulate %a
        : tensor<48x64xf32> -> tensor<64xf32>
      return %total : tensor<64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$a, UnitAttr:$before);
  let results = (outs Tile_Tile:$from_start, Tile_Tile:$to_end, Tile_Tile:$total);
  let assemblyFormat = [{
    $a (`before` $before^)? attr-dict `:` type($a) `->` type($total)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$a, CArg<"bool", "false">:$before)>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    static ::mlir::RankedTensorType totalType(::mlir::RankedTensorType a);
  }];
}

def Tile_SolveOp : Tile_Op<"solve", [Pure, AllTypesMatch<["r", "u"]>]> {
  let summary = "forward substitution";
  let description = [{
    `u[:, i] = r[:, i] - sum over j < i of a[i, j] * u[:, j]`: the columns of u are
    those of the solution of (1 + strictly lower part of a) u^T = r^T. Nothing else
    of a is used.

    Rules: `[solve-1]` a is NxN and r is DxN.

    Example:

    ```mlir
    func.func @f(%a: tensor<48x48xf32>, %r: tensor<64x48xf32>) -> tensor<64x48xf32> {
      %u = tile.solve %a, %r : tensor<48x48xf32>, tensor<64x48xf32>
      return %u : tensor<64x48xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$a, Tile_Tile:$r);
  let results = (outs Tile_Tile:$u);
  let assemblyFormat = "$a `,` $r attr-dict `:` type($a) `,` type($r)";
  let hasVerifier = 1;
}

def Tile_ExpandOp : Tile_Op<"expand", [Pure]> {
  let summary = "features whose dot product is a function of a dot product";
  let description = [{
    Rows phi(x) with phi(x) . phi(y) = (x . y)^p: all monomials of degree p, in
    ascending order of their indices, times the root of the multinomial
    coefficient. `taylor`: 1 + s + s^2 / 2 of the dot product s: first 1, then the
    elements of x, then the monomials of degree 2 over root 2. (Arora et al.,
    "Simple linear attention language models balance the recall-throughput
    tradeoff", 2024.)

    Rules: `[expand-1]` x is NxD and the degree 2 to 8; `[expand-2]` the result is
    NxF, F the number of features: C(D + p - 1, p), or 1 + D + D (D + 1) / 2.

    Example:

    ```mlir
    func.func @f(%x: tensor<48x16xf32>) -> tensor<48x136xf32> {
      %t = tile.expand %x taylor : tensor<48x16xf32> -> tensor<48x153xf32>
      %p = tile.expand %x power 2 : tensor<48x16xf32> -> tensor<48x136xf32>
      return %p : tensor<48x136xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$x, OptionalAttr<I64Attr>:$power);
  let results = (outs Tile_Tile:$result);
  let assemblyFormat = [{
    $x (`power` $power^) : (`taylor`)? attr-dict `:` type($x) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Features of `d` elements; no power for taylor. -1 beyond 2^40.
    static int64_t numFeatures(int64_t d, std::optional<uint64_t> power);
  }];
}

#endif // HEDDLE_TILE_LINEAR_OPS_TD
