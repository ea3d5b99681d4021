// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Recurrences chunk by chunk.
//
// RUN: heddle-opt %s --attn-chunk-linear --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-chunk-linear --attn-expand-tiles --tile-simplify --tile-to-cpu --split-input-file --verify-diagnostics -o /dev/null

// A constant factor: its products are computed once, that of a chunk in the
// exponent, keys are used where they are, values run along the lanes of outputs
// as of the state, and the last chunk, which may be short, is a loop of its own.

// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %{{[^:]+}}: index,
// CHECK-SAME: %[[Q:[^:]+]]: !attn.view<64xf32>, %[[K:[^:]+]]: !attn.view<64xf32>, %[[V:[^:]+]]: !attn.view<32xf32>, %[[O:[^:]+]]: !attn.view<32xf32>,
// CHECK-SAME: %[[SIN:[^:]+]]: !attn.view<32xf32>, %[[SOUT:[^:]+]]: !attn.view<32xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>,
// CHECK-SAME: %[[ORIGIN:[^:]+]]: index, %[[SCALE:[^:]+]]: f32, %[[G:[^:]+]]: tensor<?xf32>) attributes {{{.*}}tile.kernel = "task"
// CHECK: %[[ROWS:.*]] = tile.load %[[SIN]]
// CHECK: %[[S0:.*]] = tile.transpose %[[ROWS]] : tensor<64x32xf32> -> tensor<32x64xf32>
// CHECK: %[[A:.*]] = tile.map
// CHECK: attn.at %[[G]]
// CHECK: math.exp
// CHECK: %[[W:.*]], %[[FROM:.*]], %[[TO:.*]], %{{.*}} = tile.decays %[[A]]
// CHECK: %[[LOG:.*]] = tile.element
// CHECK: %[[TIMES:.*]] = arith.mulf %[[LOG]], %cst
// CHECK-NEXT: math.exp %[[TIMES]]
// CHECK: %[[TOTAL:.*]] = tile.element
// CHECK: %[[MANY:.*]] = scf.for {{.*}} iter_args(%[[S:.*]] = %[[S0]])
// CHECK: %[[KEYS:.*]] = tile.load %[[K]]
// CHECK: %[[ROWS:.*]] = tile.load %[[V]]
// CHECK: %[[VALUES:.*]] = tile.transpose %[[ROWS]] : tensor<32x32xf32>
// CHECK: %[[X:.*]] = tile.scale %{{.*}}, %[[SCALE]]
// CHECK: %[[FAR:.*]] = tile.scores %[[S]], %[[X]]
// CHECK: %[[FADED:.*]] = tile.map %[[FAR]], %
// CHECK: %[[PAIRS:.*]] = tile.scores %[[X]], %[[KEYS]]
// CHECK: %[[P:.*]] = arith.mulf %[[PAIRS]], %[[W]]
// CHECK: %[[PT:.*]] = tile.transpose %[[P]]
// CHECK: %[[R:.*]] = tile.accumulate %[[FADED]], %[[VALUES]], upper %[[PT]]
// CHECK: %[[RT:.*]] = tile.transpose %[[R]]
// CHECK: tile.store %[[RT]], %[[O]]
// CHECK: %[[KEPT:.*]] = tile.scale %[[S]], %[[TOTAL]]
// CHECK: %[[NEXT:.*]] = tile.accumulate %[[KEPT]], %{{.*}}, %[[KEYS]]
// CHECK: scf.yield %[[NEXT]]
// CHECK: %[[LAST:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[MANY]])
// CHECK: arith.cmpi slt
// CHECK: tile.decays
// CHECK: %[[OUT:.*]] = tile.transpose %[[LAST]] : tensor<32x64xf32> -> tensor<64x32xf32>
// CHECK: tile.store %[[OUT]], %[[SOUT]]

// The state alone, and the product of all factors.
// CHECK-LABEL: func.func @f_state(
// CHECK-SAME: %[[FACTOR:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: index, %{{[^:]+}}: f32, %{{[^:]+}}: tensor<?xf32>) attributes {{{.*}}tile.kernel = "state"
// CHECK: scf.for
// CHECK-NOT: tile.scores
// CHECK: scf.yield %{{.*}}, %{{.*}} : tensor<32x64xf32>, f32
// CHECK: %[[ALL:.*]]:2 = scf.for
// CHECK: %[[FILL:.*]] = tile.fill 1.0
// CHECK: %[[PRODUCT:.*]] = tile.scale %[[FILL]], %[[ALL]]#1
// CHECK: tile.store %[[PRODUCT]], %[[FACTOR]]

