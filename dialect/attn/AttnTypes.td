// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_TYPES_TD
#define HEDDLE_ATTN_TYPES_TD

include "dialect/attn/AttnDialect.td"
include "mlir/IR/AttrTypeBase.td"

def Attn_ViewType : TypeDef<Attn_Dialect, "View"> {
  let mnemonic = "view";
  let summary = "a tensor and where it lives";
  let description = [{
    Rows of `width` elements addressed by (batch, head, position), with run-time
    sizes and strides. Masks never mention storage and storage never mentions
    masks.

    Example: `!attn.view<64xf32>` holds head vectors of 64 floats.

    Rule: `[view-1]` the width is positive.
  }];
  let parameters = (ins "int64_t":$width, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Attn_TilesType : TypeDef<Attn_Dialect, "Tiles"> {
  let mnemonic = "tiles";
  let summary = "the live key tiles of one query tile, as a value";
  let description = [{
    Produced by `attn.tiles`, consumed by `tile.foreach`. It stands for a
    sequence of (first key, status) pairs in ascending order; it never exists in
    memory.
  }];
}

def Attn_SetType : TypeDef<Attn_Dialect, "Set"> {
  let mnemonic = "set";
  let summary = "sets of integers known at run time";
  let description = [{
    A pattern parameter of this type is a family of sets, one for every value of
    its indices (`%cols[%b, %h]`, `%rows[%b, %h, %block]`). A caller hands it
    over as sorted lists with lengths, as CSR (`indptr`, `indices`), or as a
    boolean map; see heddle/heddle.h. It says how large the universe is: members
    lie in [0, size).
  }];
}

#endif // HEDDLE_ATTN_TYPES_TD
