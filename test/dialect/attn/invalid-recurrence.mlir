// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics
// expected-error @below {{[recurrence-1] expected parameter 's' to be 'index', 'f32' or a tensor of either, found '!attn.set'}}
attn.recurrence @sets(%s: !attn.set)


// -----

// expected-error @below {{expected the 5 arguments (element, batch, head, token, feature) of a query region, found 4}}
attn.recurrence @few query(%x, %b, %h, %i) {
  attn.features %x
}


// -----

// expected-error @below {{expected the 3 or 4 coordinates (batch, head, token and maybe feature) of a decay region, found 5}}
attn.recurrence @many decay(%b, %h, %i, %c, %d) {
  %g = arith.constant 0.0 : f32
  attn.decay %g
}


// -----

// expected-error @below {{expected the 3 coordinates (batch, head, token) of a delta region, found 4}}
attn.recurrence @many delta(%b, %h, %i, %c) {
  %g = arith.constant 1.0 : f32
  attn.delta %g
}


// -----

// expected-error @below {{[recurrence-1] expected a key region with the parameters and the 5 arguments (element, batch, head, token, feature), 'f32' and 'index', found 5 arguments}}
"attn.recurrence"() <{sym_name = "a", param_names = [], param_type_list = [], param_defaults = []}> ({}, {
^bb0(%x: index, %b: index, %h: index, %i: index, %c: index):
  %y = arith.constant 0.0 : f32
  attn.features %y
}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-1] expected a decay region with the parameters and the 3 coordinates (batch, head, token and maybe feature), 'index', found 4 arguments}}
"attn.recurrence"() <{sym_name = "a", param_names = ["w"], param_type_list = [index], param_defaults = [unit]}> ({}, {}, {}, {}, {
^bb0(%w: f32, %b: index, %h: index, %i: index):
  attn.decay %w
}, {}) : () -> ()


// -----

// expected-error @below {{region entry argument '%w' is already in use}}
// expected-note @below {{previously referenced here}}
attn.recurrence @twice(%w: index, %w: index) decay(%b, %h, %i) {
  %g = arith.constant 0.0 : f32
  attn.decay %g
}


// -----

// expected-error @below {{[recurrence-2] expected distinct parameter names, found 'w' twice}}
attn.recurrence @twice(%w: index, %w: index)


// -----

// expected-error @below {{[recurrence-2] expected one default or none per parameter, found 0 for 1 parameters}}
"attn.recurrence"() <{sym_name = "a", param_names = ["w"], param_type_list = [index], param_defaults = []}> ({}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-2] expected one type per parameter, found 2 for 1 parameters}}
"attn.recurrence"() <{sym_name = "a", param_names = ["w"], param_type_list = [index, f32], param_defaults = [unit]}> ({}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-2] expected a parameter name of letters and digits, found 'a b'}}
"attn.recurrence"() <{sym_name = "a", param_names = ["a b"], param_type_list = [index], param_defaults = [unit]}> ({}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-2] expected no such default for parameter 'w' of type 'f32', found 3 : i64}}
"attn.recurrence"() <{sym_name = "a", param_names = ["w"], param_type_list = [f32], param_defaults = [3]}> ({}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-2] expected a default of at most 2^31 in magnitude for parameter 'w', found 99999999999}}
attn.recurrence @large(%w: index = 99999999999)


// -----

attn.recurrence @asks query(%x, %b, %h, %i, %c) {
  // expected-error @below {{[recurrence-3] is not allowed in a query region; expected arithmetic on 'f32' and 'index', 'attn.at', 'attn.row_sum', 'attn.row_max' or 'attn.project'}}
  %y = attn.in %i, #attn.pow2
  attn.features %x
}


// -----

attn.recurrence @counts decay(%b, %h, %i) {
  // expected-error @below {{[recurrence-3] is not allowed in a decay region}}
  %n = attn.num_keys
  %g = arith.constant 0.0 : f32
  attn.decay %g
}


// -----

attn.recurrence @double value(%x, %b, %h, %i, %c) {
  // expected-error @below {{[recurrence-3] has type 'f64' in a value region; expected 'f32', 'index' or 'i1'}}
  %y = arith.constant 1.0 : f64
  attn.features %x
}


// -----

attn.recurrence @no_end output(%x, %b, %h, %i, %c) {
  // expected-error @below {{[recurrence-4] expected an output region that ends in 'attn.features', found 'arith.addf' at its end}}
  %y = arith.addf %x, %x : f32
}


// -----