// CHECK-LABEL: func.func @f_check(
// CHECK: %[[HEADS:.*]] = tile.dim head
// CHECK: attn.extent 0 of %{{.*}} : tensor<?xf32>
// CHECK-NOT: func.func @f(
attn.recurrence @retnet(%log_decay: tensor<?xf32>) decay(%b, %h, %i) {
  %g = attn.at %log_decay[%h] : tensor<?xf32>
  attn.decay %g
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @retnet, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @retnet(%g : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// Maps: what is the same for a row is a vector, an exponential is computed
// once, and where rows are sums weights of later keys are 0.

// CHECK-LABEL: func.func @f_task(
// CHECK: tile.load_table
// CHECK: scf.for
// Keys: features along axis 0, where a projection is a product from the left.
// CHECK: %[[ROWS:.*]] = tile.transpose %{{.*}} : tensor<32x64xf32> -> tensor<64x32xf32>
// CHECK: %[[Y:.*]] = tile.accumulate %{{.*}}, %{{.*}}, %[[ROWS]] : tensor<64x32xf32>, tensor<64x64xf32>, tensor<64x32xf32>
// CHECK: %[[MAX:.*]] = tile.reduce max %[[Y]] along 0 : tensor<64x32xf32> -> tensor<32xf32>
// CHECK: %[[ROW:.*]] = tile.transpose %[[MAX]] : tensor<32xf32> -> tensor<1x32xf32>
// CHECK: %[[E:.*]] = tile.map %[[Y]], %[[ROW]]
// CHECK: math.exp
// CHECK: %[[SUM:.*]] = tile.reduce sum %[[E]] along 0
// CHECK: %[[PHI:.*]] = tile.map %{{.*}} at
// CHECK-NOT: math.exp
// CHECK: tile.yield
// Queries: tokens along the lanes.
// CHECK: tile.reduce max %{{.*}} along 1 : tensor<32x64xf32> -> tensor<32xf32>
// CHECK: tile.scores
// CHECK: %[[W:.*]] = tile.map
// CHECK: arith.select
// CHECK: tile.reduce sum %[[W]] along 1
// CHECK: arith.divf
// CHECK: arith.cmpf oeq
attn.recurrence @learned(%w: tensor<?x?x?xf32>) query(%x, %b, %h, %i, %c) {
  %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
  %m = attn.row_max %p
  %d = arith.subf %p, %m : f32
  %e = math.exp %d : f32
  %s = attn.row_sum %e
  %y = arith.divf %e, %s : f32
  attn.features %y
} key(%x, %b, %h, %i, %c) {
  %p = attn.project %x, %w[%h] : tensor<?x?x?xf32>
  %m = attn.row_max %p
  %d = arith.subf %p, %m : f32
  %e = math.exp %d : f32
  %s = attn.row_sum %e
  %y = arith.divf %e, %s : f32
  attn.features %y
} normalize sum
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %w: tensor<?x?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @learned, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = true, causal = true>>} {
  %o, %state, %sums = attn.linear @learned(%w : tensor<?x?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Several features of one keep to themselves: two states, no copies.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for {{.*}} -> (tensor<32x64xf32>, tensor<32x64xf32>)
// CHECK: %[[ONE:.*]] = tile.scores %{{.*}}, %[[X:[^#]+]]#0 : {{.*}} -> tensor<32x32xf32>
// CHECK: %[[XT:.*]] = tile.transpose %[[X]]#1
// CHECK: tile.accumulate %[[ONE]], %{{.*}}, %[[XT]]
attn.recurrence @both query(%x, %b, %h, %i, %c) {
  %m = arith.negf %x : f32
  attn.features %x, %m
} key(%x, %b, %h, %i, %c) {
  %m = arith.negf %x : f32
  attn.features %x, %m
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @both, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 128, sums = false, causal = true>>} {
  %o, %state = attn.linear @both() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// The delta rule: a triangular system gives what replaces the values.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %
// CHECK: %[[KEYS:.*]] = tile.load
// CHECK: tile.scores %[[KEYS]], %[[KEYS]]
// CHECK: %[[A:.*]] = tile.rescale
// CHECK: tile.scores %[[S]], %[[KEYS]]
// CHECK: %[[R:.*]] = tile.map
// CHECK: %[[U:.*]] = tile.solve %[[A]], %[[R]]
// CHECK: tile.accumulate %{{.*}}, %[[U]], upper %
// CHECK: tile.accumulate %[[S]], %[[U]], %[[KEYS]]
// CHECK-NOT: func.func @f_state
attn.recurrence @delta(%beta: tensor<?x?x?xf32>) delta(%b, %h, %i) {
  %t = attn.at %beta[%b, %h, %i] : tensor<?x?x?xf32>
  attn.delta %t
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @delta, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @delta(%g : tensor<?x?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// With a factor per feature the pairs of the system are walked, and the state is
// asked for keys with the factors up to them.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %
// CHECK: %[[FROM:.*]], %{{.*}}, %{{.*}} = tile.cumulate %[[FACTORS:.*]] :
// CHECK: %[[KEYS:.*]] = tile.load
// CHECK: %[[PAIRS:.*]] = tile.decayed_scores %[[KEYS]], %[[KEYS]], %[[FACTORS]]
// CHECK: %[[A:.*]] = tile.rescale %[[PAIRS]], %
// CHECK: %[[FADED:.*]] = arith.mulf %[[KEYS]], %[[FROM]]
// CHECK: tile.scores %[[S]], %[[FADED]]
// CHECK: tile.solve %[[A]], %
// CHECK-NOT: func.func @f_state
attn.recurrence @kda(%gate: tensor<?x?x?x?xf32>, %beta: f32) decay(%b, %h, %i, %c) {
  %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
  attn.decay %g
} delta(%b, %h, %i) {
  attn.delta %beta
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?x?xf32>, %t: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @kda, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @kda(%g, %t : tensor<?x?x?x?xf32>, f32) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// What is taken away before the state fades points along keys with the factors
// of their tokens. Values count as they are, and are what keys ask for beside the
// state; outputs and the state have a part of each.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for {{.*}} iter_args(%[[S:.*]] = %
// CHECK: %[[BEFORE:.*]], %[[TO:.*]], %{{.*}} = tile.cumulate %[[FACTORS:.*]] before :
// CHECK: %[[FROM:.*]] = arith.mulf %[[BEFORE]], %[[FACTORS]]
// CHECK: %[[KEYS:.*]] = tile.load
// CHECK: %[[KEYS_TO:.*]] = arith.mulf %[[KEYS]], %[[TO]]
// CHECK: %[[ERASED:.*]] = arith.mulf %[[KEYS]], %[[FACTORS]]
// CHECK: %[[ERASED_TO:.*]] = arith.mulf %[[KEYS_TO]], %[[FACTORS]]
// CHECK: %[[ASKING:.*]] = arith.mulf %[[KEYS]], %[[BEFORE]]
// CHECK: %[[WRITTEN:.*]] = tile.map
// CHECK: %[[VALUES:.*]] = tile.transpose %[[WRITTEN]]
// CHECK: %[[HELD:.*]] = tile.scores %[[ASKING]], %[[S]]
// CHECK: %[[PAIRS:.*]] = tile.decayed_scores %[[KEYS]], %[[KEYS]], %[[FACTORS]] before
// CHECK: %[[ALL:.*]] = tile.accumulate %[[HELD]], %[[PAIRS]], %[[VALUES]] where
// CHECK: tile.decayed_scores %[[KEYS]], %[[ERASED]], %[[FACTORS]] before
// CHECK: %[[TAKEN:.*]] = tile.solve
// CHECK: arith.mulf %[[X:.*]], %[[FROM]]
// CHECK: tile.decayed_scores %[[X]], %[[KEYS]], %[[FACTORS]] :
// CHECK: %[[OF_VALUES:.*]] = tile.accumulate %{{.*}}, %[[WRITTEN]], upper
// CHECK: %[[LOST:.*]] = tile.decayed_scores %[[X]], %[[ERASED]], %[[FACTORS]] :
// CHECK: %[[LOST_T:.*]] = tile.transpose %[[LOST]]
// CHECK: tile.accumulate %[[OF_VALUES]], %[[TAKEN]], upper %[[LOST_T]]
// CHECK: %[[MORE:.*]] = tile.accumulate %{{.*}}, %[[WRITTEN]], %[[KEYS_TO]]
// CHECK: tile.accumulate %[[MORE]], %[[TAKEN]], %[[ERASED_TO]]
// CHECK-NOT: func.func @f_state
attn.recurrence @erase_first(%gate: tensor<?x?x?x?xf32>, %beta: f32) decay(%b, %h, %i, %c) {
  %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
  attn.decay %g
} delta(%b, %h, %i) {
  attn.delta %beta
} erase before decay
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?x?xf32>, %t: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @erase_first, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @erase_first(%g, %t : tensor<?x?x?x?xf32>, f32) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// Where all features fade alike there is one order: the system is the one of
// values that are replaced.

// CHECK-LABEL: func.func @f_task(
// CHECK-NOT: before
// CHECK: tile.scores %[[KEYS:.*]], %[[KEYS]]
// CHECK: tile.solve
// CHECK-NOT: tile.decayed_scores
// CHECK-LABEL: func.func @f_check(
attn.recurrence @alike(%gate: tensor<?x?x?x?xf32>, %beta: f32) decay(%b, %h, %i) {
  %zero = arith.constant 0 : index
  %g = attn.at %gate[%b, %h, %i, %zero] : tensor<?x?x?x?xf32>
  attn.decay %g
} delta(%b, %h, %i) {
  attn.delta %beta
} erase before decay
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?x?xf32>, %t: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @alike, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @alike(%g, %t : tensor<?x?x?x?xf32>, f32) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// A factor per feature; an expansion with a window.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for
// CHECK: %[[FROM:.*]], %[[TO:.*]], %[[TOTAL:.*]] = tile.cumulate %[[A:.*]] :
// CHECK: arith.mulf %{{.*}}, %[[TO]]
// CHECK: arith.mulf %[[X:.*]], %[[FROM]]
// CHECK: tile.decayed_scores %[[X]], %{{.*}}, %[[A]]
// CHECK-LABEL: func.func @f_state(
// CHECK: scf.for {{.*}} -> (tensor<32x64xf32>, tensor<64xf32>)
attn.recurrence @gla(%gate: tensor<?x?x?x?xf32>) decay(%b, %h, %i, %c) {
  %g = attn.at %gate[%b, %h, %i, %c] : tensor<?x?x?x?xf32>
  attn.decay %g
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %g: tensor<?x?x?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) attributes {tile.entry = #attn.entry<"f", @gla, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @gla(%g : tensor<?x?x?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}

// -----

// The first loop takes the keys that no query has in its window, the second the
// queries that have no other keys, the third goes on from there.

// CHECK-LABEL: func.func @f_task(
// CHECK: arith.subi
// CHECK: %[[EARLY:.*]] = arith.maxsi
// CHECK: %[[WITHOUT:.*]] = arith.minsi
// CHECK: scf.for
// CHECK: tile.expand %{{.*}} power 2 : tensor<32x16xf32> -> tensor<32x136xf32>
// CHECK-NOT: tile.store
// CHECK: scf.for
// CHECK: scf.for
// CHECK: attn.tiles <all(q - k in interval<0, p0>, k in interval<-inf, n>)>
// CHECK: tile.softmax_step
// CHECK: tile.store
// CHECK-NOT: func.func @f_state
// CHECK-LABEL: func.func @f_check(
// CHECK: arith.cmpi slt, %{{.*}}, %{{.*}} : index
attn.recurrence @near_and_far(%w: index) expand power 2 normalize sum window(%w)
func.func @f(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x32xf32>, %s: f32, %w: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @near_and_far, "cpu-avx2", qk = 16, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 136, sums = true, causal = true>>} {
  %o, %state, %sums = attn.linear @near_and_far(%w : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Where queries see every key, one loop makes the state and one the rows.

// CHECK-LABEL: func.func @f_task(
// CHECK: scf.for
// CHECK-NOT: tile.store
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: tile.accumulate
// CHECK: tile.store
attn.recurrence @all normalize magnitude bidirectional
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"f", @all, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 65, sums = true, causal = false>>} {
  %o, %state, %sums = attn.linear @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.recurrence @plain
// expected-error@+1 {{expected a kernel function that holds one 'attn.linear' and returns its results}}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %s: f32)
    -> tensor<?x?x?x32xf32> attributes {tile.entry = #attn.entry<"f", @plain, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 32, key_tile = 32, rows = 4, lanes = 8, unroll = 2>, state = <rows = 64, sums = false, causal = true>>} {
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o : tensor<?x?x?x32xf32>
}
