// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_ATTENTION_OPS_TD
#define HEDDLE_ATTN_ATTENTION_OPS_TD

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

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

def Attn_MergeOp : Attn_Op<"merge", [Pure, AttrSizedOperandSegments]> {
  let summary = "one attention from those over parts of the keys";
  let description = [{
    Part p is a softmax attention of the same queries over keys of its own, by
    its output and log-sum-exp. Row by row, in f32,

    `lse = ln(sum over p of exp(lse_p))`,
    `o = sum over p of exp(lse_p - lse) o_p`,

    which is the attention over the keys of all parts; a key of two parts counts
    twice. A part with `lse_p = -inf` is neutral, whatever its `o_p` holds, and a
    row that all parts leave empty gives `o = 0` and `lse = -inf`. Associative
    and commutative up to rounding. (Milakov and Gimelshein, "Online normalizer
    calculation for softmax", 2018; Dao et al., "Flash-Decoding", 2023.) An
    element type may differ from part to part. Never fails at run time.

    One part of the types of the results is the result; a part that is a merge is
    replaced by its parts. `attn-fuse-merge` turns a merge of attentions into one
    attention; partial results that come from elsewhere are merged by the
    runtime's `heddle_merge`.

    Rules: `[merge-1]` there is at least one part, and each has an o and an lse;
    `[merge-2]` every o has rank 4 and element type f32, f16 or bf16, every lse
    rank 3 and element type f32; `[merge-3]` static sizes agree: those of every
    part with those of the result, and the first three of o with those of lse.

    Example:

    ```mlir
    func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>,
                 %o1: tensor<?x8x?x64xbf16>, %l1: tensor<?x8x?xf32>)
        -> (tensor<?x8x?x64xf32>, tensor<?x8x?xf32>) {
      %o, %lse = attn.merge
        o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xbf16>)
        lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
        -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
      return %o, %lse : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
    }
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$part_o,
                       Variadic<AnyRankedTensor>:$part_lse);
  let results = (outs AnyRankedTensor:$o, AnyRankedTensor:$lse);
  let assemblyFormat = [{
    `o` `(` ($part_o^ `:` type($part_o))? `)`
    `lse` `(` ($part_lse^ `:` type($part_lse))? `)` attr-dict
    `->` type($o) `,` type($lse)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

#endif // HEDDLE_ATTN_ATTENTION_OPS_TD
