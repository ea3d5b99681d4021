// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What the clauses of a pattern put into its kernel.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify --split-input-file --verify-diagnostics -o /dev/null

// A score region: the scores are in their own units before it, and in units of
// log2 behind it. What the region calls the number of keys is one more parameter,
// a remainder is written out. The factor changes weights, not their sum.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %{{[^:]+}}: index, %[[SCALE:[^:]+]]: f32, %[[SLOPE:[^:]+]]: tensor<?xf32>) attributes
// CHECK: %[[N:.*]] = tile.dim position
// CHECK: tile.scale %{{.*}}, %[[SCALE]] : tensor<48x64xf32>
// CHECK: tile.foreach
// CHECK: %[[S:.*]] = tile.scores
// CHECK: %[[NEW:.*]]:2 = tile.modify %[[S]] {{.*}} params(%[[SLOPE]], %[[N]] : tensor<?xf32>, index)
// CHECK: ^bb0(%[[X:.*]]: f32, %{{.*}}: index, %[[H:.*]]: index, %[[Q:.*]]: index, %[[K:.*]]: index, %[[T:.*]]: tensor<?xf32>, %[[KEYS:.*]]: index):
// CHECK: %[[M:.*]] = attn.at %[[T]][%[[H]]]
// CHECK: %[[D:.*]] = arith.subi %[[Q]], %[[K]]
// CHECK: %[[R:.*]] = arith.andi %[[D]], %{{.*}} : index
// CHECK: arith.addi %[[R]], %[[KEYS]]
// CHECK: tile.yield %{{.*}}, %[[M]] : f32, f32
// CHECK: %[[LOG2E:.*]] = arith.constant 1.44269502 : f32
// CHECK: %[[SCALED:.*]] = tile.scale %[[NEW]]#0, %[[LOG2E]] : tensor<48x64xf32>
// CHECK: tile.mask %[[SCALED]]
// CHECK: %[[P:.*]], %{{.*}}, %{{.*}}, %{{.*}} = tile.softmax_step
// CHECK: %[[W:.*]] = arith.mulf %[[P]], %[[NEW]]#1 : tensor<48x64xf32>
// CHECK: tile.accumulate %{{.*}}, %[[W]]
attn.pattern @p(%slope: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %q, %k : index
  %r = attn.mod %d, 8
  %n = attn.num_keys
  %e = arith.addi %r, %n : index
  %i = arith.index_cast %e : index to i32
  %x = arith.sitofp %i : i32 to f32
  %y = arith.mulf %m, %x : f32
  %z = arith.addf %s, %y : f32
  attn.score %z factor %m
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0 : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A normaliser without a sum: neither maximum nor sum nor rescaling, and nothing
// for lse. The weight is the end of the score region.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[LSE:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: index
// CHECK-NOT: 0xFF800000
// CHECK-NOT: tile.softmax_step
// CHECK-NOT: tile.rescale
// CHECK-NOT: tile.mask
// CHECK-NOT: tile.finish
// CHECK: %[[NEW:.*]]:2 = tile.modify
// CHECK: %[[S:.*]] = arith.addf
// CHECK: %[[MINUS:.*]] = arith.negf %[[S]]
// CHECK: %[[E:.*]] = math.exp %[[MINUS]]
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[E]]
// CHECK: %[[Y:.*]] = arith.divf %{{.*}}, %[[SUM]]
// CHECK: tile.yield %[[Y]], %{{.*}} : f32, f32
// CHECK: %[[W:.*]] = arith.mulf %[[NEW]]#0, %[[NEW]]#1
// CHECK: tile.accumulate %{{.*}}, %[[W]], %{{.*}} where
// CHECK-NOT: %[[LSE]]
// CHECK-LABEL: func.func @f_count(
attn.pattern @p(%slope: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %m = attn.at %slope[%h] : tensor<?xf32>
  %d = arith.subi %q, %k : index
  %r = attn.mod %d, 8
  %n = attn.num_keys
  %e = arith.addi %r, %n : index
  %i = arith.index_cast %e : index to i32
  %x = arith.sitofp %i : i32 to f32
  %y = arith.mulf %m, %x : f32
  %z = arith.addf %s, %y : f32
  attn.score %z factor %m
} normalize sigmoid
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0 : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Scores that are weights need no region at all.
// CHECK-LABEL: func.func @f_task(
// CHECK-NOT: tile.modify
// CHECK-NOT: tile.softmax_step
// CHECK: %[[S:.*]] = tile.scores
// CHECK: tile.accumulate %{{.*}}, %[[S]]
attn.pattern @p keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize identity
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// The largest score of a normaliser that needs none is kept beside the rest.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %{{[^:]+}}: !attn.view<32xf32>, %{{[^:]+}}: !attn.view<1xf32>, %[[MAX:[^:]+]]: !attn.view<1xf32>
// CHECK: %[[LOOP:.*]]:2 = tile.foreach
// CHECK: %[[S:.*]] = tile.scores
// CHECK: %[[W:.*]] = tile.modify %[[S]]
// CHECK: %[[MASKED:.*]] = tile.mask %[[S]]
// CHECK: %{{.*}}, %[[LARGEST:.*]], %{{.*}}, %{{.*}} = tile.softmax_step %[[MASKED]]
// CHECK: %[[O:.*]] = tile.accumulate %{{.*}}, %[[W]]
// CHECK: tile.yield %[[O]], %[[LARGEST]]
// CHECK: tile.store %[[LOOP]]#1, %[[MAX]]
attn.pattern @p keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize relu2
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = true, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse, %max = attn.attention @p() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    outputs <row_max = true, column_sums = false, block_max = 0 by 0>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %o, %lse, %max : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
}

