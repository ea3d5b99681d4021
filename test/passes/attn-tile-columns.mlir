// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Column sums and block maxima: a second sweep, one task for every tile of keys.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify --split-input-file --verify-diagnostics -o /dev/null

// The first sweep gives the row maxima in the units of the scores.
// CHECK-LABEL: func.func @f_task(
// CHECK-SAME: %[[MAX:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: index
// CHECK: %[[LOOP:.*]]:3 = tile.foreach
// CHECK: %[[LN2:.*]] = arith.constant 0.693147182 : f32
// CHECK: %[[M:.*]] = tile.scale %[[LOOP]]#1, %[[LN2]] : tensor<48xf32>
// CHECK: tile.store %[[M]], %[[MAX]]

// CHECK-LABEL: func.func @f_columns(
// CHECK-SAME: %[[B:[^:]+]]: index, %[[H:[^:]+]]: index, %[[TILE:[^:]+]]: index,
// CHECK-SAME: %[[LSE:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %[[SUMS:[^:]+]]: !attn.view<1xf32>, %[[BLOCKS:[^:]+]]: !attn.view<1xf32>, %[[ORIGIN:[^:]+]]: index
// CHECK-SAME: tile.kernel = "columns"
// CHECK: %[[K0:.*]] = arith.muli %[[TILE]]
// CHECK: scf.for %[[I:.*]] = %{{.*}} to
// CHECK: %[[ROW:.*]] = arith.muli %[[I]]
// CHECK: %[[Q0:.*]] = arith.addi %[[ROW]], %[[ORIGIN]]
// CHECK: %[[ROWS:.*]] = arith.minsi
// CHECK: %[[LIVE:.*]] = arith.cmpi ne
// CHECK: scf.if %[[LIVE]]
// CHECK: %[[S:.*]] = tile.scores
// CHECK: %[[BITS:.*]] = tile.bits {{.*}} queries(%[[Q0]]) keys(%[[K0]])
// CHECK: %[[L:.*]] = tile.load %[[LSE]][%[[B]], %[[H]], %[[ROW]]{{ ?}}] : <1xf32> -> tensor<48xf32>
// CHECK: %[[P:.*]] = tile.weights %[[S]], %[[L]] where %[[BITS]]
// CHECK: tile.add_columns %[[P]] rows %[[ROWS]], %[[SUMS]][%[[B]], %[[H]], %[[K0]]{{ ?}}]
// CHECK: tile.raise_blocks %[[P]] rows %[[ROWS]], %[[BLOCKS]][%[[B]], %[[H]]] at(%[[ROW]]{{ ?}}, %[[K0]]{{ ?}}) by 16 x 32
attn.pattern @p keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = true, column_sums = true, block_max = 16 by 32>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse, %max, %sums, %blocks = attn.attention @p() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    outputs <row_max = true, column_sums = true, block_max = 16 by 32>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  return %o, %lse, %max, %sums, %blocks : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
}

// -----

// Without a sum weights need no lse; those that are not kept are 0.
// CHECK-LABEL: func.func @f_columns(
// CHECK-NOT: tile.weights
// CHECK: %[[S:.*]] = tile.scores
// CHECK: %[[BITS:.*]] = tile.bits
// CHECK: %[[MASKED:.*]] = tile.mask %[[S]], %[[BITS]]
// CHECK: %[[P:.*]] = tile.modify %[[MASKED]]
// CHECK: arith.maximumf
// CHECK: tile.add_columns %[[P]]
// CHECK-NOT: tile.raise_blocks
attn.pattern @p keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize relu
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @p, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse, %sums = attn.attention @p() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    outputs <row_max = false, column_sums = true, block_max = 0 by 0>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %o, %lse, %sums : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
}

// -----

// Every source has sums of its own, and sweeps of its own over the same rows.
// CHECK-LABEL: func.func @f_columns(
// CHECK-SAME: %[[K0:[^:]+]]: !attn.view<64xf32>, %{{[^:]+}}: !attn.view<32xf32>, %[[K1:[^:]+]]: !attn.view<64xf32>, %{{[^:]+}}: !attn.view<32xf32>, %{{[^:]+}}: !attn.view<32xf32>,
// CHECK-SAME: %[[LSE:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %[[SUMS0:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %[[SUMS1:[^:]+]]: !attn.view<1xf32>, %{{[^:]+}}: !attn.view<1xf32>, %{{[^:]+}}: index, %{{[^:]+}}: f32, %[[SOURCE:[^:]+]]: index) attributes
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %[[SOURCE]], %{{.*}} : index
// CHECK: scf.if %[[FIRST]]
// CHECK: tile.load %[[K0]]
// CHECK: tile.load %[[LSE]]
// CHECK: tile.add_columns %{{.*}}, %[[SUMS0]][
// CHECK: %[[SECOND:.*]] = arith.cmpi eq, %[[SOURCE]], %{{.*}} : index
// CHECK: scf.if %[[SECOND]]
// CHECK: tile.load %[[K1]]
// CHECK: tile.load %[[LSE]]
// CHECK: tile.add_columns %{{.*}}, %[[SUMS1]][
attn.pattern @a keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.combine @twice [@a, @a]
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>, %k1: tensor<?x?x?x64xf32>, %v1: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @twice, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = true, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse, %sums, %sums1 = attn.attention @twice() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    and k(%k1 : tensor<?x?x?x64xf32>) v(%v1 : tensor<?x?x?x32xf32>)
    outputs <row_max = false, column_sums = true, block_max = 0 by 0>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %o, %lse, %sums, %sums1 : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
}
