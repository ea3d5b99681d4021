// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s | FileCheck %s
// RUN: heddle-opt %s | heddle-opt | FileCheck %s
// RUN: heddle-opt %s --mlir-print-op-generic | heddle-opt | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern | FileCheck %s
// RUN: heddle-opt %s --emit-bytecode | heddle-opt | FileCheck %s

// A recurrence without any clause: S_i = S_(i-1) + k_i v_i^T.
// CHECK: attn.recurrence @identity
// CHECK-NEXT: attn.recurrence @empty_list
attn.recurrence @identity
attn.recurrence @empty_list()

// CHECK-LABEL: attn.recurrence @retnet(%log_decay: tensor<?xf32>) decay(%b, %h, %i) {
// CHECK-NEXT:   %[[G:.*]] = attn.at %log_decay[%h] : tensor<?xf32>
// CHECK-NEXT:   attn.decay %[[G]]
// CHECK-NEXT: }
attn.recurrence @retnet(%log_decay: tensor<?xf32>)
  decay(%b, %h, %i) {
    %g = attn.at %log_decay[%h] : tensor<?xf32>
    attn.decay %g
  }

// CHECK-LABEL: attn.recurrence @gla(%gate: tensor<?x?x?x?xf32>) decay(%b, %h, %i, %c) {
// CHECK-NEXT:   %[[G:.*]] = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
// CHECK-NEXT:   attn.decay %[[G]]
// CHECK-NEXT: }
attn.recurrence @gla(%gate: tensor<?x?x?x?xf32>)
  decay(%b, %h, %i, %c) { %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>  attn.decay %g }

// CHECK-LABEL: attn.recurrence @linear query(%x, %b, %h, %i, %c) {
// CHECK:         attn.features %{{.*}}
// CHECK-NEXT:  } key(%x, %b, %h, %i, %c) {
// CHECK:         attn.features %{{.*}}
// CHECK-NEXT:  } normalize sum
attn.recurrence @linear
  query(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %up = arith.addf %x, %one : f32
    %e = math.exp %x : f32
    %positive = arith.cmpf ogt, %x, %zero : f32
    %y = arith.select %positive, %up, %e : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %up = arith.addf %x, %one : f32
    %e = math.exp %x : f32
    %positive = arith.cmpf ogt, %x, %zero : f32
    %y = arith.select %positive, %up, %e : f32
    attn.features %y
  }
  normalize sum

// Parameters are called the same in every region, whatever the others are.
// CHECK-LABEL: attn.recurrence @gated_delta(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?x?xf32>) key(%x, %b, %h, %i, %c) {
// CHECK:         attn.row_sum %
// CHECK:       } decay(%b, %h, %i) {
// CHECK-NEXT:    attn.at %gate[%b, %h, %i] : tensor<?x?x?xf32>
// CHECK:       } delta(%b, %h, %i) {
// CHECK-NEXT:    %[[T:.*]] = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
// CHECK-NEXT:    attn.delta %[[T]]
// CHECK-NEXT:  }
attn.recurrence @gated_delta(%gate: tensor<?x?x?xf32>, %beta: tensor<?x?x?xf32>)
  key(%x, %b, %h, %i, %c) {
    %s = arith.mulf %x, %x : f32
    %n = attn.row_sum %s
    %r = math.rsqrt %n : f32
    %y = arith.mulf %x, %r : f32
    attn.features %y
  }
  decay(%b, %h, %i) {
    %g = attn.at %gate[%b, %h, %i] : tensor<?x?x?xf32>
    attn.decay %g
  }
  delta(%b, %h, %i) {
    %t = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
    attn.delta %t
  }

// A delta rule goes with a factor per feature.
// CHECK-LABEL: attn.recurrence @kda(
// CHECK:       decay(%b, %h, %i, %c) {
// CHECK:       } delta(%b, %h, %i) {
attn.recurrence @kda(%gate: tensor<?x?xf32>, %beta: f32)
  decay(%b, %h, %i, %c) {
    %g = attn.at %gate[%i, %c] : tensor<?x?xf32>
    attn.decay %g
  }
  delta(%b, %h, %i) {
    attn.delta %beta
  }

// What a delta rule takes away may go before the decay; the order of the clauses
// says so, and a decay that there is not is no matter.
// CHECK-LABEL: attn.recurrence @erase_first(
// CHECK:       decay(%b, %h, %i, %c) {
// CHECK:       } delta(%b, %h, %i) {
// CHECK-NEXT:    attn.delta %beta
// CHECK-NEXT:  } erase before decay
attn.recurrence @erase_first(%gate: tensor<?x?xf32>, %beta: f32)
  decay(%b, %h, %i, %c) {
    %g = attn.at %gate[%i, %c] : tensor<?x?xf32>
    attn.decay %g
  }
  delta(%b, %h, %i) {
    attn.delta %beta
  }
  erase before decay
// CHECK-LABEL: attn.recurrence @erase_only(
// CHECK-NOT:   decay(
// CHECK:       } erase before decay
attn.recurrence @erase_only(%beta: f32)
  delta(%b, %h, %i) {
    attn.delta %beta
  } erase before decay

