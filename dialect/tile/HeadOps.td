// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several query heads in one task: what differs from head to head, and what
// they share. Included by TileOps.td.

#ifndef HEDDLE_TILE_HEAD_OPS_TD
#define HEDDLE_TILE_HEAD_OPS_TD

include "mlir/IR/AttrTypeBase.td"

def Tile_HeadsType : TypeDef<Tile_Dialect, "Heads"> {
  let mnemonic = "heads";
  let summary = "a tile for every query head of a task";
  let description = [{
    Up to `count` tiles of one type, the i-th of which belongs to the i-th query
    head that the task takes. What lies behind the heads that there are is not
    specified. Only `tile.each_head` makes and reads them.

    Example: `!tile.heads<4, tensor<96x64xf32>>`.

    Rule: `[heads-1]` the count is positive and the tile of static shape.
  }];
  let parameters = (ins "int64_t":$count, "::mlir::RankedTensorType":$tile);
  let assemblyFormat = "`<` $count `,` $tile `>`";
  let genVerifyDecl = 1;
}

def Tile_NumHeadsOp : Tile_Op<"num_heads", [Pure]> {
  let summary = "how many query heads the task takes";
  let description = [{
    The heads `h`, `h + 1`, … that share a head of `k` with `h`, as many of them
    as the caller of the kernel asks for at most: at least 1. The number of heads
    of `q` is a multiple of that of `k`.

    Example:

    ```mlir
    func.func @f(%h: index, %q: !attn.view<64xf32>, %k: !attn.view<64xf32>) -> index {
      %n = tile.num_heads from %h of %q per %k
        : !attn.view<64xf32>, !attn.view<64xf32>
      return %n : index
    }
    ```
  }];
  let arguments = (ins Index:$h, Attn_ViewType:$q, Attn_ViewType:$k);
  let results = (outs Index:$result);
  let assemblyFormat = [{
    `from` $h `of` $q `per` $k attr-dict `:` type($q) `,` type($k)
  }];
}

def Tile_EachHeadOp : Tile_Op<"each_head", [
    SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    AttrSizedOperandSegments]> {
  let summary = "the same for every query head of a task";
  let description = [{
    Runs the body for the heads `h` to `h + count - 1`, one after the other; the
    count is at least 1. The body gets the head and its tiles of `reads` and
    `carries`. What it yields are the head's tiles of the results; the first ones
    take the place of `carries`. What the heads share stands before the
    operation, and is made once for all of them.

    Rules: `[each_head-1]` the body's arguments are an index and one tile for each
    of `reads` and `carries`, of their types; `[each_head-2]` the results hold the
    types that the body yields, and begin with the types of `carries`;
    `[each_head-3]` all of them are for the same number of heads.

    Example:

    ```mlir
    func.func @f(%h: index, %n: index, %q: !tile.heads<4, tensor<48x64xf32>>,
                 %o: !tile.heads<4, tensor<48x64xf32>>, %k: tensor<32x64xf32>,
                 %v: tensor<32x64xf32>) {
      %r = tile.each_head from %h count %n
          reads(%q : !tile.heads<4, tensor<48x64xf32>>)
          carries(%o : !tile.heads<4, tensor<48x64xf32>>) {
      ^bb0(%head: index, %q1: tensor<48x64xf32>, %o1: tensor<48x64xf32>):
        %s = tile.scores %q1, %k : tensor<48x64xf32>, tensor<32x64xf32> -> tensor<48x32xf32>
        %o2 = tile.accumulate %o1, %s, %v
          : tensor<48x64xf32>, tensor<48x32xf32>, tensor<32x64xf32>
        tile.yield %o2 : tensor<48x64xf32>
      } -> !tile.heads<4, tensor<48x64xf32>>
      return
    }
    ```
  }];
  let arguments = (ins Index:$h, Index:$count, Variadic<Tile_HeadsType>:$reads,
                       Variadic<Tile_HeadsType>:$carries);
  let results = (outs Variadic<Tile_HeadsType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `from` $h `count` $count (`reads` `(` $reads^ `:` type($reads) `)`)?
    (`carries` `(` $carries^ `:` type($carries) `)`)? $body attr-dict
    (`->` type($results)^)?
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$h, "::mlir::Value":$count,
    "int64_t":$heads, "::mlir::ValueRange":$reads, "::mlir::ValueRange":$carries,
    "::llvm::function_ref<::mlir::SmallVector<::mlir::Value>(::mlir::Value, ::mlir::ValueRange, ::mlir::ValueRange)>":$body)>];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::BlockArgument getHead() { return getBody().getArgument(0); }
    /// The head's tiles of the two kinds.
    ::mlir::Block::BlockArgListType getRead() {
      return getBody().getArguments().slice(1, getReads().size());
    }
    ::mlir::Block::BlockArgListType getCarried() {
      return getBody().getArguments().drop_front(1 + getReads().size());
    }
  }];
}

#endif // HEDDLE_TILE_HEAD_OPS_TD
