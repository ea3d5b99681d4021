// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_QUESTION_OPS_TD
#define HEDDLE_ATTN_QUESTION_OPS_TD

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

def Attn_TilesOp : Attn_Op<"tiles", [Pure, AttrSizedOperandSegments]> {
  let summary = "the live key tiles of one query tile";
  let description = [{
    Stands for all key tiles `[k0, k0 + key_tile)`, k0 a multiple of `key_tile`,
    below `num_keys`, that hold a kept pair with a query of
    `[q0, q0 + query_tile)` (absolute positions), each with its status: partial
    (1) or full (2). Tiles may be listed though they are empty, and called
    partial though they are full, never the other way round.

    The last query tile may reach past the last query; the rows past the end
    count as if they existed.

    On a token grid a tile is a box. Coordinates come outermost axis first,
    `key_grid` names the parameters that hold the extents of the grid of keys,
    and `query_box` and `key_box` the boxes; tiles are listed row by row.

    Rules: `[tiles-1]` both tile sizes are positive; `[tiles-2]` the formula uses
    no parameter beyond those given; `[tiles-3]` there are as many query
    coordinates as axes of `query_box`, `key_box` and `key_grid`, or one and none
    of these.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %q0: index, %n: index, %w: index)
        -> !attn.tiles {
      %t = attn.tiles #attn.formula<q - k in interval<0, p0>> at(%b, %h, %q0)
        keys(%n) params(%w : index) tile 48 x 64
      return %t : !attn.tiles
    }
    ```
  }];
  let arguments = (ins Attn_FormulaAttr:$formula,
                       Index:$b, Index:$h, Variadic<Index>:$q0, Index:$num_keys,
                       Variadic<Attn_Param>:$params,
                       I64Attr:$query_tile, I64Attr:$key_tile,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$query_box,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$key_box,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$key_grid);
  let results = (outs Attn_TilesType:$tiles);
  let assemblyFormat = [{
    $formula `at` `(` $b `,` $h `,` $q0 `)` `keys` `(` $num_keys `)`
    (`params` `(` $params^ `:` type($params) `)`)? `tile` $query_tile `x` $key_tile
    (`boxes` $query_box^ $key_box `of` $key_grid)? attr-dict
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Questions to tables and sets
//===----------------------------------------------------------------------===//

def Attn_SpanOp : Attn_Op<"span", [Pure]> {
  let summary = "bounds on the elements of a stretch of a table";
  let description = [{
    The smallest and the largest element at the leading indices and last index in
    `[first, last]`, in time logarithmic in the length of the stretch. Indices
    outside the table are moved to its nearest element.

    Example:

    ```mlir
    func.func @f(%doc: tensor<?x?xindex>, %b: index, %q0: index, %q1: index)
        -> (index, index) {
      %lo, %hi = attn.span %doc[%b : %q0 to %q1] : tensor<?x?xindex>
      return %lo, %hi : index, index
    }
    ```
  }];
  let arguments = (ins RankedTensorOf<[Index]>:$table, Variadic<Index>:$indices,
                       Index:$first, Index:$last);
  let results = (outs Index:$lo, Index:$hi);
  let assemblyFormat = [{
    $table `[` $indices `:` $first `to` $last `]` attr-dict `:` type($table)
  }];
}

def Attn_SeekOp : Attn_Op<"seek", [Pure]> {
  let summary = "the next element of a table inside or outside of an interval";
  let description = [{
    The first last-index, at least `from`, whose element lies in `[lo, hi)`, or
    with `outside` does not; the table's extent when there is none. Skips
    stretches whose bounds rule them out.

    Example:

    ```mlir
    func.func @f(%doc: tensor<?x?xindex>, %b: index, %k: index, %lo: index,
                 %hi: index) -> index {
      %next = attn.seek %doc[%b : %k] in %lo to %hi : tensor<?x?xindex>
      return %next : index
    }
    ```
  }];
  let arguments = (ins RankedTensorOf<[Index]>:$table, Variadic<Index>:$indices,
                       Index:$from, Index:$lo, Index:$hi, UnitAttr:$outside);
  let results = (outs Index:$position);
  let assemblyFormat = [{
    $table `[` $indices `:` $from `]` `in` $lo `to` $hi (`outside` $outside^)?
    attr-dict `:` type($table)
  }];
}

def Attn_ProbeOp : Attn_Op<"probe", [Pure]> {
  let summary = "what rows of a set hold of an interval";
  let description = [{
    For the sets at the leading indices and last index in `[first, last]`, and
    the integers `[lo, hi]`: whether some set holds one of them, whether every
    set holds all of them, the smallest member above `hi` and the largest below
    `lo` of any set (2^62 and -2^62 where there is none). A set without indices
    has the one row 0.

    Example:

    ```mlir
    func.func @f(%rows: !attn.set, %b: index, %r: index, %lo: index, %hi: index)
        -> i1 {
      %some, %every, %next, %previous =
        attn.probe %rows[%b : %r to %r] for %lo to %hi
      return %some : i1
    }
    ```
  }];
  let arguments = (ins Attn_SetType:$set, Variadic<Index>:$indices,
                       Index:$first, Index:$last, Index:$lo, Index:$hi);
  let results = (outs I1:$some, I1:$every, Index:$next, Index:$previous);
  let assemblyFormat = [{
    $set `[` $indices `:` $first `to` $last `]` `for` $lo `to` $hi attr-dict
  }];
}

def Attn_RankOp : Attn_Op<"rank", [Pure]> {
  let summary = "how many members of a set are smaller";
  let description = [{
    The number of members below `value`.

    Example:

    ```mlir
    func.func @f(%cols: !attn.set, %b: index, %h: index, %k: index) -> index {
      %r = attn.rank %cols[%b, %h] below %k
      return %r : index
    }
    ```
  }];
  let arguments = (ins Attn_SetType:$set, Variadic<Index>:$indices, Index:$value);
  let results = (outs Index:$rank);
  let assemblyFormat = "$set `[` $indices `]` `below` $value attr-dict";
}

def Attn_MemberOp : Attn_Op<"member", [Pure]> {
  let summary = "the member of a set with a given rank";
  let description = [{
    The member that has `rank` members below it; 2^62 when there is none.

    Example:

    ```mlir
    func.func @f(%cols: !attn.set, %b: index, %h: index, %r: index) -> index {
      %k = attn.member %r of %cols[%b, %h]
      return %k : index
    }
    ```
  }];
  let arguments = (ins Index:$rank, Attn_SetType:$set, Variadic<Index>:$indices);
  let results = (outs Index:$member);
  let assemblyFormat = "$rank `of` $set `[` $indices `]` attr-dict";
}

def Attn_ExtentOp : Attn_Op<"extent", [Pure]> {
  let summary = "how many elements a table has along an axis, or sets a family";
  let description = [{
    The number of values that index `axis` of a table or of a set may have, from
    0 on. Along an axis where one element stands for all it is larger than any
    index.

    Example:

    ```mlir
    func.func @f(%cols: !attn.set, %doc: tensor<?x?xindex>) -> (index, index) {
      %rows = attn.extent 1 of %cols : !attn.set
      %keys = attn.extent 1 of %doc : tensor<?x?xindex>
      return %rows, %keys : index, index
    }
    ```
  }];
  let arguments = (ins AnyTypeOf<[RankedTensorOf<[Index, F32]>, Attn_SetType]>:$operand,
                       I64Attr:$axis);
  let results = (outs Index:$extent);
  let assemblyFormat = "$axis `of` $operand attr-dict `:` type($operand)";
}

#endif // HEDDLE_ATTN_QUESTION_OPS_TD
