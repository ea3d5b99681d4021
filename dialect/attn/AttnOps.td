// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_OPS_TD
#define HEDDLE_ATTN_OPS_TD

include "dialect/attn/AttnAttrs.td"
include "dialect/attn/AttnParams.td"
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
    IsolatedFromAbove, Symbol, NoTerminator,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a named pattern: which query meets which key, and how";
  let description = [{
    The keep region answers, for batch `b`, query head `h`, absolute query
    position `q` and key position `k`, whether the pair is kept. A pattern is
    generic in lengths, head dims, element type, layout and target.

    Parameters are run-time values: integers (`index`), reals (`f32`), tables of
    either (`tensor<?x?xindex>`, `tensor<?xf32>`, read with `attn.at`), and sets
    (`!attn.set`, asked with `attn.in`). Integers and reals may have a default.

    With `grid(%H x %W)` the sequence is a token grid in row-major order, of one
    to three axes whose extents are integer parameters, and the region sees
    coordinates: `keep(%b, %h, %qy, %qx, %ky, %kx)`. `grid(%H x %W) keys(%h x %w)`
    gives keys a grid of their own with as many axes.

    A score region changes scores before normalisation: its first argument is
    `scale * (q . k)`, and it ends in `attn.score`. `normalize` says how scores
    become weights (see `#attn.normalizer`; softmax when not given):
    `normalize softmax sink(%sink)`, `normalize grouped 64`. `rotate(%cos, %sin)`
    rotates the rows of q and k by their positions before the product (rotary
    position embedding, Su et al., 2021): feature pairs (t, t + d/2), angles by
    tables of cos and sin with axes (position, t).

    The keep region may use integer constants, `arith.addi`, `subi`, `muli` with
    a constant, `floordivsi`, `ceildivsi` and `attn.mod` by a positive constant,
    `divsi`, `divui`, `remsi`, `remui` of what can't be negative, `minsi`,
    `maxsi`, `cmpi` and `select` on `index`; `andi`, `ori`, `xori`, `select` on
    `i1`; `attn.in`, `attn.at`, `attn.apply`, `attn.require` and
    `attn.num_keys`. The score region may use these but for `attn.in`,
    `attn.apply` and `attn.require`, and on `f32` of `arith` `addf`, `subf`,
    `mulf`, `divf`, `negf`, `maximumf`, `minimumf`, `maxnumf`, `minnumf`, `cmpf` and
    `select`, of `math` `absf`, `ceil`, `floor`, `exp`, `exp2`, `log`, `log2`,
    `sqrt`, `rsqrt`, `tanh`, `sin`, `cos`, `erf`, `powf` and `fma`, and
    `arith.sitofp` and `index_cast` to get there.

    Rules: `[pattern-1]` the region's arguments are the parameters followed by
    the coordinates, all `index` (a score region has the score, an `f32`, before
    the coordinates); `[pattern-2]` parameter names are distinct and there is one
    name and one default (or none) per parameter, of the parameter's type;
    `[pattern-3]` the regions hold only the operations listed above;
    `[pattern-4]` the keep region ends in `attn.keep`, the score region in
    `attn.score`; `[pattern-5]` a grid has one to three axes, the same number for
    queries and keys, and its extents are `index` parameters; `[pattern-6]`
    tables have one to four axes, all dynamic; `[pattern-7]` a sink is a table of
    reals with one axis, cos and sin are tables of reals with two;
    `[pattern-8]` a set is asked with one number of indices throughout, three at
    most.

    Example:

    ```mlir
    attn.pattern @sliding_window(%window: index = 256) keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %window : index
      %kept = arith.andi %past, %near : i1
      attn.keep %kept
    }
    attn.pattern @documents(%doc: tensor<?x?xindex>, %cap: f32 = 3.0e+01)
        keep(%b, %h, %q, %k) {
      %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
      %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
      %same = arith.cmpi eq, %i, %j : index
      attn.keep %same
    } score(%s, %b, %h, %q, %k) {
      %x = arith.divf %s, %cap : f32
      %t = math.tanh %x : f32
      %y = arith.mulf %t, %cap : f32
      attn.score %y
    }
    attn.pattern @patch(%H: index, %W: index) grid(%H x %W)
        keep(%b, %h, %qy, %qx, %ky, %kx) {
      %dy = arith.subi %qy, %ky : index
      %dx = arith.subi %qx, %kx : index
      %y = attn.in %dy, #attn.interval<-3, 4>
      %x = attn.in %dx, #attn.interval<-3, 4>
      %near = arith.andi %y, %x : i1
      attn.keep %near
    } normalize sigmoid
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       StrArrayAttr:$param_names,
                       ArrayAttr:$param_defaults,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$query_grid,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$key_grid,
                       OptionalAttr<Attn_NormalizerAttr>:$normalizer,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{}">:$rotate,
                       OptionalAttr<Attn_FormulaAttr>:$formula);
  let regions = (region SizedRegion<1>:$body, MaxSizedRegion<1>:$score);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumParams() { return getParamNames().size(); }
    /// The name of parameter `i` as written in the source.
    ::llvm::StringRef getParamName(unsigned i);
    ::mlir::Type getParamType(unsigned i) { return getParam(i).getType(); }
    ::mlir::TypeRange getParamTypes();
    /// The default of an integer parameter, if it has one.
    ::std::optional<int64_t> getParamDefault(unsigned i);
    /// The default of parameter `i`: an integer, a float or null.
    ::mlir::TypedAttr getDefault(unsigned i);
    /// Indices a parameter is used with: the rank of a table, the number of
    /// indices a set is asked with, 0 for the others.
    unsigned getParamRank(unsigned i);
    /// Axes of the token grid; 1 for a plain sequence.
    unsigned getNumAxes() {
      return ::std::max<size_t>(1, getQueryGrid().size());
    }
    bool hasGrid() { return !getQueryGrid().empty(); }
    ::mlir::Region &getBodyRegion() { return getBody(); }
    bool hasScore() { return !getScore().empty(); }
    /// The normaliser, softmax when nothing is written.
    ::heddle::attn::NormalizerAttr getNormalization();
    /// Region arguments: parameters, then b, h, queries and keys, outermost
    /// axis first.
    ::mlir::BlockArgument getParam(unsigned i) {
      return getBody().getArgument(i);
    }
    ::mlir::BlockArgument getCoordinate(unsigned i) {
      return getBody().getArgument(getNumParams() + i);
    }
    unsigned getNumCoordinates() { return 2 + 2 * getNumAxes(); }
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

def Attn_InOp : Attn_Op<"in", [Pure, AttrSizedOperandSegments]> {
  let summary = "membership of an integer in a set";
  let description = [{
    True when the value is an element of the set: one that is written out
    (`#attn.interval`, `#attn.residue`, `#attn.pow2`), or one that the caller
    gives, a row of a parameter of type `!attn.set`.

    Rule: `[in-1]` there is exactly one set, and indices only with a run-time one.

    Example:

    ```mlir
    attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set)
        keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %column = attn.in %k, %cols[%b, %h]
      %slash = attn.in %d, %diags[%b, %h]
      %either = arith.ori %column, %slash : i1
      %kept = arith.andi %past, %either : i1
      attn.keep %kept
    }
    ```

    Example:

    ```mlir
    attn.pattern @every_fourth keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %hit = attn.in %d, #attn.residue<0, 4>
      attn.keep %hit
    }
    ```
  }];
  let arguments = (ins Index:$value, OptionalAttr<Attn_SetAttr>:$set,
                       Optional<Attn_SetType>:$list, Variadic<Index>:$indices);
  let results = (outs I1:$result);
  let assemblyFormat = [{
    $value `,` ($list^ `[` $indices `]`) : ($set)? attr-dict
  }];
  let hasVerifier = 1;
}

