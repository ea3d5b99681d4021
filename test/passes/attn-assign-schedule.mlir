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
// CHECK-SAME: tile.entry = #attn.entry<"mine", @causal, "cpu-avx2", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = {{[0-9]+}}, key_tile = {{[0-9]+}}, rows = {{[0-9]+}}, lanes = 8, unroll = {{[0-9]+}}>>
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
// CHECK-SAME: tile.entry = #attn.entry<"plain", @causal, "cpu-baseline", qk = 64, v = 32, types = f32 to f32, <row_max = false, column_sums = false, block_max = 0 by 0>, <{{.*}}lanes = 4
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

// -----

// On a token grid there are boxes, and the tiles are their products. Types and
// outputs are those of the operation.
// CHECK-LABEL: func.func @boxes
// CHECK-SAME: types = f16 to f32, <row_max = true, column_sums = false, block_max = 0 by 0>, <query_tile = [[Q:[0-9]+]], {{.*}}, query_box = [{{[0-9]+}}, {{[0-9]+}}], key_box = [{{[0-9]+}}, {{[0-9]+}}]>
attn.pattern @grid(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %d = arith.subi %qy, %ky : index
  %near = attn.in %d, #attn.interval<0, 2>
  attn.keep %near
}
func.func @boxes(%q: tensor<?x?x?x64xf16>, %k: tensor<?x?x?x64xf16>,
                %v: tensor<?x?x?x32xf16>, %s: f32, %H: index, %W: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>) {
  %o, %lse, %max = attn.attention @grid(%H, %W : index, index) q(%q) k(%k) v(%v) scale(%s)
    outputs <row_max = true, column_sums = false, block_max = 0 by 0>
    : tensor<?x?x?x64xf16>, tensor<?x?x?x64xf16>, tensor<?x?x?x32xf16>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %o, %lse, %max : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @grid(%H: index, %W: index) grid(%H x %W)
    keep(%b, %h, %qy, %qx, %ky, %kx) {
  %d = arith.subi %qy, %ky : index
  %near = attn.in %d, #attn.interval<0, 2>
  attn.keep %near
}
func.func @no_boxes(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32, %H: index, %W: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  // expected-error @below {{has a schedule that level 'cpu-baseline' can't build: its boxes have 0 axes, expected the 2 of the pattern's token grid}}
  %o, %lse = attn.attention @grid(%H, %W : index, index) q(%q) k(%k) v(%v) scale(%s)
    schedule <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 2>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// The key tile of a grouped normaliser is a group.
// CHECK-LABEL: func.func @grouped
// CHECK-SAME: key_tile = 48
attn.pattern @landmarks keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize grouped 48
func.func @grouped(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  %o, %lse = attn.attention @landmarks() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @landmarks keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} normalize grouped 48
func.func @cut_group(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  // expected-error @below {{'key_tile' is 32, expected the 48 keys of a group}}
  %o, %lse = attn.attention @landmarks() q(%q) k(%k) v(%v) scale(%s)
    schedule <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 2>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

// A task has the columns of a block to itself: the tile follows the block where it
// would cut it.
// CHECK-LABEL: func.func @blocks
// CHECK-SAME: block_max = 16 by 96>, <query_tile = {{[0-9]+}}, key_tile = 96
attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
func.func @blocks(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>) {
  %o, %lse, %max = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    outputs <row_max = false, column_sums = false, block_max = 16 by 96>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  return %o, %lse, %max : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
func.func @cut_block(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>) {
  // expected-error @below {{'key_tile' is 32, expected a multiple of the 24 columns of a block}}
  %o, %lse, %max = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    outputs <row_max = false, column_sums = false, block_max = 16 by 24>
    schedule <query_tile = 16, key_tile = 32, rows = 4, lanes = 4, unroll = 2>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
  return %o, %lse, %max : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>, tensor<?x?x?x?xf32>
}

// -----

// Linear attention: chunks of one length, and what the state is like.

attn.recurrence @sums expand power 2 normalize magnitude bidirectional
// CHECK-LABEL: func.func @linear
// CHECK-SAME: tile.entry = #attn.entry<"linear", @sums, "cpu-baseline", qk = 16, v = 32, types = bf16 to bf16, <row_max = false, column_sums = false, block_max = 0 by 0>, <query_tile = [[N:[0-9]+]], key_tile = [[N]], {{.*}}>, state = <rows = 137, sums = true, causal = false>>
func.func @linear(%q: tensor<?x?x?x16xbf16>, %k: tensor<?x?x?x16xbf16>, %v: tensor<?x?x?x32xbf16>, %s: f32)
    -> (tensor<?x?x?x32xbf16>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  %o, %state, %sums = attn.linear @sums() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x16xbf16>, tensor<?x?x?x16xbf16>, tensor<?x?x?x32xbf16>
    -> tensor<?x?x?x32xbf16>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %state, %sums : tensor<?x?x?x32xbf16>, tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// -----

attn.recurrence @plain
func.func @uneven(%q: tensor<?x?x?x16xf32>, %k: tensor<?x?x?x16xf32>, %v: tensor<?x?x?x32xf32>, %s: f32)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>) {
  // expected-error@+1 {{has a schedule that level 'cpu-baseline' can't build: 'query_tile' is 32 and 'key_tile' 64, expected one length for the chunks of a recurrence}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s) schedule <query_tile = 32, key_tile = 64, rows = 4, lanes = 4, unroll = 2>
    : tensor<?x?x?x16xf32>, tensor<?x?x?x16xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
  return %o, %state : tensor<?x?x?x32xf32>, tensor<?x?x?x32xf32>
}