// -----

// A sink is a key without a value: a column of its own, after all others.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %{{[^:]+}}: index, %[[H:[^:]+]]: index, {{.*}} %[[SINK:[^:]+]]: tensor<?xf32>) attributes
// CHECK: %[[NONE:.*]] = tile.fill 0xFF800000 : tensor<48xf32>
// CHECK: %[[ZERO:.*]] = tile.fill 0.000000e+00 : tensor<48xf32>
// CHECK: %[[ALL:.*]]:3 = tile.foreach %{{.*}} init(%{{.*}}, %[[NONE]], %[[ZERO]] :
// CHECK: %[[COLUMN:.*]] = tile.modify %{{.*}} at(%{{.*}}, %[[H]]) queries(%{{.*}}) keys(%{{.*}}) params(%[[SINK]] :
// CHECK: attn.at %{{.*}}[%{{.*}}]
// CHECK: %{{.*}}, %{{.*}}, %{{.*}}, %[[ALPHA:.*]] = tile.softmax_step %[[COLUMN]], %[[ALL]]#1, %[[ALL]]#2
// CHECK: tile.rescale %[[ALL]]#0, %[[ALPHA]]

// CHECK-LABEL: func.func @f_check(
// CHECK: %[[HEADS:.*]] = tile.dim head
// CHECK: %[[LAST:.*]] = arith.subi %[[HEADS]]
// CHECK: %[[ROWS:.*]] = attn.extent 0
// CHECK: arith.cmpi sle, %[[ROWS]], %[[LAST]]
attn.pattern @p(%sink: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize softmax sink(%sink)
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0 : tensor<?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A group of keys is a tile, and its landmark speaks for it.
// CHECK-LABEL: func.func @f_task(
// CHECK: attn.tiles {{.*}} at(%{{.*}}, %{{.*}}, %[[Q0:.*]]) keys
// CHECK: ^bb0(%[[K0:.*]]: index, %{{.*}}: i32,
// CHECK-NOT: tile.mask
// CHECK: %[[S:.*]] = tile.regroup %{{.*}}, %{{.*}} at(%[[Q0]], %[[K0]])
// CHECK: tile.softmax_step %[[S]]
attn.pattern @p keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize grouped 64
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Positions of queries are absolute, those of keys are their rows.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[COS:[^:]+]]: tensor<?x?xf32>, %[[SIN:[^:]+]]: tensor<?x?xf32>) attributes
// CHECK: %[[Q0:.*]] = arith.addi
// CHECK: %[[Q:.*]] = tile.load
// CHECK: tile.rotate %[[Q]] at %[[Q0]] : index by(%[[COS]], %[[SIN]])
// CHECK: ^bb0(%[[K0:.*]]: index, %{{.*}}: i32,
// CHECK: %[[K:.*]] = tile.load
// CHECK: %[[R:.*]] = tile.rotate %[[K]] at %[[K0]] : index by(%[[COS]], %[[SIN]])
// CHECK: tile.scores %{{.*}}, %[[R]]

