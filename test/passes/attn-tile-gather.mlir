// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Isolated columns of a run-time list are gathered where no other part of the
// pattern visits their key tile.
//
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --cse --split-input-file --verify-diagnostics | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern --attn-tile --attn-expand-tiles --tile-simplify --split-input-file --verify-diagnostics -o /dev/null

// CHECK-LABEL: func.func @f_task(
// CHECK: %[[N:.*]] = tile.dim position
// What is left without the list; the bits are those of the whole pattern.
// CHECK: attn.tiles <all(q - k in interval<0, inf>, q - k in p1[b, h], k in interval<-inf, n>)>
// CHECK: %[[LIVE:.*]]:3 = tile.foreach
// CHECK: tile.bits <all(q - k in interval<0, inf>, any(k in p0[b, h], q - k in p1[b, h]), k in interval<-inf, n>)>
// CHECK: %[[ALL:.*]] = attn.rank %[[COLS:.*]][%[[B:.*]], %[[H:.*]]] below %[[N]]
// CHECK: scf.while (%{{.*}} = %{{.*}}, %{{.*}} = %[[LIVE]]#0, %{{.*}} = %[[LIVE]]#1, %{{.*}} = %[[LIVE]]#2)
// Columns in live tiles are skipped, so that no tile is built for them alone.
// CHECK: %[[SKIP:.*]]:2 = scf.while
// CHECK: attn.member
// CHECK: attn.probe %{{.*}}[%[[B]] : %[[H]] to %[[H]]]
// CHECK: attn.rank %[[COLS]][%[[B]], %[[H]]] below
// CHECK: arith.cmpi slt, %[[SKIP]]#0, %[[ALL]]
// CHECK: do
// CHECK: ^bb0(%[[CURSOR:.*]]: index,
// CHECK: %[[P:.*]], %[[NEXT:.*]] = tile.collect %[[COLS]][%[[B]], %[[H]]] from %[[CURSOR]] below %[[N]] tile 64
// CHECK: attn.probe
// CHECK: tile.yield %{{.*}}, %{{.*}} : i1, index
// CHECK: tile.load %{{.*}}, %[[P]] : tensor<64xindex>] : <64xf16> -> tensor<64x64xf32>
// CHECK: tile.bits {{.*}} listed(%[[P]] : tensor<64xindex>) of %[[N]]
// CHECK: tile.softmax_step
// CHECK: scf.yield %[[NEXT]]

// CHECK-LABEL: func.func @f_count(
// CHECK: tile.foreach
// CHECK: tile.collect

// Both lists have rows for every batch and head.
// CHECK-LABEL: func.func @f_check(
// CHECK: attn.extent 0 of %[[C:.*]] : !attn.set
// CHECK: attn.extent 1 of %[[C]] : !attn.set
// CHECK: attn.extent 0 of %[[D:.*]] : !attn.set
// CHECK: attn.extent 1 of %[[D]] : !attn.set
attn.pattern @vertical_slash(%cols: !attn.set, %diags: !attn.set) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %column = attn.in %k, %cols[%b, %h]
  %slash = attn.in %d, %diags[%b, %h]
  %either = arith.ori %column, %slash : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
func.func @f(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>, %v: tensor<?x?x?x32xf16>,
                %s: f32, %origin: tensor<?xindex>, %p0: !attn.set, %p1: !attn.set)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @vertical_slash, "cpu-avx2", qk = 64, v = 32, types = f16 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @vertical_slash(%p0, %p1 : !attn.set, !attn.set) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x32xf16>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Rows of a list are gathered one by one, for the queries that have that row.
// Nothing but the list keeps a key, so there is no other loop.
// CHECK-LABEL: func.func @f_task(
// CHECK-NOT: tile.foreach
// CHECK: scf.for %[[ROW:.*]] = %{{.*}} to
// CHECK: attn.rank %[[ROWS:.*]][%[[B:.*]], %[[ROW]]] below
// CHECK: tile.collect %[[ROWS]][%[[B]], %[[ROW]]]
// CHECK: tile.bits <all(k in p0[b, q floordiv 64], k in interval<-inf, n>, q floordiv 64 in interval<p1, p1 + 1>)>
// CHECK-SAME: params(%[[ROWS]], %[[ROW]] : !attn.set, index)
attn.pattern @rows(%rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %r = arith.floordivsi %q, %c64 : index
  %kept = attn.in %k, %rows[%b, %r]
  attn.keep %kept
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: !attn.set)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @rows, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @rows(%p0 : !attn.set) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A list of its own for every query is not gathered.
// CHECK-LABEL: func.func @f_task(
// CHECK: tile.foreach
// CHECK-NOT: tile.collect
attn.pattern @top(%top: !attn.set) keep(%b, %h, %q, %k) {
  %kept = attn.in %k, %top[%q]
  attn.keep %kept
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: !attn.set)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @top, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @top(%p0 : !attn.set) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Nor is one that takes keys away.
// CHECK-LABEL: func.func @f_task(
// CHECK: tile.foreach
// CHECK-NOT: tile.collect
attn.pattern @pruned(%dead: !attn.set) keep(%b, %h, %q, %k) {
  %true = arith.constant true
  %gone = attn.in %k, %dead[]
  %kept = arith.xori %gone, %true : i1
  attn.keep %kept
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: !attn.set)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @pruned, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @pruned(%p0 : !attn.set) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// Nor one beside ids of keys: which tiles those keep alive is known only on the
// way through them.
// CHECK-LABEL: func.func @f_task(
// CHECK: tile.foreach
// CHECK-NOT: tile.collect
attn.pattern @ids(%cols: !attn.set, %doc: tensor<?xindex>) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%q] : tensor<?xindex>
  %j = attn.at %doc[%k] : tensor<?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %listed = attn.in %k, %cols[%h]
  %kept = arith.ori %same, %listed : i1
  attn.keep %kept
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x32xf32>,
                %s: f32, %origin: tensor<?xindex>, %p0: !attn.set, %p1: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {tile.entry = #attn.entry<"mine", @ids, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 2>>} {
  %o, %lse = attn.attention @ids(%p0, %p1 : !attn.set, tensor<?xindex>) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
