// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_ATTRS_TD
#define HEDDLE_ATTN_ATTRS_TD

include "dialect/attn/AttnDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class Attn_Attr<string name, string attrMnemonic>
    : AttrDef<Attn_Dialect, name> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Sets
//===----------------------------------------------------------------------===//

def Attn_IntervalAttr : Attn_Attr<"Interval", "interval"> {
  let summary = "the integers lo <= x < hi";
  let description = [{
    Either end may be open: `#attn.interval<0, inf>`, `#attn.interval<-inf, 8>`.
    A bound that is known only at run time is written as an `arith.cmpi` with a
    parameter instead.

    Rules: `[interval-1]` lo <= hi; `[interval-2]` ends are at most 2^58 in
    magnitude.
  }];
  let parameters = (ins
    "::std::optional<int64_t>":$lo, "::std::optional<int64_t>":$hi);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Attn_ResidueAttr : Attn_Attr<"Residue", "residue"> {
  let summary = "the integers congruent to r modulo m";
  let description = [{
    `#attn.residue<1, 4>` is {…, -3, 1, 5, 9, …}.

    Rules: `[residue-1]` 1 <= m <= 2^58, `[residue-2]` 0 <= r < m.
  }];
  let parameters = (ins "int64_t":$remainder, "int64_t":$modulus);
  let assemblyFormat = "`<` $remainder `,` $modulus `>`";
  let genVerifyDecl = 1;
}

def Attn_Pow2Attr : Attn_Attr<"Pow2", "pow2"> {
  let summary = "the powers of two 1, 2, 4, 8, …";
}

def Attn_ListAttr : Attn_Attr<"List", "list"> {
  let summary = "a row of a run-time set";
  let description = [{
    `#attn.list<p1[b, h, q floordiv 64]>` is the set that parameter 1 of the
    pattern, a `!attn.set`, holds for these indices. Indices are expressions as
    in `#attn.formula`. It occurs in formulas only; a keep region names the
    parameter itself (`attn.in`).
  }];
  let parameters = (ins "unsigned":$param,
                        ArrayRefParameter<"::mlir::AffineExpr">:$indices);
  let hasCustomAssemblyFormat = 1;
}

def Attn_ReadAttr : Attn_Attr<"Read", "read"> {
  let summary = "an element of a run-time table, as a leaf of expressions";
  let description = [{
    `#attn.read<p0[b, q]>` is the element of parameter 0 of the pattern, a table
    of integers, at these indices. Expressions of a formula are affine in their
    leaves; the dialect numbers the distinct reads, and a read stands in an
    expression as the dimension of that number (see Formula.h).
  }];
  let parameters = (ins "unsigned":$param,
                        ArrayRefParameter<"::mlir::AffineExpr">:$indices);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

def Attn_FormulaKind : I32EnumAttr<"FormulaKind", "connective of a formula", [
    I32EnumAttrCase<"Never", 0, "false">,
    I32EnumAttrCase<"Always", 1, "true">,
    I32EnumAttrCase<"All", 2, "all">,
    I32EnumAttrCase<"Any", 3, "any">,
    I32EnumAttrCase<"Between", 4, "between">,
    I32EnumAttrCase<"Member", 5, "member">]> {
  let cppNamespace = "::heddle::attn";
  let genSpecializedAttr = 0;
}

def Attn_FormulaAttr : Attn_Attr<"Formula", "formula"> {
  let summary = "a pattern in negation normal form";
  let description = [{
    What `attn-normalize-pattern` makes of a keep region, and what every later
    pass reads. A formula is one of

    - `true`, `false`;
    - `all(f, g, …)`, `any(f, g, …)`: conjunction, disjunction;
    - `e in interval<max(lo, …), min(hi, …)>`: an interval atom. `e` is an affine
      expression over `b, h, q, k` without a constant term; the bounds are
      affine expressions over `b`, `h`, the parameters `p0, p1, …` and the
      number of keys `n`; a missing bound is written `-inf` or `inf`;
    - `e in residue<r, m>`, `e in pow2`, `e in p1[b, h]` (a run-time set, see
      `#attn.list`), `e not in …`: a membership atom.

    Negation exists on membership atoms only. Expressions use `+`, `-`, `*`
    with a constant, `floordiv` and `mod` by a positive constant, and reads
    `p0[b, q]` of run-time tables (`#attn.read`). On a token grid `q` and `k` are
    the coordinates along the innermost axis, `q1`, `k1` along the next one, and
    `q2`, `k2` along the outermost of three.

    Example: A-shape with sink `p0` and window `p1` is

    ```mlir
    #attn.formula<all(q - k in interval<0, inf>,
                      any(q - k in interval<-inf, p1>, k in interval<-inf, p0>))>
    ```
  }];
  let parameters = (ins
    "FormulaKind":$kind,
    ArrayRefParameter<"::heddle::attn::FormulaAttr">:$children,
    "::mlir::AffineExpr":$form,
    ArrayRefParameter<"::mlir::AffineExpr">:$lows,
    ArrayRefParameter<"::mlir::AffineExpr">:$highs,
    "::mlir::Attribute":$set,
    "bool":$negated);
  let hasCustomAssemblyFormat = 1;
}

//===----------------------------------------------------------------------===//
// Schedule
//===----------------------------------------------------------------------===//

def Attn_ScheduleAttr : Attn_Attr<"Schedule", "schedule"> {
  let summary = "the sizes a kernel is built with";
  let description = [{
    `query_tile` x `key_tile` is the tile that one step of the kernel computes.
    The register tile of the micro-kernel is `rows` x (`query_tile` / `lanes`)
    vectors of `lanes` elements; its reduction loop is unrolled `unroll` times.
    Results never depend on a schedule (beyond rounding).

    On a token grid a tile is a box: `query_box` and `key_box` give its extents,
    outermost axis first, and their products are the tile sizes.

    `stages` is the number of tiles of keys that are on their way or in use at
    once, where a target has memory of its own for them; 0, which is not written,
    where it has none.

    `heads` is the most query heads of a group that one task takes: it makes of
    every tile of keys once what does not depend on the query head. 1 is not
    written.

    Rules: `[schedule-1]` all sizes are positive; `[schedule-2]` `lanes` divides
    `query_tile`; `[schedule-3]` `rows` divides `key_tile`; `[schedule-4]`
    `unroll` divides `key_tile`; `[schedule-5]` boxes have the same number of
    axes, three at most, and the tile sizes as their products; `[schedule-6]`
    `stages` is not negative; `[schedule-7]` `heads` is positive.
  }];
  let parameters = (ins "int64_t":$queryTile, "int64_t":$keyTile,
                        "int64_t":$rows, "int64_t":$lanes, "int64_t":$unroll,
                        OptionalArrayRefParameter<"int64_t">:$queryBox,
                        OptionalArrayRefParameter<"int64_t">:$keyBox,
                        DefaultValuedParameter<"int64_t", "0">:$stages,
                        DefaultValuedParameter<"int64_t", "1">:$heads);
  let builders = [AttrBuilder<(ins "int64_t":$queryTile, "int64_t":$keyTile,
                                   "int64_t":$rows, "int64_t":$lanes,
                                   "int64_t":$unroll), [{
    return $_get($_ctxt, queryTile, keyTile, rows, lanes, unroll,
                 ::llvm::ArrayRef<int64_t>(), ::llvm::ArrayRef<int64_t>(), 0, 1);
  }]>];
  let assemblyFormat = [{
    `<` `query_tile` `=` $queryTile `,` `key_tile` `=` $keyTile `,`
        `rows` `=` $rows `,` `lanes` `=` $lanes `,` `unroll` `=` $unroll
        `` custom<ScheduleEnd>($queryBox, $keyBox, $stages, $heads) `>`
  }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Normalisers and outputs
//===----------------------------------------------------------------------===//

def Attn_NormalizerKind : I32EnumAttr<"NormalizerKind",
    "how scores become weights", [
    I32EnumAttrCase<"Softmax", 0, "softmax">,
    I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
    I32EnumAttrCase<"Relu", 2, "relu">,
    I32EnumAttrCase<"Relu2", 3, "relu2">,
    I32EnumAttrCase<"Identity", 4, "identity">,
    I32EnumAttrCase<"Grouped", 5, "grouped">]> {
  let cppNamespace = "::heddle::attn";
  let genSpecializedAttr = 0;
}

def Attn_NormalizerAttr : Attn_Attr<"Normalizer", "normalizer"> {
  let summary = "how the scores of a row become its weights";
  let description = [{
    With s the changed scores of the kept keys of a row:

    | kind | weight of key j | merge of two parts of the keys |
    |---|---|---|
    | `softmax` | exp(s_j) / sum of exp(s) | by log-sum-exp |
    | `sigmoid` | 1 / (1 + exp(-s_j)) | sum |
    | `relu` | max(s_j, 0) | sum |
    | `relu2` | max(s_j, 0)^2 | sum |
    | `identity` | s_j | sum |
    | `grouped`, g | see below | by log-sum-exp, at multiples of g |

    A softmax may have a sink: a parameter that is a table of reals indexed by
    head, whose element is the logit of one more key without a value; it then
    counts in the log-sum-exp too. (Xiao et al., "Efficient streaming language
    models with attention sinks", 2023; Ramapuram et al., "Theory, analysis, and
    best practices for sigmoid self-attention", 2024.)

    `grouped` is the softmax of landmark attention (Mohtashami and Jaggi, 2023).
    Keys fall into groups of g; the last key of a group is its landmark. A
    landmark has no value. In the group of the query itself an ordinary key j
    counts exp(s_j); any other group counts exp(s of its landmark), shared among
    its ordinary keys by a softmax within the group, and nothing when its
    landmark is not kept. The weights are these counts over their sum.

    Rules: `[normalizer-1]` the group size is in [2, 512] for `grouped` and 0
    otherwise; `[normalizer-2]` only `softmax` has a sink.
  }];
  let parameters = (ins "NormalizerKind":$kind, "int64_t":$group,
                        OptionalParameter<"::std::optional<unsigned>">:$sink);
  let assemblyFormat = "`<` $kind `,` $group (`,` `sink` `=` $sink^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Weights are shares of a sum: there is a log-sum-exp and a running maximum.
    bool isSoftmax() const {
      return getKind() == NormalizerKind::Softmax ||
             getKind() == NormalizerKind::Grouped;
    }
  }];
}

def Attn_OutputsAttr : Attn_Attr<"Outputs", "outputs"> {
  let summary = "what a kernel returns beside o and lse";
  let description = [{
    `row_max`: the largest changed score of every row, -inf for one without;
    `column_sums`: for every key the sum of its weights over the queries;
    `block_max`: for every block of `block_q` x `block_k` the largest weight of
    its pairs, at least 0; 0 x 0 means none. Weights are those before a factor of
    the score region. All in f32, with axes (batch, query head, …).

    On a token grid queries and keys count by the row-major numbers of their
    tokens, so that sums are per token and blocks are stretches of tokens. Every
    source of an `attn.combine` has sums and maxima of its own, of the weights
    under the normaliser of all sources. The results of an `attn.attention`
    follow in this order: row maxima, the column sums of every source, the block
    maxima of every source.

    Rules: `[outputs-1]` block sizes are both 0, or both positive and at most
    512.
  }];
  let parameters = (ins "bool":$rowMax, "bool":$columnSums,
                        "int64_t":$blockQ, "int64_t":$blockK);
  let assemblyFormat = [{
    `<` `row_max` `=` $rowMax `,` `column_sums` `=` $columnSums `,`
        `block_max` `=` $blockQ `by` $blockK `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool hasBlockMax() const { return getBlockQ() > 0; }
    /// Needs a second sweep, by columns, with the rows' log-sum-exp known.
    bool hasColumns() const { return getColumnSums() || hasBlockMax(); }
  }];
}

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

def Attn_ExpandKind : I32EnumAttr<"ExpandKind",
    "what a product of features becomes", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Power", 1, "power">,
    I32EnumAttrCase<"Taylor", 2, "taylor">]> {
  let cppNamespace = "::heddle::attn";
  let genSpecializedAttr = 0;
}

def Attn_ExpandAttr : Attn_Attr<"Expand", "expand"> {
  let summary = "a feature map given by what it makes of products";
  let description = [{
    With x and y the mapped rows of a query and a key, s = x . y, and F0 the number
    of their features:

    | text | weight | features of a row x |
    |---|---|---|
    | `#attn.expand<none>` | s | x |
    | `#attn.expand<power 4>` | s^4 | all monomials of degree 4, each times the square root of its multinomial coefficient |
    | `#attn.expand<taylor>` | 1 + s + s^2 / 2 | 1, x, and the monomials of degree 2 (as in `power 2`) over sqrt 2 |

    Monomials come in ascending (lexicographic) order of their indices
    c1 <= c2 <= … <= cp; there are C(F0 + p - 1, p) of them. (Kacham, Mirrokni and
    Zhong, "PolySketchFormer", 2023; Arora et al., "Simple linear attention
    language models balance the recall-throughput tradeoff", 2024.)

    Rule: `[expand-1]` the power is in [2, 8] for `power`, and 0 otherwise.
  }];
  let parameters = (ins "ExpandKind":$kind,
                        DefaultValuedParameter<"int64_t", "0">:$power);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    bool isNone() const { return getKind() == ExpandKind::None; }
    /// How many features the expansion makes of `mapped` ones; more than
    /// kMaxFeatures count as kMaxFeatures + 1.
    int64_t numFeatures(int64_t mapped) const;
  }];
}

def Attn_LinearNormalizer : I32EnumAttr<"LinearNormalizer",
    "what the weighted sum of a recurrence is divided by", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"Sum", 1, "sum">,
    I32EnumAttrCase<"Magnitude", 2, "magnitude">]> {
  let cppNamespace = "::heddle::attn";
}

def Attn_StateAttr : Attn_Attr<"State", "state"> {
  let summary = "the state that a kernel of a recurrence carries";
  let description = [{
    `rows` is the number of state rows (`numStateRows` of the `attn.recurrence`),
    `sums` says whether there is a running sum beside them, which is so with any
    normaliser, and `causal` that no query sees a later key.

    Example: `#attn.state<rows = 64, sums = true, causal = true>`.

    Rule: `[state-1]` the number of rows is positive.
  }];
  let parameters = (ins "int64_t":$rows, "bool":$sums, "bool":$causal);
  let assemblyFormat = [{
    `<` `rows` `=` $rows `,` `sums` `=` $sums `,` `causal` `=` $causal `>`
  }];
  let genVerifyDecl = 1;
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

def Attn_EntryAttr : Attn_Attr<"Entry", "entry"> {
  let summary = "which kernel of a bundle a function implements";
  let description = [{
    `name` is the kernel's name in the bundle, `pattern` the symbol of its
    `attn.pattern` or `attn.combine`, `level` the target level its code is for,
    `qk` and `v` the head dims, `types` the element types of q, k, v and of o in
    memory, `outputs` what it returns beside o and lse. Functions with the same
    name and different levels are one kernel. A `packed` one is the code of a level
    for short queries: its pattern is the one that `attn-pack-heads` derived from
    the kernel's. With `tf32` its products of f32 rows are of operands rounded to
    tf32 (10 bits after the point), in sums of f32. With `state` the kernel is one of linear attention and `pattern`
    the symbol of its `attn.recurrence`.
  }];
  let parameters = (ins StringRefParameter<>:$name,
                        "::mlir::FlatSymbolRefAttr":$pattern,
                        StringRefParameter<>:$level,
                        "int64_t":$qk, "int64_t":$v,
                        "::mlir::Type":$inputType, "::mlir::Type":$outputType,
                        "::heddle::attn::OutputsAttr":$outputs,
                        "::heddle::attn::ScheduleAttr":$schedule,
                        DefaultValuedParameter<"bool", "false">:$packed,
                        DefaultValuedParameter<"bool", "false">:$tf32,
                        OptionalParameter<"::heddle::attn::StateAttr">:$state);
  let builders = [AttrBuilder<(ins "::llvm::StringRef":$name,
      "::mlir::FlatSymbolRefAttr":$pattern, "::llvm::StringRef":$level,
      "int64_t":$qk, "int64_t":$v, "::mlir::Type":$inputType,
      "::mlir::Type":$outputType, "::heddle::attn::OutputsAttr":$outputs,
      "::heddle::attn::ScheduleAttr":$schedule, "bool":$packed,
      "bool":$tf32), [{
    return $_get($_ctxt, name, pattern, level, qk, v, inputType, outputType,
                 outputs, schedule, packed, tf32,
                 ::heddle::attn::StateAttr());
  }]>];
  let assemblyFormat = [{
    `<` $name `,` $pattern `,` $level `,` `qk` `=` $qk `,` `v` `=` $v `,`
        `types` `=` $inputType `to` $outputType `,` $outputs `,` $schedule
        `` custom<EntryOptions>($packed, $tf32, $state) `>`
  }];
}

#endif // HEDDLE_ATTN_ATTRS_TD
