// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verbs of the kernels that add up columns: sums of the weights of every key,
// and the largest weight of every block. Included by TileOps.td.

#ifndef HEDDLE_TILE_COLUMN_OPS_TD
#define HEDDLE_TILE_COLUMN_OPS_TD

def Tile_WeightsOp : Tile_Op<"weights", [Pure, AllTypesMatch<["s", "p"]>]> {
  let summary = "weights of rows whose log-sum-exp is known";
  let description = [{
    `p[i, j] = 2^(s[i, j] - lse[i] / ln 2)` with s in units of log2 and lse in
    natural units; 0 where s or lse is -inf, and where the bit is zero.

    Rules: `[weights-1]` lse has rank 1 and the first extent of s; `[weights-2]`
    the bits have the shape of s.

    Example:

    ```mlir
    func.func @f(%s: tensor<48x64xf32>, %lse: tensor<48xf32>,
                 %bits: tensor<48x64xi1>) -> tensor<48x64xf32> {
      %p = tile.weights %s, %lse where %bits
        : tensor<48x64xf32>, tensor<48xf32>, tensor<48x64xi1>
      return %p : tensor<48x64xf32>
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$s, Tile_Tile:$lse, Tile_Bits:$bits);
  let results = (outs Tile_Tile:$p);
  let assemblyFormat = [{
    $s `,` $lse `where` $bits attr-dict `:` type($s) `,` type($lse) `,` type($bits)
  }];
  let hasVerifier = 1;
}

def Tile_AddColumnsOp : Tile_Op<"add_columns", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "adds the sums of a tile's columns to a view";
  let description = [{
    Adds `sum over i < rows of p[i, j]` to the element of key j for head `h` of
    sequence `b`, for the keys that exist: key j is `k0 + j`, or the j-th of a list
    of tokens. A view without storage is left alone. The elements of these keys
    belong to the running task alone.

    Rules: `[add_columns-1]` p has rank 2 and the view width 1; `[add_columns-2]`
    there are as many tokens as keys.

    Example:

    ```mlir
    func.func @f(%p: tensor<48x64xf32>, %rows: index, %sums: !attn.view<1xf32>,
                 %b: index, %h: index, %k0: index) {
      tile.add_columns %p rows %rows, %sums[%b, %h, %k0]
        : tensor<48x64xf32>, !attn.view<1xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$p, Index:$rows, Attn_ViewType:$view,
                       Index:$b, Index:$h, Tile_Rows:$k0);
  let assemblyFormat = [{
    $p `rows` $rows `,` $view `[` $b `,` $h `,` $k0 custom<RowType>(type($k0)) `]` attr-dict
    `:` type($p) `,` type($view)
  }];
  let hasVerifier = 1;
}

def Tile_RaiseBlocksOp : Tile_Op<"raise_blocks", [MemoryEffects<[MemRead, MemWrite]>]> {
  let summary = "raises maxima of blocks to those of a tile";
  let description = [{
    Row `r` of the view, for head `h` of sequence `b`, has one element per block of
    keys. For every row i < rows and every key j that exist, the element of row
    `query / block_q` and column `key / block_k` becomes the maximum of itself and
    p[i, j]. The query is `row0 + i`, or the i-th of a list of tokens; the key
    likewise. p is 0 for keys that do not exist. A view without storage is left
    alone. The columns belong to the running task alone where queries and keys are
    consecutive; with a list, other tasks may raise the same elements at the same
    time.

    Rules: `[raise_blocks-1]` p has rank 2 and the block sizes are positive;
    `[raise_blocks-2]` there are as many tokens as rows or keys.

    Example:

    ```mlir
    func.func @f(%p: tensor<48x64xf32>, %rows: index, %max: !attn.view<1xf32>,
                 %b: index, %h: index, %row0: index, %k0: index) {
      tile.raise_blocks %p rows %rows, %max[%b, %h] at(%row0, %k0) by 64 x 64
        : tensor<48x64xf32>, !attn.view<1xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tile_Tile:$p, Index:$rows, Attn_ViewType:$view,
                       Index:$b, Index:$h, Tile_Rows:$row0, Tile_Rows:$k0,
                       I64Attr:$block_q, I64Attr:$block_k);
  let assemblyFormat = [{
    $p `rows` $rows `,` $view `[` $b `,` $h `]`
    `at` `(` $row0 custom<RowType>(type($row0)) `,` $k0 custom<RowType>(type($k0)) `)`
    `by` $block_q `x` $block_k attr-dict `:` type($p) `,` type($view)
  }];
  let hasVerifier = 1;
}

#endif // HEDDLE_TILE_COLUMN_OPS_TD
