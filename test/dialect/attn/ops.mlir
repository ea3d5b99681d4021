// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Every operation, attribute and type of the dialect in its own syntax, read,
// printed, and read again, in the generic form too.
//
// RUN: heddle-opt %s | FileCheck %s
// RUN: heddle-opt %s | heddle-opt | FileCheck %s
// RUN: heddle-opt %s --mlir-print-op-generic | heddle-opt | FileCheck %s

// CHECK-LABEL: attn.pattern @no_parameter keep(%b, %h, %q, %k) {
attn.pattern @no_parameter keep(%batch, %head, %query, %key) {
  // CHECK: %[[N:.*]] = attn.num_keys
  %n = attn.num_keys
  // CHECK: %[[M:.*]] = attn.mod %k, 64
  %m = attn.mod %key, 64
  // CHECK: attn.in %[[M]], #attn.interval<0, 16>
  %0 = attn.in %m, #attn.interval<0, 16>
  // CHECK: attn.in %k, #attn.interval<-inf, 7>
  %1 = attn.in %key, #attn.interval<-inf, 7>
  // CHECK: attn.in %k, #attn.interval<-7, inf>
  %2 = attn.in %key, #attn.interval<-7, inf>
  // CHECK: attn.in %k, #attn.interval<-inf, inf>
  %3 = attn.in %key, #attn.interval<-inf, inf>
  // CHECK: attn.in %k, #attn.residue<3, 8>
  %4 = attn.in %key, #attn.residue<3, 8>
  // CHECK: attn.in %k, #attn.pow2
  %5 = attn.in %key, #attn.pow2
  // CHECK: attn.keep
  attn.keep %5
}

// CHECK-LABEL: attn.pattern @parameters(%sink: index = 4, %shift: index = -3, %window: index) keep(%b, %h, %q, %k)
// CHECK-SAME: formula #attn.formula<all(q - k in interval<max(0, p1), p2>, q * 2 - k in interval<max(-n + 1, -p0 + 1), inf>, k in interval<b + 3, inf>, q - k not in pow2, k in residue<0, 4>, k floordiv 64 in residue<1, 2>)>
// CHECK-SAME: attributes {note = "any other attribute"} {
attn.pattern @parameters(%sink: index = 4, %shift: index = -3, %window: index)
    keep(%b, %h, %q, %k)
    formula #attn.formula<all(q - k in interval<max(p1, 0), p2>, k - 2 * q in interval<-inf, min(p0, n)>, k in interval<b + 3, inf>, q - k not in pow2, k in residue<0, 4>, (k floordiv 64) in residue<1, 2>)>
    attributes {note = "any other attribute"} {
  %any = arith.constant true
  attn.keep %any
}

// CHECK: attn.pattern @everything keep(%b, %h, %q, %k) formula #attn.formula<true>
attn.pattern @everything keep(%b, %h, %q, %k) formula #attn.formula<true> {
  %any = arith.constant true
  attn.keep %any
}

// CHECK-LABEL: func.func @dynamic
func.func @dynamic(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>,
                   %v: tensor<?x?x?x32xf32>, %s: f32, %origin: tensor<?xindex>,
                   %a: index, %b: index, %c: index)
    -> (tensor<?x?x?x32xf32>, tensor<?x?x?xf32>) {
  // CHECK: attn.attention @parameters(%{{.*}}, %{{.*}}, %{{.*}} : index, index, index) q(%{{.*}}) k(%{{.*}}) v(%{{.*}}) scale(%{{.*}}) origin(%{{.*}} : tensor<?xindex>)
  // CHECK-SAME: schedule <query_tile = 48, key_tile = 64, rows = 4, lanes = 16, unroll = 4>
  // CHECK-SAME: : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32> -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  %o, %lse = attn.attention @parameters(%a, %b, %c : index, index, index) q(%q) k(%k) v(%v) scale(%s)
    origin(%origin : tensor<?xindex>)
    schedule <query_tile = 48, key_tile = 64, rows = 4, lanes = 16, unroll = 4>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x32xf32>
    -> tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
  return %o, %lse : tensor<?x?x?x32xf32>, tensor<?x?x?xf32>
}

// CHECK-LABEL: func.func @static
func.func @static(%q: tensor<2x8x10x64xf32>, %k: tensor<2x2x20x64xf32>,
                  %v: tensor<2x2x20x64xf32>, %s: f32) {
  // CHECK: attn.attention @everything() q(%{{.*}}) k(%{{.*}}) v(%{{.*}}) scale(%{{.*}}) : tensor<2x8x10x64xf32>
  %o, %lse = attn.attention @everything() q(%q) k(%k) v(%v) scale(%s)
    : tensor<2x8x10x64xf32>, tensor<2x2x20x64xf32>, tensor<2x2x20x64xf32>
    -> tensor<2x8x10x64xf32>, tensor<2x8x10xf32>
  return
}

