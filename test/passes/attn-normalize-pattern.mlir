// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a keep region becomes.
//
// RUN: heddle-opt %s --attn-normalize-pattern | FileCheck %s
// RUN: heddle-opt %s --attn-normalize-pattern | heddle-opt --attn-normalize-pattern | FileCheck %s

// Two comparisons with one form are one interval.
// CHECK: attn.pattern @sliding_window{{.*}} formula #attn.formula<q - k in interval<0, p0>> {
attn.pattern @sliding_window(%window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %near = arith.cmpi slt, %d, %window : index
  %kept = arith.andi %past, %near : i1
  attn.keep %kept
}

// Negation moves to the atoms.
// CHECK: attn.pattern @de_morgan{{.*}} formula #attn.formula<all(k not in residue<0, 2>, q in interval<8, inf>)> {
attn.pattern @de_morgan keep(%b, %h, %q, %k) {
  %true = arith.constant true
  %even = attn.in %k, #attn.residue<0, 2>
  %small = attn.in %q, #attn.interval<-inf, 8>
  %either = arith.ori %even, %small : i1
  %neither = arith.xori %either, %true : i1
  attn.keep %neither
}

// A minimum above is a conjunction.
// CHECK: attn.pattern @minmax{{.*}} formula #attn.formula<all(q - k in interval<0, inf>, k in interval<-inf, p0 + 1>)> {
attn.pattern @minmax(%a: index) keep(%b, %h, %q, %k) {
  %m = arith.minsi %q, %a : index
  %x = arith.cmpi sle, %k, %m : index
  attn.keep %x
}

// Quotients by constants stay; equality is an interval of one.
// CHECK: attn.pattern @chunk{{.*}} formula #attn.formula<q floordiv 64 - (k floordiv 64) in interval<0, 1>> {
attn.pattern @chunk keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %x = arith.floordivsi %q, %c64 : index
  %y = arith.floordivsi %k, %c64 : index
  %z = arith.cmpi eq, %x, %y : index
  attn.keep %z
}

// A choice between positions is guarded by its condition.
// CHECK: attn.pattern @select{{.*}} formula #attn.formula<any(all(h in interval<-inf, 4>, q in interval<p0, inf>), all(h in interval<4, inf>, k in interval<p0, inf>))> {
attn.pattern @select(%a: index) keep(%b, %h, %q, %k) {
  %c4 = arith.constant 4 : index
  %low = arith.cmpi ult, %h, %c4 : index
  %o = arith.select %low, %q, %k : index
  %x = arith.cmpi sge, %o, %a : index
  attn.keep %x
}

// The end of the keys is a symbol, bounds are rounded to integers.
// CHECK: attn.pattern @keys{{.*}} formula #attn.formula<k in interval<(n + 1) floordiv 2, inf>> {
attn.pattern @keys keep(%b, %h, %q, %k) {
  %n = attn.num_keys
  %c2 = arith.constant 2 : index
  %k2 = arith.muli %k, %c2 : index
  %x = arith.cmpi sge, %k2, %n : index
  attn.keep %x
}

// No condition at all.
// CHECK: attn.pattern @always{{.*}} formula #attn.formula<true> {
attn.pattern @always keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}

// Nothing lies between 5 and 5.
// CHECK: attn.pattern @contradiction{{.*}} formula #attn.formula<false> {
attn.pattern @contradiction keep(%b, %h, %q, %k) {
  %x = attn.in %k, #attn.interval<5, 5>
  attn.keep %x
}

// A table that is read is a leaf, a set that is asked an atom.
// CHECK: attn.pattern @operands{{.*}} formula #attn.formula<all(p0[b, q] - p0[b, k] in interval<0, 1>, k in p1[b, q floordiv 64])> {
attn.pattern @operands(%doc: tensor<?x?xindex>, %rows: !attn.set) keep(%b, %h, %q, %k) {
  %c64 = arith.constant 64 : index
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %r = arith.floordivsi %q, %c64 : index
  %listed = attn.in %k, %rows[%b, %r]
  %kept = arith.andi %same, %listed : i1
  attn.keep %kept
}

// A score region that changes nothing is none.
// CHECK-LABEL: attn.pattern @unit_temperature
// CHECK: attn.keep
// CHECK-NEXT: }
// CHECK-NOT: score
// CHECK: attn.pattern @temperature
attn.pattern @unit_temperature keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} score(%s, %b, %h, %q, %k) {
  %one = arith.constant 1.0 : f32
  %y = arith.mulf %s, %one : f32
  attn.score %y factor %one
}

// CHECK: } score(%[[S:.*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) {
// CHECK-NEXT: %[[Y:.*]] = arith.mulf %[[S]], %tau : f32
// CHECK-NEXT: attn.score %[[Y]]
attn.pattern @temperature(%tau: f32) keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} score(%s, %b, %h, %q, %k) {
  %one = arith.constant 1.0 : f32
  %x = arith.mulf %s, %one : f32
  %y = arith.mulf %x, %tau : f32
  attn.score %y factor %one
}

// A remainder of a difference, in the powers of two.
// CHECK: attn.pattern @power{{.*}} formula #attn.formula<(q - k) mod 8 in pow2> {
attn.pattern @power keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %m = attn.mod %d, 8
  %x = attn.in %m, #attn.pow2
  attn.keep %x
}
