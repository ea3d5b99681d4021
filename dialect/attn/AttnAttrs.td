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
    - `e in residue<r, m>`, `e in pow2`, `e not in …`: a membership atom.

    Negation exists on membership atoms only. Expressions use `+`, `-`, `*`
    with a constant, `floordiv` and `mod` by a positive constant.

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

    Rules: `[schedule-1]` all sizes are positive; `[schedule-2]` `lanes` divides
    `query_tile`; `[schedule-3]` `rows` divides `key_tile`; `[schedule-4]`
    `unroll` divides `key_tile`.
  }];
  let parameters = (ins "int64_t":$queryTile, "int64_t":$keyTile,
                        "int64_t":$rows, "int64_t":$lanes, "int64_t":$unroll);
  let assemblyFormat = [{
    `<` `query_tile` `=` $queryTile `,` `key_tile` `=` $keyTile `,`
        `rows` `=` $rows `,` `lanes` `=` $lanes `,` `unroll` `=` $unroll `>`
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
    `attn.pattern`, `level` the target level its code is for, `qk` and `v` the
    head dims. Functions with the same name and different levels are one kernel.
  }];
  let parameters = (ins StringRefParameter<>:$name,
                        "::mlir::FlatSymbolRefAttr":$pattern,
                        StringRefParameter<>:$level,
                        "int64_t":$qk, "int64_t":$v,
                        "::heddle::attn::ScheduleAttr":$schedule);
  let assemblyFormat = [{
    `<` $name `,` $pattern `,` $level `,` `qk` `=` $qk `,` `v` `=` $v `,`
        $schedule `>`
  }];
}

#endif // HEDDLE_ATTN_ATTRS_TD