def Attn_AtOp : Attn_Op<"at", [Pure, InferTypeOpAdaptor]> {
  let summary = "an element of a run-time table";
  let description = [{
    The element at the indices, an `index` or an `f32`. Whether every index that
    a problem can ask for lies inside the table is checked once, before any
    kernel starts; a kernel itself never reads outside.

    Rule: `[at-1]` there is one index per axis of the table. The result has the
    table's element type.

    Example:

    ```mlir
    attn.pattern @window_per_head(%window: tensor<?xindex>) keep(%b, %h, %q, %k) {
      %w = attn.at %window[%h] : tensor<?xindex>
      %d = arith.subi %q, %k : index
      %near = arith.cmpi slt, %d, %w : index
      attn.keep %near
    }
    ```
  }];
  let arguments = (ins RankedTensorOf<[Index, F32]>:$table, Variadic<Index>:$indices);
  let results = (outs AnyTypeOf<[Index, F32]>:$result);
  let assemblyFormat = "$table `[` $indices `]` attr-dict `:` type($table)";
  let hasVerifier = 1;
}

def Attn_ApplyOp : Attn_Op<"apply", [
    Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the verdict of another pattern";
  let description = [{
    What the keep region of another pattern says of these coordinates, which need
    not be those of the pair at hand: positions within a document, say. Its other
    clauses (score, normaliser) play no part. A pattern may not apply itself,
    through others neither.

    Rules: `[apply-1]` the symbol names an `attn.pattern` with parameters of the
    types of the arguments; `[apply-2]` there are as many coordinates as it has.

    Example:

    ```mlir
    attn.pattern @causal keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      attn.keep %past
    }
    attn.pattern @causal_documents(%doc: tensor<?xindex>) keep(%b, %h, %q, %k) {
      %i = attn.at %doc[%q] : tensor<?xindex>
      %j = attn.at %doc[%k] : tensor<?xindex>
      %same = arith.cmpi eq, %i, %j : index
      %past = attn.apply @causal() at(%b, %h, %q, %k)
      %kept = arith.andi %same, %past : i1
      attn.keep %kept
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$pattern, Variadic<Attn_Param>:$params,
                       Variadic<Index>:$coordinates);
  let results = (outs I1:$result);
  let assemblyFormat = [{
    $pattern `(` ($params^ `:` type($params))? `)` `at` `(` $coordinates `)` attr-dict
  }];
}

def Attn_RequireOp : Attn_Op<"require", [MemoryEffects<[MemWrite]>,
                                         HasParent<"PatternOp">]> {
  let summary = "a condition that parameters must meet";
  let description = [{
    Where the condition is false for the parameters and lengths of a problem, the
    problem is refused with this message before anything is computed. The
    condition depends on parameters and on `attn.num_keys` only.

    Example:

    ```mlir
    attn.pattern @last(%count: index) keep(%b, %h, %q, %k) {
      %n = attn.num_keys
      %fits = arith.cmpi sle, %count, %n : index
      attn.require %fits, "'count' is larger than the number of keys"
      %from = arith.subi %n, %count : index
      %late = arith.cmpi sge, %k, %from : index
      attn.keep %late
    }
    ```
  }];
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

def Attn_ScoreOp : Attn_Op<"score", [Pure, Terminator, HasParent<"PatternOp">]> {
  let summary = "the changed score of a pair";
  let description = [{
    Ends a score region. The second operand, if there is one, is a factor on the
    weight of the pair after normalisation: `o_i = sum over j of w_ij f_ij v_j`.

    Example:

    ```mlir
    attn.pattern @temperature(%tau: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      attn.keep %past
    } score(%s, %b, %h, %q, %k) {
      %t = attn.at %tau[%h, %q] : tensor<?x?xf32>
      %y = arith.mulf %s, %t : f32
      attn.score %y
    }
    ```
  }];
  let arguments = (ins F32:$score, Optional<F32>:$factor);
  let assemblyFormat = "$score (`factor` $factor^)? attr-dict";
}

def Attn_CombineOp : Attn_Op<"combine", [Symbol,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "several sources of keys under one normaliser";
  let description = [{
    Names an attention whose keys come from several tensors, each under a pattern
    of its own: every row is normalised over the kept keys of all sources
    together. Source i has its own (k, v); the first is the one that `origin` and
    the sequence belong to. Parameters of the same name are one parameter.

    Rules: `[combine-1]` there are two to eight sources, each an `attn.pattern`;
    `[combine-2]` parameters of one name have one type and one default;
    `[combine-3]` all sources have the first one's normaliser, which is softmax
    without sink or one whose merge law is the sum, and no grid.

    Example:

    ```mlir
    attn.pattern @window(%w: index) keep(%b, %h, %q, %k) {
      %d = arith.subi %q, %k : index
      %past = attn.in %d, #attn.interval<0, inf>
      %near = arith.cmpi slt, %d, %w : index
      %kept = arith.andi %past, %near : i1
      attn.keep %kept
    }
    attn.pattern @all keep(%b, %h, %q, %k) {
      %true = arith.constant true
      attn.keep %true
    }
    attn.combine @window_and_prefix [@window, @all]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       TypedArrayAttrBase<FlatSymbolRefAttr, "symbols">:$sources);
  let assemblyFormat = "$sym_name $sources attr-dict";
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

    The score region, the normaliser and the rotation are those of the pattern.
    Further keys and values (`and k(…) v(…)`) are the further sources of an
    `attn.combine`. With a normaliser that has no log-sum-exp `lse` is not
    written.

    Rules: `[attention-1]` q, k, v and o have rank 4, lse rank 3; `[attention-2]`
    q, k and v have one element type, f32, f16 or bf16, so has o, and lse is f32; `[attention-3]` the
    feature size of q equals that of k, that of v equals that of o, and both are
    static and in [1, 512]; `[attention-4]` the symbol names an `attn.pattern`
    or `attn.combine` with parameters of the types of the arguments, and there is
    one pair of k and v per source; `[attention-5]` static head
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
                       Variadic<Attn_Param>:$params,
                       AnyRankedTensor:$q, AnyRankedTensor:$k, AnyRankedTensor:$v,
                       F32:$scale,
                       Optional<RankedTensorOf<[Index]>>:$origin,
                       Variadic<AnyRankedTensor>:$more_k,
                       Variadic<AnyRankedTensor>:$more_v,
                       OptionalAttr<Attn_OutputsAttr>:$outputs,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$o, AnyRankedTensor:$lse,
                      Variadic<AnyRankedTensor>:$more);
  let assemblyFormat = [{
    $pattern `(` ($params^ `:` type($params))? `)`
    `q` `(` $q `)` `k` `(` $k `)` `v` `(` $v `)`
    `scale` `(` $scale `)` (`origin` `(` $origin^ `:` type($origin) `)`)?
    (`and` `k` `(` $more_k^ `:` type($more_k) `)` `v` `(` $more_v `:` type($more_v) `)`)?
    (`outputs` $outputs^)? (`schedule` $schedule^)?
    attr-dict `:` type($q) `,` type($k) `,` type($v)
    `->` type($o) `,` type($lse) (`,` type($more)^)?
  }];
  let extraClassDeclaration = [{
    /// The outputs asked for; none when nothing is written.
    ::heddle::attn::OutputsAttr getRequestedOutputs();
  }];
  let hasVerifier = 1;
}

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

#endif // HEDDLE_ATTN_OPS_TD
