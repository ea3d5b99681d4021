// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics

attn.pattern @reversed_ends keep(%b, %h, %q, %k) {
  // expected-error @below {{[interval-1] expected an interval's lower end to be at most its upper end, found 8 and 3}}
  %x = attn.in %k, #attn.interval<8, 3>
  attn.keep %x
}

// -----

attn.pattern @large_end keep(%b, %h, %q, %k) {
  // expected-error @below {{[interval-2] expected an interval's ends to be at most 2^58 in magnitude, found 288230376151711745}}
  %x = attn.in %k, #attn.interval<-inf, 288230376151711745>
  attn.keep %x
}

// -----

attn.pattern @small_end keep(%b, %h, %q, %k) {
  // expected-error @below {{[interval-2] expected an interval's ends to be at most 2^58 in magnitude, found -288230376151711745}}
  %x = attn.in %k, #attn.interval<-288230376151711745, 0>
  attn.keep %x
}

// -----

attn.pattern @wrong_infinity keep(%b, %h, %q, %k) {
  // expected-error @below {{expected '-inf' or an integer as lower end of an interval, found 'inf'}}
  %x = attn.in %k, #attn.interval<inf, 3>
  attn.keep %x
}

// -----

attn.pattern @wrong_infinity keep(%b, %h, %q, %k) {
  // expected-error @below {{expected 'inf' or an integer as upper end of an interval, found '-inf'}}
  %x = attn.in %k, #attn.interval<3, -inf>
  attn.keep %x
}

// -----

attn.pattern @zero_modulus keep(%b, %h, %q, %k) {
  // expected-error @below {{[residue-1] expected a modulus in [1, 2^58], found 0}}
  %x = attn.in %k, #attn.residue<0, 0>
  attn.keep %x
}

// -----

attn.pattern @large_modulus keep(%b, %h, %q, %k) {
  // expected-error @below {{[residue-1] expected a modulus in [1, 2^58], found 288230376151711745}}
  %x = attn.in %k, #attn.residue<0, 288230376151711745>
  attn.keep %x
}

// -----

attn.pattern @remainder_out_of_range keep(%b, %h, %q, %k) {
  // expected-error @below {{[residue-2] expected a remainder in [0, 4), found 4}}
  %x = attn.in %k, #attn.residue<4, 4>
  attn.keep %x
}

// -----

attn.pattern @remainder_out_of_range keep(%b, %h, %q, %k) {
  // expected-error @below {{[residue-2] expected a remainder in [0, 4), found -1}}
  %x = attn.in %k, #attn.residue<-1, 4>
  attn.keep %x
}

// -----

