// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_OPS_TD
#define HEDDLE_ATTN_OPS_TD

include "dialect/attn/AttnAttrs.td"
include "dialect/attn/AttnInterfaces.td"
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
    DeclareOpInterfaceMethods<Attn_ParamsOpInterface,
                              ["getParamTypes", "getParamRank"]>,
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

include "dialect/attn/AttentionOps.td"
include "dialect/attn/QuestionOps.td"
include "dialect/attn/RecurrenceOps.td"

#endif // HEDDLE_ATTN_OPS_TD
