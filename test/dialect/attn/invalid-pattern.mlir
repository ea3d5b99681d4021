// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{[pattern-2] expected no such default for parameter 'x' of type 'f32', found 3 : i64}}
"attn.pattern"() <{sym_name = "a", param_names = ["x"], param_defaults = [3]}> ({
^bb0(%x: f32, %b: index, %h: index, %q: index, %k: index):
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}, {
}) : () -> ()

// -----

attn.pattern @sums keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} score(%s, %b, %h, %q, %k) {
  // expected-error @below {{[pattern-3] is not allowed in a score region; expected arithmetic on 'f32' and 'index' or 'attn.at'}}
  %y = attn.in %q, #attn.pow2
  attn.score %s
}

// -----

attn.pattern @double keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} score(%s, %b, %h, %q, %k) {
  // expected-error @below {{[pattern-3] has type 'f64' in a score region; expected 'f32', 'index' or 'i1'}}
  %y = arith.constant 1.0 : f64
  attn.score %s
}

// -----

attn.pattern @no_end keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} score(%s, %b, %h, %q, %k) {
  // expected-error @below {{[pattern-4] expected a score region that ends in 'attn.score', found 'arith.addf' at its end}}
  %y = arith.addf %s, %s : f32
}

// -----

attn.pattern @no_score keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
// expected-error @below {{expected the 5 arguments (score, batch, head, query, key) of a score region, found 4}}
} score(%s, %b, %h, %q) {
  attn.score %s
}

// -----

// expected-error @below {{[pattern-5] expected the extents of a grid to be parameters of type 'index'}}
attn.pattern @grid_type(%H: f32, %W: index) grid(%H x %W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %y = attn.in %qy, #attn.pow2
  attn.keep %y
}

// -----

// expected-error @below {{[pattern-5] expected a grid of one to three axes, as many for keys as for queries, found 2 and 1}}
attn.pattern @grid_axes(%H: index, %W: index) grid(%H x %W) keys(%W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %y = attn.in %qy, #attn.pow2
  attn.keep %y
}

// -----

// expected-error @below {{expected the name of a parameter, found '%X'}}
attn.pattern @grid_name(%H: index) grid(%H x %X) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %y = attn.in %qy, #attn.pow2
  attn.keep %y
}

// -----

// expected-error @below {{[pattern-6] expected one to four dynamic axes in the table 't', found 'tensor<4xindex>'}}
attn.pattern @static_table(%t: tensor<4xindex>) keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}

// -----

// expected-error @below {{[pattern-7] expected a sink to be a parameter of type 'tensor<?xf32>'}}
attn.pattern @sink(%t: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} normalize softmax sink(%t)

// -----

// expected-error @below {{[pattern-7] expected cos and sin of a rotation to be parameters of type 'tensor<?x?xf32>'}}
attn.pattern @rotation(%c: tensor<?x?xf32>, %s: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} rotate(%c, %s)

// -----

attn.pattern @ranks(%s: !attn.set) keep(%b, %h, %q, %k) {
  // expected-error @below {{[pattern-8] expected a set to be asked with one number of indices throughout, three at most, found 1}}
  %x = attn.in %q, %s[%h]
  %y = attn.in %k, %s[%b, %h]
  %z = arith.andi %x, %y : i1
  attn.keep %z
}

// -----

attn.pattern @normaliser keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
// expected-error @below {{expected 'softmax', 'sigmoid', 'relu', 'relu2', 'identity' or 'grouped' as normaliser, found 'softmix'}}
} normalize softmix

// -----

attn.pattern @group keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
// expected-error @below {{[normalizer-1] expected a group size in [2, 512] for 'grouped' and 0 otherwise, found 1 for 'grouped'}}
} normalize grouped 1

// -----