// Two tables, each with an axis of positions and one of feature pairs.
// CHECK-LABEL: func.func @f_check(
// CHECK-COUNT-4: attn.extent
attn.pattern @p(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} rotate(%cos, %sin)
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?x?xf32>, %p1: tensor<?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @p(%p0, %p1 : tensor<?x?xf32>, tensor<?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @p(%cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} rotate(%cos, %sin)
func.func @f(%q: tensor<?x?x?x63xf32>, %k: tensor<?x?x?x63xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: tensor<?x?xf32>, %p1: tensor<?x?xf32>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 63, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  // expected-error @below {{has head dim 63; expected an even one for the rotation of pattern 'p'}}
  %o, %lse = attn.attention @p(%p0, %p1 : tensor<?x?xf32>, tensor<?x?xf32>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x63xf32>, tensor<?x?x?x63xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Sources follow one another with one state; each has its own pattern, and
// parameters of one name are one.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[K0:[^:]+]]: !attn.view<64xf32>, %[[V0:[^:]+]]: !attn.view<32xf32>, %[[K1:[^:]+]]: !attn.view<64xf32>, %[[V1:[^:]+]]: !attn.view<32xf32>, %[[O:[^:]+]]: !attn.view<32xf32>
// CHECK-SAME: %[[W:[^:]+]]: index, %[[TAU:[^:]+]]: f32) attributes
// CHECK: %[[N0:.*]] = tile.dim position of %[[K0]]
// CHECK: %[[N1:.*]] = tile.dim position of %[[K1]]
// CHECK: attn.tiles <all(q - k in interval<0, p0>, k in interval<-inf, n>)> at({{.*}}) keys(%[[N0]]) params(%[[W]] : index)
// CHECK: %[[FIRST:.*]]:3 = tile.foreach
// CHECK: tile.load %[[K0]]
// CHECK: attn.tiles <all(q in interval<p1, inf>, k in interval<-inf, n>)> at({{.*}}) keys(%[[N1]]) params(%[[TAU]], %[[W]] : f32, index)
// CHECK: %[[BOTH:.*]]:3 = tile.foreach %{{.*}} init(%[[FIRST]]#0, %[[FIRST]]#1, %[[FIRST]]#2 :
// CHECK: tile.load %[[K1]]
// CHECK: tile.modify {{.*}} params(%[[TAU]], %[[W]], %[[N1]] : f32, index, index)
// CHECK: tile.load %[[V1]]
// CHECK: tile.finish %[[BOTH]]#0, %[[BOTH]]#1, %[[BOTH]]#2
attn.pattern @window(%w: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %w : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}
attn.pattern @prefix(%tau: f32, %w: index) keep(%b, %h, %q, %k) {
  %late = arith.cmpi sge, %q, %w : index
  attn.keep %late
} score(%s, %b, %h, %q, %k) {
  %y = arith.mulf %s, %tau : f32
  attn.score %y
}
attn.combine @both [@window, @prefix]
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %k1: tensor<?x?x?x64xf32>, %v1: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: index, %p1: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @both, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @both(%p0, %p1 : index, f32) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    and k(%k1 : tensor<?x?x?x64xf32>) v(%v1 : tensor<?x?x?x32xf32>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
