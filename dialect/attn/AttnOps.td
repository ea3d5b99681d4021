// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_OPS_TD
#define HEDDLE_ATTN_OPS_TD

include "dialect/attn/AttnAttrs.td"
include "dialect/attn/AttnTypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, traits>;

def Attn_SetAttr : AnyAttrOf<[Attn_IntervalAttr, Attn_ResidueAttr, Attn_Pow2Attr]> {
  let summary = "a set of integers: #attn.interval, #attn.residue or #attn.pow2";
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

def Attn_PatternOp : Attn_Op<"pattern", [
    IsolatedFromAbove, Symbol, SingleBlockImplicitTerminator<"KeepOp">,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a named pattern: which query meets which key";
  let description = [{
    The keep region answers, for batch `b`, query head `h`, absolute query
    position `q` and key position `k`, whether the pair is kept. A pattern is
    generic in lengths, head dims, element type, layout and target. Parameters
    are run-time integers; a default is used where a caller gives no value.

    The region may use integer constants, `arith.addi`, `subi`, `muli` with a
    constant, `floordivsi`, `ceildivsi` and `attn.mod` by a positive constant,
    `divsi`, `divui`, `remsi`, `remui` of what can't be negative, `minsi`,
    `maxsi`, `cmpi` and `select` on `index`; `andi`, `ori`, `xori`, `select` on
    `i1`; `attn.in` and `attn.num_keys`.

    Rules: `[pattern-1]` the region's arguments are the parameters followed by
    four coordinates, all `index`; `[pattern-2]` parameter names are distinct and
    there is one name and one default (or none) per parameter; `[pattern-3]` the
    region holds only the operations listed above; `[pattern-4]` the region ends
    in `attn.keep`.

    Example:

    ```mlir
    attn.pattern @sliding_window(%window: index = 256) keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %window : index
      %kept = arith.andi %past, %near : i1
      attn.keep %kept
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       StrArrayAttr:$param_names,
                       ArrayAttr:$param_defaults,
                       OptionalAttr<Attn_FormulaAttr>:$formula);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumParams() { return getParamNames().size(); }
    /// The name of parameter `i` as written in the source.
    ::llvm::StringRef getParamName(unsigned i);
    /// The default of parameter `i`, if it has one.
    ::std::optional<int64_t> getParamDefault(unsigned i);
    /// Region arguments: parameters, then b, h, q, k.
    ::mlir::BlockArgument getParam(unsigned i) {
      return getBody().getArgument(i);
    }
    ::mlir::BlockArgument getCoordinate(unsigned i) {
      return getBody().getArgument(getNumParams() + i);
    }
  }];
}

def Attn_KeepOp : Attn_Op<"keep", [Pure, Terminator, HasParent<"PatternOp">]> {
  let summary = "the verdict of a keep region";
  let description = [{
    Ends the region of an `attn.pattern`; a true operand keeps the pair. Fails to
    verify outside a pattern or with an operand that is not `i1`.

    Example:

    ```mlir
    attn.pattern @first_keys keep(%b, %h, %q, %k) {
      %first = attn.in %k, #attn.interval<0, 16>
      attn.keep %first
    }
    ```
  }];
  let arguments = (ins I1:$kept);
  let assemblyFormat = "$kept attr-dict";
}

def Attn_InOp : Attn_Op<"in", [Pure]> {
  let summary = "membership of an integer in a set";
  let description = [{
    True when the value is an element of the set. Fails to verify when the
    attribute is not one of `#attn.interval`, `#attn.residue`, `#attn.pow2`.

    Example:

    ```mlir
    attn.pattern @every_fourth keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %hit = attn.in %d, #attn.residue<0, 4>
      attn.keep %hit
    }
    ```
  }];
  let arguments = (ins Index:$value, Attn_SetAttr:$set);
  let results = (outs I1:$result);
  let assemblyFormat = "$value `,` $set attr-dict";
}

def Attn_ModOp : Attn_Op<"mod", [Pure]> {
  let summary = "remainder of a division by a positive constant, never negative";
  let description = [{
    `value - modulus * floor(value / modulus)`, in `[0, modulus)` for negative
    values too, unlike `arith.remsi`.

    Rule: `[mod-1]` the modulus is positive.

    Example:

    ```mlir
    attn.pattern @same_phase keep(%b, %h, %q, %k) {
      %p = attn.mod %q, 8
      %r = attn.mod %k, 8
      %same = arith.cmpi eq, %p, %r : index
      attn.keep %same
    }
    ```
  }];
  let arguments = (ins Index:$value, I64Attr:$modulus);
  let results = (outs Index:$result);
  let assemblyFormat = "$value `,` $modulus attr-dict";
  let hasVerifier = 1;
}

def Attn_NumKeysOp : Attn_Op<"num_keys", [Pure]> {
  let summary = "the number of keys of the sequence";
  let description = [{
    A run-time value, for patterns whose shape depends on where the sequence
    ends, such as a neighborhood whose windows are shifted at the border. Never
    fails.

    Example:

    ```mlir
    attn.pattern @last_keys keep(%b, %h, %q, %k) {
      %n = attn.num_keys
      %c64 = arith.constant 64 : index
      %from = arith.subi %n, %c64 : index
      %last = arith.cmpi sge, %k, %from : index
      attn.keep %last
    }
    ```
  }];
  let results = (outs Index:$result);
  let assemblyFormat = "attr-dict";
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

def Attn_AttentionOp : Attn_Op<"attention", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "softmax attention under a pattern";
  let description = [{
    For every batch b, query head h and query row i, with K the keys that the
    pattern keeps for absolute position `i + origin[b]`:

    `o_i = sum over j in K of exp(s_ij - m) v_j / sum over j in K of exp(s_ij - m)`,
    `lse_i = m + ln(sum over j in K of exp(s_ij - m))`, with
    `s_ij = scale * (q_i . k_j)` and key head `h / (Hq / Hkv)`.

    A row that keeps no key gives `o = 0` and `lse = -inf`. Tensors are ranked 4,
    axes (batch, head, position, feature); `lse` has the first three.
    Accumulation is in f32.

    Rules: `[attention-1]` q, k, v and o have rank 4, lse rank 3; `[attention-2]`
    element types of q, k, v and o are f32, lse is f32; `[attention-3]` the
    feature size of q equals that of k, that of v equals that of o, and both are
    static and in [1, 512]; `[attention-4]` the symbol names an `attn.pattern`
    with as many parameters as there are arguments; `[attention-5]` static head
    counts: heads of q are a multiple of heads of k, and k and v agree;
    `[attention-6]` static sizes agree: batch everywhere, positions of q and o
    and lse, positions of k and v, heads of q and o and lse; `[attention-7]` origin
    has rank 1.

    Example:

    ```mlir
    attn.pattern @causal keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      attn.keep %past
    }
    func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
                 %v: tensor<?x2x?x64xf32>, %s: f32)
        -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
      %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
        : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x64xf32>
        -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
      return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$pattern,
                       Variadic<Index>:$params,
                       AnyRankedTensor:$q, AnyRankedTensor:$k, AnyRankedTensor:$v,
                       F32:$scale,
                       Optional<RankedTensorOf<[Index]>>:$origin,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$o, AnyRankedTensor:$lse);
  let assemblyFormat = [{
    $pattern `(` $params `)` `q` `(` $q `)` `k` `(` $k `)` `v` `(` $v `)`
    `scale` `(` $scale `)` (`origin` `(` $origin^ `:` type($origin) `)`)?
    (`schedule` $schedule^)? attr-dict `:` type($q) `,` type($k) `,` type($v)
    `->` type($o) `,` type($lse)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

def Attn_TilesOp : Attn_Op<"tiles", [Pure]> {
  let summary = "the live key tiles of one query tile";
  let description = [{
    Stands for all key tiles `[k0, k0 + key_tile)`, k0 a multiple of `key_tile`,
    below `num_keys`, that hold a kept pair with a query of
    `[q0, q0 + query_tile)` (absolute positions), each with its status: partial
    (1) or full (2). Tiles may be listed though they are empty, and called
    partial though they are full, never the other way round.

    The last query tile may reach past the last query; the rows past the end
    count as if they existed.

    Rules: `[tiles-1]` both tile sizes are positive; `[tiles-2]` the formula uses
    no parameter beyond those given.

    Example:

    ```mlir
    func.func @f(%b: index, %h: index, %q0: index, %n: index, %w: index)
        -> !attn.tiles {
      %t = attn.tiles #attn.formula<q - k in interval<0, p0>> at(%b, %h, %q0)
        keys(%n) params(%w) tile 48 x 64
      return %t : !attn.tiles
    }
    ```
  }];
  let arguments = (ins Attn_FormulaAttr:$formula,
                       Index:$b, Index:$h, Index:$q0, Index:$num_keys,
                       Variadic<Index>:$params,
                       I64Attr:$query_tile, I64Attr:$key_tile);
  let results = (outs Attn_TilesType:$tiles);
  let assemblyFormat = [{
    $formula `at` `(` $b `,` $h `,` $q0 `)` `keys` `(` $num_keys `)`
    (`params` `(` $params^ `)`)? `tile` $query_tile `x` $key_tile attr-dict
  }];
  let hasVerifier = 1;
}

#endif // HEDDLE_ATTN_OPS_TD