// expected-error @below {{[normalizer-2] expected a sink with 'softmax' only, found one with 'sigmoid'}}
module attributes {x = #attn.normalizer<sigmoid, 0, sink = 1>} {}

// -----

// expected-error @below {{[outputs-1] expected block sizes in [1, 512], or 0 by 0 for none, found 64 by 0}}
module attributes {x = #attn.outputs<row_max = false, column_sums = false, block_max = 64 by 0>} {}

// -----

// expected-error @below {{[schedule-5] expected boxes of at most three axes that hold 48 queries and 64 keys}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 8, lanes = 16, unroll = 1, query_box = [6, 8], key_box = [8, 7]>} {}

// -----

// expected-error @below {{[schedule-6] expected 'stages' not to be negative, found -1}}
module attributes {x = #attn.schedule<query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, stages = -1>} {}

// -----

// expected-error @below {{[schedule-7] expected a positive 'heads', found 0}}
module attributes {x = #attn.schedule<query_tile = 64, key_tile = 64, rows = 16, lanes = 16, unroll = 1, heads = 0>} {}

// -----

// expected-error @below {{expected a parameter 'p0', 'p1', …}}
module attributes {x = #attn.list<q[b]>} {}

// -----

attn.pattern @two_sets(%s: !attn.set) keep(%b, %h, %q, %k) {
  // expected-error @below {{[in-1] expected one set, written out or a parameter}}
  %x = "attn.in"(%q) <{operandSegmentSizes = array<i32: 1, 0, 0>}> : (index) -> i1
  attn.keep %x
}

// -----

attn.pattern @indices(%t: tensor<?x?xindex>) keep(%b, %h, %q, %k) {
  // expected-error @below {{[at-1] expected 2 indices, one per axis of the table, found 1}}
  %x = attn.at %t[%q] : tensor<?x?xindex>
  %y = attn.in %x, #attn.pow2
  attn.keep %y
}

// -----

attn.pattern @element(%t: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} score(%s, %b, %h, %q, %k) {
  // expected-error @below {{inferred type(s) 'index' are incompatible with return type(s) of operation 'f32'}}
  // expected-error @below {{failed to infer returned types}}
  %x = "attn.at"(%t, %q) : (tensor<?xindex>, index) -> f32
  attn.score %x
}

// -----

attn.pattern @unknown keep(%b, %h, %q, %k) {
  // expected-error @below {{[apply-1] expected the name of an 'attn.pattern', found @nobody}}
  %y = attn.apply @nobody() at(%b, %h, %q, %k)
  attn.keep %y
}

// -----

attn.pattern @window(%w: index) keep(%b, %h, %q, %k) { // expected-note {{the pattern is defined here}}
  %y = arith.cmpi slt, %q, %w : index
  attn.keep %y
}
attn.pattern @wrong_argument(%x: f32) keep(%b, %h, %q, %k) {
  // expected-error @below {{[apply-1] expected argument 0 of pattern @window to be of type 'index', found 'f32'}}
  %y = attn.apply @window(%x : f32) at(%b, %h, %q, %k)
  attn.keep %y
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) { // expected-note {{the pattern is defined here}}
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}
attn.pattern @few_coordinates keep(%b, %h, %q, %k) {
  // expected-error @below {{[apply-2] expected 4 coordinates for pattern @all, found 3}}
  %y = attn.apply @all() at(%b, %h, %q)
  attn.keep %y
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}
// expected-error @below {{[combine-1] expected two to 8 sources, found 1}}
attn.combine @alone [@all]

// -----

attn.pattern @a(%w: index = 3) keep(%b, %h, %q, %k) {
  %y = arith.cmpi slt, %q, %w : index
  attn.keep %y
}
attn.pattern @b(%w: index = 4) keep(%b, %h, %q, %k) {
  %y = arith.cmpi slt, %q, %w : index
  attn.keep %y
}
// expected-error @below {{[combine-2] expected parameter 'w' of @b to have the type and the default that it has in 'a'}}
attn.combine @both [@a, @b]

// -----

attn.pattern @a keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}
attn.pattern @b keep(%b, %h, %q, %k) {
  %y = attn.in %q, #attn.pow2
  attn.keep %y
} normalize sigmoid
// expected-error @below {{[combine-3] expected every source to have the normaliser of the first, neither grouped nor with a sink, found #attn.normalizer<sigmoid, 0> in @b}}
attn.combine @both [@a, @b]

// -----

func.func @tiles_axes(%b: index) {
  // expected-error @below {{[tiles-3] expected as many query coordinates as axes of 'query_box', 'key_box' and 'key_grid', found 1, 2, 2 and 2}}
  %t = attn.tiles #attn.formula<q1 - k1 in interval<0, inf>> at(%b, %b, %b) keys(%b)
    params(%b, %b : index, index) tile 48 x 64 boxes [6, 8] [8, 8] of [0, 1]
  return
}