// CHECK-LABEL: func.func @tiles
// CHECK-SAME: !attn.view<64xf32>
func.func @tiles(%b: index, %h: index, %q0: index, %n: index, %w: index,
                 %view: !attn.view<64xf32>) -> !attn.tiles {
  // CHECK: attn.tiles <q - k in interval<0, p0>> at(%{{.*}}, %{{.*}}, %{{.*}}) keys(%{{.*}}) params(%{{.*}} : index) tile 48 x 64
  %t = attn.tiles #attn.formula<q - k in interval<0, p0>> at(%b, %h, %q0)
    keys(%n) params(%w : index) tile 48 x 64
  return %t : !attn.tiles
}

// CHECK: module @entry attributes {tile.entry = #attn.entry<"kernel", @parameters, "cpu-avx2", qk = 64, v = 32, types = f16 to f32, <row_max = true, column_sums = false, block_max = 64 by 32>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 4>>}
module @entry attributes {tile.entry = #attn.entry<"kernel", @parameters, "cpu-avx2", qk = 64, v = 32, types = f16 to f32, <row_max = true, column_sums = false, block_max = 64 by 32>, <query_tile = 48, key_tile = 64, rows = 4, lanes = 8, unroll = 4>>} {
}

// CHECK-LABEL: attn.pattern @operands(%cols: !attn.set, %doc: tensor<?x?xindex>, %cap: f32 = 3.000000e+01, %cos: tensor<?x?xf32>, %sin: tensor<?x?xf32>, %sink: tensor<?xf32>) keep(%b, %h, %q, %k) formula #attn.formula<all(p1[b, q] - p1[b, k] in interval<0, 1>, k in p0[b, h], q - k not in p0[b, p1[b, k floordiv 2] + 1])>
attn.pattern @operands(%cols: !attn.set, %doc: tensor<?x?xindex>,
                       %cap: f32 = 3.0e+01, %cos: tensor<?x?xf32>,
                       %sin: tensor<?x?xf32>, %sink: tensor<?xf32>)
    keep(%batch, %head, %query, %key)
    formula #attn.formula<all(p1[b, k] - p1[b, q] in interval<0, 1>, k in p0[b, h], q - k not in p0[b, 1 + p1[b, k floordiv 2]])> {
  // CHECK: attn.at %doc[%b, %q] : tensor<?x?xindex>
  %i = attn.at %doc[%batch, %query] : tensor<?x?xindex>
  // CHECK: attn.in %k, %cols[%b, %h]
  %in = attn.in %key, %cols[%batch, %head]
  // CHECK: attn.apply @everything() at(%b, %h, %q, %k)
  %all = attn.apply @everything() at(%batch, %head, %query, %key)
  // CHECK: attn.require %{{.*}}, "no \22keys\22"
  attn.require %all, "no \"keys\""
  attn.keep %in
// CHECK: } score(%s, %b, %h, %q, %k) {
} score(%x, %batch, %head, %query, %key) {
  // CHECK: %[[Y:.*]] = arith.divf %s, %cap : f32
  %y = arith.divf %x, %cap : f32
  // CHECK: attn.score %[[Y]] factor %s
  attn.score %y factor %x
// CHECK: } normalize softmax sink(%sink) rotate(%cos, %sin)
} normalize softmax sink(%sink) rotate(%cos, %sin)

// CHECK: attn.pattern @volume(%T: index, %H: index, %W: index, %t: index, %y: index, %x: index) grid(%T x %H x %W) keys(%t x %y x %x) keep(%b, %h, %qz, %qy, %qx, %kz, %ky, %kx) formula #attn.formula<all(q2 - k2 in interval<0, 4>, q1 - k1 in interval<0, 4>)>
attn.pattern @volume(%T: index, %H: index, %W: index, %t: index, %y: index, %x: index)
    grid(%T x %H x %W) keys(%t x %y x %x)
    keep(%b, %h, %qz, %qy, %qx, %kz, %ky, %kx)
    formula #attn.formula<all(q2 - k2 in interval<0, 4>, q1 - k1 in interval<0, 4>)> {
  %any = arith.constant true
  attn.keep %any
// CHECK: } normalize grouped 64
} normalize grouped 64

// CHECK: attn.combine @both [@no_parameter, @everything]
attn.combine @both [@no_parameter, @everything]

// CHECK: module @more attributes {attn.x = #attn.list<p1[b, h]>, attn.y = #attn.read<p0[b, q floordiv 64]>}
module @more attributes {attn.x = #attn.list<p1[b, h]>, attn.y = #attn.read<p0[b, q floordiv 64]>} {
}

// CHECK-LABEL: func.func @merge
func.func @merge(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>,
                 %o1: tensor<2x8x?x64xf16>, %l1: tensor<2x8x?xf32>)
    -> (tensor<?x8x?x64xbf16>, tensor<?x8x?xf32>) {
  // CHECK: attn.merge o(%{{.*}}, %{{.*}} : tensor<?x8x?x64xf32>, tensor<2x8x?x64xf16>) lse(%{{.*}}, %{{.*}} : tensor<?x8x?xf32>, tensor<2x8x?xf32>) -> tensor<?x8x?x64xbf16>, tensor<?x8x?xf32>
  %o, %lse = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<2x8x?x64xf16>)
    lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<2x8x?xf32>)
    -> tensor<?x8x?x64xbf16>, tensor<?x8x?xf32>
  return %o, %lse : tensor<?x8x?x64xbf16>, tensor<?x8x?xf32>
}