// CHECK-LABEL: attn.recurrence @maps(%w: tensor<?x?x?xf32>, %x: f32 = 1.500000e+00)
// CHECK-SAME:    query(%[[E:.*]], %b, %h, %i, %c) {
// CHECK-NEXT:    %[[P:.*]] = attn.project %[[E]], %w[%h] : tensor<?x?x?xf32>
// CHECK:         attn.row_max %
// CHECK:         attn.features %{{.*}}, %{{.*}}
// CHECK:       } key(
// CHECK:         attn.features %{{.*}}, %{{.*}}
// CHECK:       } value(
// CHECK:       } output(
// CHECK:         arith.mulf %{{.*}}, %x : f32
// CHECK:       } normalize magnitude bidirectional
attn.recurrence @maps(%w: tensor<?x?x?xf32>, %x: f32 = 1.5)
  query(%e, %b, %h, %i, %c) {
    %p = attn.project %e, %w[%h] : tensor<?x?x?xf32>
    %n = arith.negf %p : f32
    %m = attn.row_max %p
    %y = arith.divf %p, %m : f32
    attn.features %y, %n
  } key(%e, %b, %h, %i, %c) {
    %n = arith.negf %e : f32
    attn.features %e, %n
  } value(%e, %b, %h, %i, %c) {
    %y = math.tanh %e : f32
    attn.features %y
  } output(%e, %b, %h, %i, %c) {
    %y = arith.mulf %e, %x : f32
    attn.features %y
  } normalize magnitude bidirectional

// CHECK-LABEL: attn.recurrence @squares(%w: index = 64) expand power 2 normalize sum window(%w)
attn.recurrence @squares(%w: index = 64) expand power 2 normalize sum window(%w)
// CHECK-NEXT: attn.recurrence @based(%w: index) expand taylor window(%w)
attn.recurrence @based(%w: index) expand taylor window(%w)
// CHECK-NEXT: attn.recurrence @numbers(%{{.*}}: f32, %[[W:.*]]: index) attributes {note = "kept"} expand power 8 window(%[[W]])
attn.recurrence @numbers(%0: f32, %1: index) attributes {note = "kept"}
  expand power 8 window(%1)

// A module may hold both.
// CHECK-LABEL: attn.pattern @causal keep(%b, %h, %q, %k)
attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}

// CHECK-LABEL: func.func @plain
// CHECK: attn.linear @identity() q(%{{.*}}) k(%{{.*}}) v(%{{.*}}) scale(%{{.*}}) : tensor<?x8x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x32xbf16> -> tensor<?x8x?x32xf32>, tensor<?x?x?x32xf32>
func.func @plain(%q: tensor<?x8x?x64xbf16>, %k: tensor<?x2x?x64xbf16>, %v: tensor<?x2x?x32xbf16>, %s: f32) {
  %o, %state = attn.linear @identity() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x8x?x64xbf16>, tensor<?x2x?x64xbf16>, tensor<?x2x?x32xbf16>
    -> tensor<?x8x?x32xf32>, tensor<?x?x?x32xf32>
  return
}

// CHECK-LABEL: func.func @continued
// CHECK: attn.linear @squares(%{{.*}} : index) q(%{{.*}}) k(%{{.*}}) v(%{{.*}}) scale(%{{.*}}) origin(%{{.*}} : tensor<?xindex>) from(%{{.*}} : tensor<?x?x?x64xf32>, %{{.*}} : tensor<?x?x?xf32>) schedule <query_tile = 64, key_tile = 64, rows = 4, lanes = 16, unroll = 1> : tensor<1x4x100x16xf32>, tensor<1x4x163x16xf32>, tensor<1x4x163x64xf32> -> tensor<1x4x100x64xf32>, tensor<1x4x136x64xf32>, tensor<1x4x136xf32>
func.func @continued(%q: tensor<1x4x100x16xf32>, %k: tensor<1x4x163x16xf32>, %v: tensor<1x4x163x64xf32>, %s: f32, %w: index,
                     %org: tensor<?xindex>, %state0: tensor<?x?x?x64xf32>, %sums0: tensor<?x?x?xf32>) {
  %o, %state, %sums = attn.linear @squares(%w : index) q(%q) k(%k) v(%v) scale(%s)
    origin(%org : tensor<?xindex>) from(%state0 : tensor<?x?x?x64xf32>, %sums0 : tensor<?x?x?xf32>)
    schedule <query_tile = 64, key_tile = 64, rows = 4, lanes = 16, unroll = 1>
    : tensor<1x4x100x16xf32>, tensor<1x4x163x16xf32>, tensor<1x4x163x64xf32>
    -> tensor<1x4x100x64xf32>, tensor<1x4x136x64xf32>, tensor<1x4x136xf32>
  return
}

// CHECK-LABEL: func.func private @attributes
// CHECK-SAME: entry = #attn.entry<"retnet", @retnet, "base", qk = 64, v = 64, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 64, key_tile = 64, rows = 4, lanes = 16, unroll = 1>, state = <rows = 64, sums = false, causal = true>>
// CHECK-SAME: expand = [#attn.expand<none>, #attn.expand<power 3>, #attn.expand<taylor>]
func.func private @attributes() attributes {
  entry = #attn.entry<"retnet", @retnet, "base", qk = 64, v = 64, types = f32 to f32,
    <row_max = false, column_sums = false, block_max = 0 by 0>,
    <query_tile = 64, key_tile = 64, rows = 4, lanes = 16, unroll = 1>,
    state = #attn.state<rows = 64, sums = false, causal = true>>,
  expand = [#attn.expand<none>, #attn.expand<power 3>, #attn.expand<taylor>]
}