// expected-error @below {{[recurrence-4] expected a decay region that ends in 'attn.decay', found an empty one}}
attn.recurrence @empty decay(%b, %h, %i) {
}


// -----

attn.recurrence @other_end delta(%b, %h, %i) {
  %g = arith.constant 0.0 : f32
  // expected-error @below {{[recurrence-4] expected a delta region that ends in 'attn.delta', found 'attn.decay' at its end}}
  attn.decay %g
}


// -----

// expected-error @+3 {{[recurrence-4] expected a query region that ends in 'attn.features', found 'arith.addf' at its end}}
"attn.recurrence"() <{sym_name = "a", param_names = [], param_type_list = [], param_defaults = []}> ({
^bb0(%x: f32, %b: index, %h: index, %i: index, %c: index):
  %y = arith.addf %x, %x : f32
}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-4] expected a query region that ends in 'attn.features', found an empty one}}
"attn.recurrence"() <{sym_name = "a", param_names = [], param_type_list = [], param_defaults = []}> ({
^bb0(%x: f32, %b: index, %h: index, %i: index, %c: index):
}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-5] expected as many features of a query as of a key, at least one, found 2 and 1}}
attn.recurrence @unequal query(%x, %b, %h, %i, %c) {
  attn.features %x, %x
}


// -----

// expected-error @below {{[recurrence-5] expected one feature per element of a value, found 2}}
attn.recurrence @wide value(%x, %b, %h, %i, %c) {
  attn.features %x, %x
}


// -----

// expected-error @below {{[recurrence-5] expected one feature per element of an output, found 2}}
attn.recurrence @wide output(%x, %b, %h, %i, %c) {
  attn.features %x, %x
}


// -----

// expected-error @below {{[recurrence-6] expected one to four dynamic axes in the table 't', found 'tensor<?x8xf32>'}}
attn.recurrence @static(%t: tensor<?x8xf32>)


// -----

// expected-error @below {{[recurrence-7] expected a window to be a parameter of type 'index'}}
attn.recurrence @real(%w: f32) window(%w)


// -----

// expected-error @below {{expected the name of a parameter, found '%v'}}
attn.recurrence @real(%w: index) window(%v)


// -----

// expected-error @below {{[recurrence-7] expected a window to be a parameter of type 'index'}}
"attn.recurrence"() <{sym_name = "a", param_names = [], param_type_list = [], param_defaults = [], window = 0}> ({}, {}, {}, {}, {}, {}) : () -> ()


// -----

// expected-error @below {{[recurrence-8] expected no 'expand' beside 'delta'}}
attn.recurrence @both(%w: index)
delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
} expand taylor


// -----

// expected-error @below {{[recurrence-8] expected no 'normalize' beside 'delta'}}
attn.recurrence @both(%w: index)
delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
} normalize sum


// -----

// expected-error @below {{[recurrence-8] expected no 'bidirectional' beside 'delta'}}
attn.recurrence @both(%w: index)
delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
} bidirectional


// -----

// expected-error @below {{[recurrence-8] expected no 'window' beside 'delta'}}
attn.recurrence @both(%w: index)
delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
} window(%w)


// -----

// expected-error @below {{[recurrence-9] expected no 'expand' beside 'decay per feature'}}
attn.recurrence @both(%w: index)
decay(%b, %h, %i, %c) {
  %g = arith.constant -1.0 : f32
  attn.decay %g
} expand power 2


// -----

// expected-error @below {{[recurrence-9] expected no 'normalize magnitude' beside 'decay per feature'}}
attn.recurrence @both(%w: index)
decay(%b, %h, %i, %c) {
  %g = arith.constant -1.0 : f32
  attn.decay %g
} normalize magnitude


// -----

// expected-error @below {{[recurrence-10] expected no 'decay' beside 'bidirectional'}}
attn.recurrence @both(%w: index)
decay(%b, %h, %i) {
  %g = arith.constant -1.0 : f32
  attn.decay %g
} bidirectional


// -----

// expected-error @below {{[recurrence-10] expected no 'window' beside 'bidirectional'}}
attn.recurrence @both(%w: index)
bidirectional window(%w)


// -----

// expected-error @below {{[recurrence-11] expected no 'decay' beside 'window'}}
attn.recurrence @both(%w: index)
decay(%b, %h, %i) {
  %g = arith.constant -1.0 : f32
  attn.decay %g
} window(%w)


// -----

// expected-error @below {{[recurrence-11] expected no 'value' beside 'window'}}
attn.recurrence @both(%w: index)
value(%x, %b, %h, %i, %c) {
  attn.features %x
} window(%w)


