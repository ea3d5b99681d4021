// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_RECURRENCE_OPS_TD
#define HEDDLE_ATTN_RECURRENCE_OPS_TD

//===----------------------------------------------------------------------===//
// Recurrences
//===----------------------------------------------------------------------===//

def Attn_RecurrenceOp : Attn_Op<"recurrence", [
    IsolatedFromAbove, Symbol, NoTerminator,
    DeclareOpInterfaceMethods<Attn_ParamsOpInterface,
                              ["getParamTypes", "getParamRank"]>,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a named recurrence: linear attention, by what its state does";
  let description = [{
    Says what `attn.linear` computes, once for every form: chunk by chunk, token
    by token, or as a quadratic sum. A recurrence is generic in lengths, head
    dims, element type, layout and target.

    All clauses are optional and come in this order: `query`, `key`, `value`,
    `output`, `decay`, `delta`, `erase before decay`, `expand`, `normalize`,
    `bidirectional`, `window`.

    **Maps.** `query(%x, %b, %h, %i, %c)`, `key`, `value` and `output` change rows
    of q, k and v before the recurrence and of the result after it. A region is
    written for one element: `%x` is the element, an `f32`, and `%b`, `%h`, `%i`,
    `%c` are batch, query head, absolute token position (origin plus row) and
    feature. It may reduce over the features of the row (`attn.row_sum`,
    `attn.row_max`) and, in `query` and `key`, multiply the row by a matrix
    (`attn.project`). It ends in `attn.features`, several operands of which are
    concatenated. A map that is not written is the identity.

    **Decay.** `decay(%b, %h, %i)` ends in `attn.decay %g`, the logarithm of the
    token's factor a_i = exp(g), so g <= 0, and -inf forgets everything before.
    With `%c` there is a factor per mapped feature, in [0, F0).

    **Delta rule.** `delta(%b, %h, %i)` ends in `attn.delta %beta`: the state takes
    over the value in place of what it holds for the key, in part beta.

    **Meaning.** Per batch b, query head h (key head h / (Hq / Hkv)) and rows i, j
    of a sequence, with x_i = scale * query(q_i), y_j = key(k_j), of F0 = d_qk *
    (operands of `attn.features`) features, u_j = value(v_j), in f32:

    ```text
    w_ij = expand(sum_c x_ic y_jc prod_{j<t<=i} a_t[c])
           (expand or no %c: expand(x_i . y_j) prod_{j<t<=i} a_t)
    n_i  = sum over j <= i (bidirectional: all j) of w_ij u_j
    Z_i  = sum w_ij,   V_i = sum (prod a_t) u_j,   N_i = sum prod a_t
    o_i  = output(n_i)                                       without normalize
         = output(n_i / Z_i)                                 normalize sum
         = output((1 + 1 / Z_i) n_i - (Z_i / N_i) V_i)       normalize magnitude
    ```

    with 0 for the argument of `output` where Z_i = 0. As a state, phi the
    features of the expansion (see `#attn.expand`; F of them, at most 65536):
    `S_i = D_i S_{i-1} + phi(y_i) u_i^T`, `o_i = phi(x_i)^T S_i`, and with a delta
    rule `S_i = S' - beta_i y_i (y_i^T S') + beta_i y_i u_i^T`, `S' = D_i S_{i-1}`:
    what fades does so before it is replaced. `erase before decay` takes away first
    and lets fade what is left,
    `S_i = D_i (S_{i-1} - beta_i y_i (y_i^T S_{i-1})) + beta_i y_i u_i^T`, which is
    another state where factors differ by feature; with one factor per token both
    orders are the same, and so are their kernels.
    Products of factors are taken over (j, i] only and never divided, so that
    neither strong decay nor a factor of 0 loses anything. What is not finite in
    row j of k or v reaches rows i >= j only.

    **Window.** `window(%w)`, w >= 0 a parameter: keys at distance i - j < w count
    by softmax instead, with s_ij = scale * (q_i . k_j) of the rows before mapping,
    e_ij = exp(s_ij - max over the window of s_i); the others as above. Then
    `o_i = (sum_window e_ij v_j + n_i) / (sum_window e_ij + Z_i)` with `normalize
    sum` (0 where nothing counts), and without it the sum of the softmax over the
    window (0 where that is empty) and of n_i. Query i stands at key
    i + (seq_k - seq_q); the state that comes in covers the keys before the first,
    the one that comes out the keys up to (last query - w), so that the next call
    is given the last w keys again.

    (Katharopoulos et al., "Transformers are RNNs", 2020; Sun et al., "Retentive
    network", 2023; Yang et al., "Gated linear attention transformers", 2023, and
    "Parallelizing linear transformers with the delta rule", 2024; Kimi Team, "Kimi
    Linear", 2025; Fan et al.,
    "Rectifying magnitude neglect in linear attention", 2025; Zhang et al.,
    "LoLCATs", 2024.)

    Regions hold what the score region of an `attn.pattern` may hold but for
    `attn.num_keys`, which would differ between a sequence and its parts.

    Rules: `[recurrence-1]` parameters are integers, reals and tables of either,
    and the arguments of a region are the parameters followed by its own: the
    element, an `f32`, in a map, then the coordinates, all `index`;
    `[recurrence-2]` parameter names are distinct words and there is one type and
    one default (or none) per parameter, of its type; `[recurrence-3]` the regions
    hold only the operations listed above; `[recurrence-4]` a map ends in
    `attn.features`, a decay in `attn.decay`, a delta rule in `attn.delta`;
    `[recurrence-5]` query and key have equally many features, value and output
    one per element; `[recurrence-6]` tables have one to four axes, all dynamic;
    `[recurrence-7]` a window is a parameter of type `index`; `[recurrence-8]` a
    delta rule wants no expand, no normalize, no bidirectional and no window;
    `[recurrence-9]` a decay per feature wants no expand and no `normalize
    magnitude`; `[recurrence-10]` bidirectional wants no decay, no delta rule and
    no window; `[recurrence-11]` a window wants no decay, no value and output map
    and no `normalize magnitude`; `[recurrence-12]` `erase before decay` wants a
    delta rule.

    Example:

    ```mlir
    attn.recurrence @retnet(%log_decay: tensor<?xf32>)
        decay(%b, %h, %i) {
      %g = attn.at %log_decay[%h] : tensor<?xf32>
      attn.decay %g
    }
    attn.recurrence @linear query(%x, %b, %h, %i, %c) {
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %up = arith.addf %x, %one : f32
      %e = math.exp %x : f32
      %positive = arith.cmpf ogt, %x, %zero : f32
      %y = arith.select %positive, %up, %e : f32
      attn.features %y
    } key(%x, %b, %h, %i, %c) {
      %zero = arith.constant 0.0 : f32
      %one = arith.constant 1.0 : f32
      %up = arith.addf %x, %one : f32
      %e = math.exp %x : f32
      %positive = arith.cmpf ogt, %x, %zero : f32
      %y = arith.select %positive, %up, %e : f32
      attn.features %y
    } normalize sum
    attn.recurrence @squares_and_window(%w: index = 64)
        expand power 2 normalize sum window(%w)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
                       StrArrayAttr:$param_names,
                       TypeArrayAttr:$param_type_list,
                       ArrayAttr:$param_defaults,
                       OptionalAttr<Attn_ExpandAttr>:$expansion,
                       DefaultValuedAttr<Attn_LinearNormalizer,
                           "::heddle::attn::LinearNormalizer::None">:$normalize,
                       UnitAttr:$erase_before_decay,
                       UnitAttr:$bidirectional,
                       OptionalAttr<I64Attr>:$window);
  let regions = (region MaxSizedRegion<1>:$query, MaxSizedRegion<1>:$key,
                        MaxSizedRegion<1>:$value, MaxSizedRegion<1>:$output,
                        MaxSizedRegion<1>:$decay, MaxSizedRegion<1>:$delta);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    bool isBidirectional() { return getBidirectional(); }
    /// The expansion, none when nothing is written.
    ::heddle::attn::ExpandAttr getExpand();
    /// The parameter that holds the window's length, if there is a window.
    ::std::optional<unsigned> getWindowParam() {
      if (::std::optional<uint64_t> number = getWindow())
        return static_cast<unsigned>(*number);
      return ::std::nullopt;
    }
    ::mlir::Region &getPart(::heddle::attn::RecurrencePart part) {
      return (*this)->getRegion(static_cast<unsigned>(part));
    }
    /// Whether the clause is written; a map that is not is the identity.
    bool hasPart(::heddle::attn::RecurrencePart part) {
      return !getPart(part).empty();
    }
    bool hasDecay() { return !getDecay().empty(); }
    bool hasDelta() { return !getDelta().empty(); }
    /// The delta rule takes away before the state fades, and that matters: as
    /// long as all features fade alike it does not.
    bool erasesFirst();
    /// Arguments of a region of this operation: a parameter, or its own ones
    /// (the element in a map, then b, h, i and possibly c).
    ::mlir::BlockArgument getParam(::mlir::Region &region, unsigned i) {
      return region.getArgument(i);
    }
    ::mlir::Block::BlockArgListType getOwnArguments(::mlir::Region &region) {
      return region.getArguments().drop_front(getNumParams());
    }
    /// Operands of attn.features that a query or key has.
    unsigned getNumMaps();
    /// The features of a mapped row of q or k: F0.
    int64_t numMappedFeatures(int64_t qk) { return qk * getNumMaps(); }
    /// The features of the expansion: F. More than kMaxFeatures count as
    /// kMaxFeatures + 1.
    int64_t numFeatures(int64_t qk) {
      return getExpand().numFeatures(numMappedFeatures(qk));
    }
    bool hasSums() {
      return getNormalize() != ::heddle::attn::LinearNormalizer::None;
    }
    bool hasMagnitude() {
      return getNormalize() == ::heddle::attn::LinearNormalizer::Magnitude;
    }
    /// Rows of the state, and elements of the sums: R. F, and one more with
    /// `normalize magnitude` (V of the state, N of the sums).
    int64_t numStateRows(int64_t qk) { return numFeatures(qk) + hasMagnitude(); }
    ::heddle::attn::DecayKind decayKind();
    /// States of stretches of a sequence, each from zero, make up the state of
    /// the whole.
    bool canScan() { return !hasDelta() && !getWindowParam(); }
  }];
}

//===----------------------------------------------------------------------===//
// What regions of recurrences hold
//===----------------------------------------------------------------------===//

def Attn_FeaturesOp : Attn_Op<"features", [Pure, Terminator,
                                           HasParent<"RecurrenceOp">]> {
  let summary = "an element of a mapped row";
  let description = [{
    Ends a region `query`, `key`, `value` or `output`. Several operands make
    several features of one: those of the first operand for all elements, then
    those of the second, and so on.

    Example:

    ```mlir
    attn.recurrence @hedgehog query(%x, %b, %h, %i, %c) {
      %m = arith.negf %x : f32
      %up = math.exp %x : f32
      %down = math.exp %m : f32
      attn.features %up, %down
    } key(%x, %b, %h, %i, %c) {
      %m = arith.negf %x : f32
      %up = math.exp %x : f32
      %down = math.exp %m : f32
      attn.features %up, %down
    } normalize sum
    ```
  }];
  let arguments = (ins Variadic<F32>:$values);
  let assemblyFormat = "$values attr-dict";
}

def Attn_DecayOp : Attn_Op<"decay", [Pure, Terminator,
                                     HasParent<"RecurrenceOp">]> {
  let summary = "the logarithm of a token's factor";
  let description = [{
    Ends a region `decay`. The state is multiplied by exp of the operand, which is
    at most 0; -inf forgets everything before the token.

    Example:

    ```mlir
    attn.recurrence @gla(%gate: tensor<?x?x?x?xf32>)
        decay(%b, %h, %i, %c) {
      %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
      attn.decay %g
    }
    ```
  }];
  let arguments = (ins F32:$log_factor);
  let assemblyFormat = "$log_factor attr-dict";
}

def Attn_DeltaOp : Attn_Op<"delta", [Pure, Terminator,
                                     HasParent<"RecurrenceOp">]> {
  let summary = "how much of a token's value the state takes over";
  let description = [{
    Ends a region `delta`; see `attn.recurrence`.

    Example:

    ```mlir
    attn.recurrence @gated_delta(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?x?xf32>)
        key(%x, %b, %h, %i, %c) {
      %square = arith.mulf %x, %x : f32
      %sum = attn.row_sum %square
      %r = math.rsqrt %sum : f32
      %y = arith.mulf %x, %r : f32
      attn.features %y
    } decay(%b, %h, %i) {
      %g = attn.at %gate[%b, %h, %i] : tensor<?x?x?xf32>
      attn.decay %g
    } delta(%b, %h, %i) {
      %t = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
      attn.delta %t
    }
    ```
  }];
  let arguments = (ins F32:$beta);
  let assemblyFormat = "$beta attr-dict";
}

def Attn_RowSumOp : Attn_Op<"row_sum", [Pure, HasParent<"RecurrenceOp">]> {
  let summary = "the sum of a value over the features of a row";
  let description = [{
    The sum of what the operand is for every feature of the row; the same for all
    of them.

    Rule: `[row_sum-1]` it stands in a region `query`, `key`, `value` or `output`.

    Example:

    ```mlir
    attn.recurrence @softmax_features key(%x, %b, %h, %i, %c) {
      %m = attn.row_max %x
      %d = arith.subf %x, %m : f32
      %e = math.exp %d : f32
      %sum = attn.row_sum %e
      %y = arith.divf %e, %sum : f32
      attn.features %y
    }
    ```
  }];
  let arguments = (ins F32:$value);
  let results = (outs F32:$result);
  let assemblyFormat = "$value attr-dict";
  let hasVerifier = 1;
}

def Attn_RowMaxOp : Attn_Op<"row_max", [Pure, HasParent<"RecurrenceOp">]> {
  let summary = "the maximum of a value over the features of a row";
  let description = [{
    The largest that the operand is for any feature of the row; the same for all
    of them. NaN when it is NaN for one.

    Rule: `[row_max-1]` it stands in a region `query`, `key`, `value` or `output`.

    Example:

    ```mlir
    attn.recurrence @by_largest query(%x, %b, %h, %i, %c) {
      %a = math.absf %x : f32
      %m = attn.row_max %a
      %y = arith.divf %x, %m : f32
      attn.features %y
    }
    ```
  }];
  let arguments = (ins F32:$value);
  let results = (outs F32:$result);
  let assemblyFormat = "$value attr-dict";
  let hasVerifier = 1;
}

def Attn_ProjectOp : Attn_Op<"project", [Pure, HasParent<"RecurrenceOp">]> {
  let summary = "a row times a matrix";
  let description = [{
    With e_t what the operand is for feature t of the row, and w the matrix that
    the table holds at the indices, the result is, for feature c,
    `y_c = sum over t of e_t w[…, t, c]`: a learned map. The matrix is square;
    whether the table is that large is checked before any kernel starts.

    Rules: `[project-1]` it stands in a region `query` or `key`; `[project-2]` the
    table is a parameter with two axes more than there are indices;
    `[project-3]` indices don't depend on the element, the token or the feature.

    Example:

    ```mlir
    attn.recurrence @learned(%w: tensor<?x?x?xf32>) query(%x, %b, %h, %i, %c) {
      %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
      %e = math.exp %p : f32
      attn.features %e
    } key(%x, %b, %h, %i, %c) {
      %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
      %e = math.exp %p : f32
      attn.features %e
    } normalize sum
    ```
  }];
  let arguments = (ins F32:$value, RankedTensorOf<[F32]>:$table,
                       Variadic<Index>:$indices);
  let results = (outs F32:$result);
  let assemblyFormat = [{
    $value `,` $table `[` $indices `]` attr-dict `:` type($table)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Linear attention
//===----------------------------------------------------------------------===//

def Attn_LinearOp : Attn_Op<"linear", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "linear attention by a recurrence";
  let description = [{
    What the `attn.recurrence` says, for every batch, query head and row. Tensors
    q, k, v and o have axes (batch, head, position, feature), row i of q is token
    `i + origin[b]`. `state` is what the recurrence carries after the last token,
    in f32: axes (batch, query head, state row, feature of v), row f for feature f
    of the expansion, and with `normalize magnitude` V in the last row. `sums`,
    with a normaliser only, has axes (batch, query head, state row): the sums of
    the features of keys that Z is made of, and N in the last element. What comes
    out may come in again (`from`), so a sequence may be cut anywhere; without
    `from` the recurrence starts at zero.

    Rules: `[linear-1]` q, k, v, o and the state have rank 4, sums rank 3;
    `[linear-2]` q, k and v have one element type, f32, f16 or bf16, so has o, and
    states and sums are f32; `[linear-3]` the feature size of q equals that of k,
    that of v equals that of o and of states, and both are static and in [1, 512];
    `[linear-4]` the symbol names an `attn.recurrence` with parameters of the types
    of the arguments; `[linear-5]` static head counts: heads of q are a multiple of
    heads of k, and k and v agree; `[linear-6]` static sizes agree: batch
    everywhere, positions of q and o, and of k and v, heads of q and o, states and
    sums, and positions of q and k where the recurrence has neither a window nor
    `bidirectional`; with a window there are no fewer keys than queries;
    `[linear-7]` origin has rank 1; `[linear-8]` the features of the expansion are
    at most 65536; `[linear-9]` there are sums exactly where the recurrence has a
    normaliser; `[linear-10]` static sizes of states and sums are those of the
    recurrence.

    Example:

    ```mlir
    attn.recurrence @retnet(%log_decay: tensor<?xf32>)
        decay(%b, %h, %i) {
      %g = attn.at %log_decay[%h] : tensor<?xf32>
      attn.decay %g
    }
    func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
                 %v: tensor<?x2x?x32xf32>, %s: f32, %g: tensor<?xf32>,
                 %state0: tensor<?x8x64x32xf32>)
        -> (tensor<?x8x?x32xf32>, tensor<?x8x64x32xf32>) {
      %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v)
        scale(%s) from(%state0 : tensor<?x8x64x32xf32>)
        : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
        -> tensor<?x8x?x32xf32>, tensor<?x8x64x32xf32>
      return %o, %state : tensor<?x8x?x32xf32>, tensor<?x8x64x32xf32>
    }
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$recurrence,
                       Variadic<Attn_Param>:$params,
                       AnyRankedTensor:$q, AnyRankedTensor:$k, AnyRankedTensor:$v,
                       F32:$scale,
                       Optional<RankedTensorOf<[Index]>>:$origin,
                       Optional<AnyRankedTensor>:$state_in,
                       Optional<AnyRankedTensor>:$sums_in,
                       OptionalAttr<Attn_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$o, AnyRankedTensor:$state,
                      Optional<AnyRankedTensor>:$sums);
  let assemblyFormat = [{
    $recurrence `(` ($params^ `:` type($params))? `)`
    `q` `(` $q `)` `k` `(` $k `)` `v` `(` $v `)`
    `scale` `(` $scale `)` (`origin` `(` $origin^ `:` type($origin) `)`)?
    (`from` `(` $state_in^ `:` type($state_in)
        (`,` $sums_in^ `:` type($sums_in))? `)`)?
    (`schedule` $schedule^)?
    attr-dict `:` type($q) `,` type($k) `,` type($v)
    `->` type($o) `,` type($state) (`,` type($sums)^)?
  }];
  let hasVerifier = 1;
}

#endif // HEDDLE_ATTN_RECURRENCE_OPS_TD