// expected-error @below {{[schedule-1] expected a positive 'query_tile', found 0}}
module attributes {x = #attn.schedule<query_tile = 0, key_tile = 64, rows = 4, lanes = 16, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-1] expected a positive 'key_tile', found 0}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 0, rows = 4, lanes = 16, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-1] expected a positive 'rows', found 0}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 0, lanes = 16, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-1] expected a positive 'lanes', found 0}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 4, lanes = 0, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-1] expected a positive 'unroll', found 0}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 4, lanes = 16, unroll = 0>} {}

// -----

// expected-error @below {{[schedule-2] expected 'lanes' to divide 'query_tile', found 16 and 50}}
module attributes {x = #attn.schedule<query_tile = 50, key_tile = 64, rows = 4, lanes = 16, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-3] expected 'rows' to divide 'key_tile', found 5 and 64}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 5, lanes = 16, unroll = 4>} {}

// -----

// expected-error @below {{[schedule-4] expected 'unroll' to divide 'key_tile', found 3 and 64}}
module attributes {x = #attn.schedule<query_tile = 48, key_tile = 64, rows = 4, lanes = 16, unroll = 3>} {}

// -----

// expected-error @below {{[view-1] expected a positive width, found 0}}
func.func @no_width(%x: !attn.view<0xf32>) { return }

// -----

// expected-error @below {{expected one extent in a view type, found 2}}
func.func @two_extents(%x: !attn.view<4x4xf32>) { return }

// -----

// expected-error @below {{expected the 4 coordinates (batch, head, query, key) of a keep region, found 3}}
attn.pattern @three_coordinates keep(%b, %h, %q) {
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}

// -----

// expected-error @below {{[pattern-1] expected parameter 'p' to be 'index', 'f32', a tensor of either or '!attn.set', found 'i32'}}
attn.pattern @parameter_type(%p: i32) keep(%b, %h, %q, %k) {
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}

// -----

// expected-error @below {{[pattern-1] expected 0 parameters and 4 coordinates of type 'index'}}
"attn.pattern"() <{sym_name = "a", param_names = [], param_defaults = []}> ({
^bb0(%b: index, %h: index, %q: index):
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}, {
}) : () -> ()

// -----

// expected-error @below {{[pattern-2] expected distinct parameter names, found 'w' twice}}
"attn.pattern"() <{sym_name = "a", param_names = ["w", "w"], param_defaults = [unit, unit]}> ({
^bb0(%w: index, %v: index, %b: index, %h: index, %q: index, %k: index):
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}, {
}) : () -> ()

// -----

// expected-error @below {{[pattern-2] expected one default or none per parameter, found 1 for 2 parameters}}
"attn.pattern"() <{sym_name = "a", param_names = ["w", "v"], param_defaults = [unit]}> ({
^bb0(%w: index, %v: index, %b: index, %h: index, %q: index, %k: index):
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}, {
}) : () -> ()

// -----

// expected-error @below {{[pattern-2] expected a number or nothing as default of parameter 'v', found "x"}}
"attn.pattern"() <{sym_name = "a", param_names = ["w", "v"], param_defaults = [unit, "x"]}> ({
^bb0(%w: index, %v: index, %b: index, %h: index, %q: index, %k: index):
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}, {
}) : () -> ()

// -----

// expected-error @below {{[pattern-2] expected a default of at most 2^31 in magnitude for parameter 'v', found 2147483649}}
"attn.pattern"() <{sym_name = "a", param_names = ["w", "v"], param_defaults = [unit, 2147483649]}> ({
^bb0(%w: index, %v: index, %b: index, %h: index, %q: index, %k: index):
  %x = attn.in %q, #attn.pow2
  attn.keep %x
}, {
}) : () -> ()

// -----

attn.pattern @shift keep(%b, %h, %q, %k) {
  // expected-error @below {{[pattern-3] is not allowed in a keep region; expected integer arithmetic, comparisons, connectives, 'attn.in', 'attn.at', 'attn.apply', 'attn.require', 'attn.mod' or 'attn.num_keys'}}
  %x = arith.shli %q, %k : index
  %y = attn.in %x, #attn.pow2
  attn.keep %y
}

// -----

attn.pattern @other_type keep(%b, %h, %q, %k) {
  // expected-error @below {{[pattern-3] has type 'i32' in a keep region; expected 'index' or 'i1'}}
  %x = arith.constant 5 : i32
  %y = attn.in %q, #attn.pow2
  attn.keep %y
}

// -----

attn.pattern @no_verdict keep(%b, %h, %q, %k) {
  // expected-error @below {{[pattern-4] expected a keep region that ends in 'attn.keep', found 'attn.in' at its end}}
  %y = attn.in %q, #attn.pow2
}

// -----

// expected-error @below {{[pattern-4] expected a keep region that ends in 'attn.keep', found an empty one}}
attn.pattern @empty keep(%b, %h, %q, %k) {
}

// -----

attn.pattern @no_boolean keep(%b, %h, %q, %k) { // expected-note {{prior use here}}
  // expected-error @below {{use of value '%q' expects different type than prior uses: 'i1' vs 'index'}}
  attn.keep %q
}

// -----

attn.pattern @no_set keep(%b, %h, %q, %k) {
  // expected-error @below {{failed to satisfy constraint: a set of integers: #attn.interval, #attn.residue or #attn.pow2}}
  %y = attn.in %q, 5
  attn.keep %y
}

// -----

attn.pattern @modulus keep(%b, %h, %q, %k) {
  // expected-error @below {{[mod-1] expected a positive modulus, found 0}}
  %y = attn.mod %q, 0
  %z = attn.in %y, #attn.pow2
  attn.keep %z
}

// -----

attn.pattern @modulus keep(%b, %h, %q, %k) {
  // expected-error @below {{[mod-1] expected a positive modulus, found -4}}
  %y = attn.mod %q, -4
  %z = attn.in %y, #attn.pow2
  attn.keep %z
}

// -----

func.func @keep_outside(%x: i1) {
  // expected-error @below {{expects parent op 'attn.pattern'}}
  attn.keep %x
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-1] expected 'q' of rank 4, found 3}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-1] expected 'lse' of rank 3, found 4}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?x1xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf16>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-2] expected 'k' of the element type of 'q', 'f32', found 'f16'}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf16>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-2] expected 'lse' of element type 'f32', found 'f64'}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf64>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x32xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-3] expected the head dim of 'k' to be that of 'q', 64}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x32xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x?xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-3] expected a static head dim in [1, 512] for 'q', found ?}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x?xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x513xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-3] expected a static head dim in [1, 512] for 'v', found 513}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x513xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-4] expected the name of an 'attn.pattern' or 'attn.combine', found @none}}
  %o, %lse = attn.attention @none() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) { // expected-note {{the pattern is defined here}}
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-4] expected 0 arguments for pattern @all, found 1}}
  %o, %lse = attn.attention @all(%i : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x3x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-5] expected the heads of 'q' to be a multiple of the heads of 'k', found 8 and 3}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x3x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x4x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-5] expected 'k' and 'v' to agree in heads, found 2 and 4}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x4x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<2x8x?x64xf32>, %k: tensor<3x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-6] expected 'q' and 'k' to agree in batch, found 2 and 3}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<2x8x?x64xf32>, tensor<3x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-6] expected 'q' and 'o' to agree in heads, found 8 and 4}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x4x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x5x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-6] expected 'q' and 'lse' to agree in positions, found 5 and 6}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x5x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x6xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x5x64xf32>,
             %v: tensor<?x2x6x32xf32>, %s: f32, %i: index) {
  // expected-error @below {{[attention-6] expected 'k' and 'v' to agree in positions, found 5 and 6}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xf32>, tensor<?x2x5x64xf32>, tensor<?x2x6x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<0, inf>
  attn.keep %x
}
func.func @f(%q: tensor<?x8x?x64xf32>, %k: tensor<?x2x?x64xf32>,
             %v: tensor<?x2x?x32xf32>, %s: f32, %i: index, %org: tensor<?x?xindex>) {
  // expected-error @below {{[attention-7] expected 'origin' of rank 1, found 2}}
  %o, %lse = attn.attention @all() q(%q) k(%k) v(%v) scale(%s) origin(%org : tensor<?x?xindex>)
    : tensor<?x8x?x64xf32>, tensor<?x2x?x64xf32>, tensor<?x2x?x32xf32>
    -> tensor<?x8x?x32xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @tile_size(%b: index, %h: index, %q0: index, %n: index) {
  // expected-error @below {{[tiles-1] expected positive tile sizes, found 0 x 64}}
  %t = attn.tiles #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0) keys(%n) tile 0 x 64
  return
}

// -----

func.func @tile_size(%b: index, %h: index, %q0: index, %n: index) {
  // expected-error @below {{[tiles-1] expected positive tile sizes, found 48 x -64}}
  %t = attn.tiles #attn.formula<q - k in interval<0, inf>> at(%b, %h, %q0) keys(%n) tile 48 x -64
  return
}

// -----

func.func @too_few_parameters(%b: index, %h: index, %q0: index, %n: index) {
  // expected-error @below {{[tiles-2] expected 2 parameters for the formula, found 1}}
  %t = attn.tiles #attn.formula<q - k in interval<0, p1>> at(%b, %h, %q0) keys(%n)
    params(%n : index) tile 48 x 64
  return
}

// -----

// expected-error @below {{expected an integer, a coordinate ('b', 'h', 'q', 'k', 'q1', …), 'n' or a parameter 'p0', 'p1', …}}
module attributes {x = #attn.formula<maybe(q in pow2)>} {}

// -----

// expected-error @below {{expected 'interval', 'residue', 'pow2' or a set 'p0[…]'}}
module attributes {x = #attn.formula<q in>} {}

// -----

// expected-error @below {{expected a bound that reads neither 'q' nor 'k'}}
module attributes {x = #attn.formula<q in interval<0, k>>} {}

// -----

// expected-error @below {{expected products and divisions with constants only, and positive divisors}}
module attributes {x = #attn.formula<q * k in interval<0, 5>>} {}

// -----

// expected-error @below {{expected products and divisions with constants only, and positive divisors}}
module attributes {x = #attn.formula<q floordiv 0 in interval<0, 5>>} {}

// -----

// expected-error @below {{[residue-2] expected a remainder in [0, 4), found 4}}
module attributes {x = #attn.formula<q in residue<4, 4>>} {}

// -----

// expected-error @below {{expected an integer, a coordinate ('b', 'h', 'q', 'k', 'q1', …), 'n' or a parameter 'p0', 'p1', …}}
module attributes {x = #attn.formula<z in pow2>} {}

// -----

// expected-error @below {{unbalanced '(' character in pretty dialect name}}
module attributes {x = #attn.formula<all(q in pow2>} {}

// -----

// expected-error @below {{expected products and divisions with constants only, and positive divisors}}
module attributes {x = #attn.formula<q mod 0 in pow2>} {}
