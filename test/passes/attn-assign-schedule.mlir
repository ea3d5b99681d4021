// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Names, levels and sizes of kernels.
//
// RUN: heddle-opt %s --attn-assign-schedule=level=cpu-baseline --split-input-file --verify-diagnostics | FileCheck %s

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}

// Name and level of the attributes, sizes of the target.
// CHECK-LABEL: func.func @named
// CHECK-NOT: attn.level
// CHECK-SAME: tile.entry = #attn.entry<"mine", @causal, "cpu-avx2", qk = 64, v = 32, <query_tile = {{[0-9]+}}, key_tile = {{[0-9]+}}, rows = {{[0-9]+}}, lanes = 8, unroll = {{[0-9]+}}>>
func.func @named(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {attn.kernel = "mine", attn.level = "cpu-avx2"} {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// The function's name and the level of the option.
// CHECK-LABEL: func.func @plain
// CHECK-SAME: tile.entry = #attn.entry<"plain", @causal, "cpu-baseline", qk = 64, v = 32, <{{.*}}lanes = 4
func.func @plain(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// A schedule of the operation wins, and moves to the function.
// CHECK-LABEL: func.func @scheduled
// CHECK-SAME: <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 2>
// CHECK-NOT: schedule
// CHECK: return
func.func @scheduled(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    schedule <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 2>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
// expected-error @below {{expected the name of a target level, found 'cpu-none'}}
func.func @unknown_level(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) attributes {attn.level = "cpu-none"} {
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @causal keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
}
func.func @unbuildable(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  // expected-error @below {{has a schedule that level 'cpu-baseline' can't build: }}
  %o, %lse = attn.attention @causal() q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    schedule <query_tile = 15, key_tile = 32, rows = 4, lanes = 5, unroll = 2>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}