// -----

// expected-error @below {{[recurrence-11] expected no 'output' beside 'window'}}
attn.recurrence @both(%w: index)
output(%x, %b, %h, %i, %c) {
  attn.features %x
} window(%w)


// -----

// expected-error @below {{[recurrence-11] expected no 'normalize magnitude' beside 'window'}}
attn.recurrence @both(%w: index)
normalize magnitude window(%w)


// -----

// expected-error @below {{expected each clause once and in the order query, key, value, output, decay, delta, erase, expand, normalize, bidirectional, window, found 'expand' after 'normalize'}}
attn.recurrence @order normalize sum expand taylor


// -----

// expected-error @below {{found 'bidirectional' after 'bidirectional'}}
attn.recurrence @twice bidirectional bidirectional


// -----

// expected-error @below {{expected 'power' or 'taylor' as expansion, found 'cube'}}
attn.recurrence @cube expand cube


// -----

// expected-error @below {{expected 'power' or 'taylor' as expansion, found 'none'}}
attn.recurrence @nothing expand none


// -----

// expected-error @below {{[expand-1] expected a power in [2, 8] for 'power' and 0 otherwise, found 9 for 'power'}}
attn.recurrence @high expand power 9


// -----

// expected-error @below {{expected 'sum' or 'magnitude' as normaliser of a recurrence, found 'softmax'}}
attn.recurrence @softmax normalize softmax


// -----

// expected-error @below {{[state-1] expected a positive number of rows, found 0}}
func.func private @f() attributes {a = #attn.state<rows = 0, sums = false, causal = true>}


// -----

// expected-error @below {{expected 'packed', 'tf32' or 'state', found 'other'}}
func.func private @f() attributes {a = #attn.entry<"a", @a, "base", qk = 64, v = 64, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 64, key_tile = 64, rows = 4, lanes = 16, unroll = 1>, other = 1>}


// -----

attn.recurrence @place decay(%b, %h, %i) {
  %g = arith.constant 0.0 : f32
  // expected-error @below {{[row_sum-1] expected to stand in a region 'query', 'key', 'value' or 'output', found one of 'decay'}}
  %y = attn.row_sum %g
  attn.decay %y
}


// -----

attn.recurrence @place decay(%b, %h, %i) {
  %g = arith.constant 0.0 : f32
  // expected-error @below {{[row_max-1] expected to stand in a region 'query', 'key', 'value' or 'output', found one of 'decay'}}
  %y = attn.row_max %g
  attn.decay %y
}


// -----

attn.recurrence @place(%w: tensor<?x?xf32>) value(%x, %b, %h, %i, %c) {
  // expected-error @below {{[project-1] expected to stand in a region 'query' or 'key', found one of 'value'}}
  %y = attn.project %x, %w[] : tensor<?x?xf32>
  attn.features %y
}


// -----

attn.recurrence @axes(%w: tensor<?x?xf32>) query(%x, %b, %h, %i, %c) {
  // expected-error @below {{[project-2] expected a parameter with two axes more than there are indices, 3, found 'tensor<?x?xf32>'}}
  %y = attn.project %x, %w[%h] : tensor<?x?xf32>
  attn.features %y
}


// -----

attn.recurrence @per_token(%w: tensor<?x?x?xf32>) query(%x, %b, %h, %i, %c) {
  %one = arith.constant 1 : index
  %next = arith.addi %i, %one : index
  // expected-error @below {{[project-3] expected indices that depend on parameters, batch and head only}}
  %y = attn.project %x, %w[%next] : tensor<?x?x?xf32>
  attn.features %y
}


// -----

func.func @f(%x: f32) -> f32 {
  // expected-error @below {{'attn.row_sum' op expects parent op 'attn.recurrence'}}
  %y = attn.row_sum %x
  return %y : f32
}


// -----

// expected-error @below {{[recurrence-12] expected a 'delta' beside 'erase before decay'}}
attn.recurrence @nothing_to_erase decay(%b, %h, %i, %c) {
  %g = arith.constant -1.0 : f32
  attn.decay %g
} erase before decay


// -----

attn.recurrence @other_order delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
// expected-error @below {{expected 'before'}}
} erase after decay


// -----

// expected-error @below {{expected each clause once and in the order query, key, value, output, decay, delta, erase, expand, normalize, bidirectional, window, found 'delta' after 'erase'}}
attn.recurrence @order erase before decay delta(%b, %h, %i) {
  %t = arith.constant 1.0 : f32
  attn.delta %t
}
