// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What has no place in a formula.
//
// RUN: heddle-opt %s --attn-normalize-pattern --split-input-file --verify-diagnostics

attn.pattern @product keep(%b, %h, %q, %k) {
  // expected-error @below {{expected one factor of a product to be a constant, found the query position and the key position; pass the product as a parameter of its own}}
  %v = arith.muli %q, %k : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @divisor_parameter(%w: index = 4) keep(%b, %h, %q, %k) {
  // expected-error @below {{expected a positive constant as divisor, found parameter 'w'; a pattern is compiled for its divisors, so write a constant}}
  %v = arith.floordivsi %q, %w : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @divisor_zero keep(%b, %h, %q, %k) {
  %c = arith.constant 0 : index
  // expected-error @below {{expected a positive constant as divisor, found 0}}
  %v = arith.floordivsi %q, %c : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @dividend_negative keep(%b, %h, %q, %k) {
  %c = arith.constant 8 : index
  // expected-error @below {{expected a dividend that is never negative, found the query position; use 'attn.mod', which rounds down}}
  %v = arith.remsi %q, %c : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @unsigned_division(%w: index = 4) keep(%b, %h, %q, %k) {
  %c = arith.constant 8 : index
  // expected-error @below {{expected a dividend that is never negative, found parameter 'w'; use 'arith.floordivsi', which rounds down}}
  %v = arith.divui %w, %c : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @unsigned_comparison keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %c = arith.constant 8 : index
  // expected-error @below {{expected operands of 'ult' that are never negative, found a result of 'arith.subi'; use the signed comparison}}
  %x = arith.cmpi ult, %d, %c : index
  attn.keep %x
}

// -----

attn.pattern @boolean_addition keep(%b, %h, %q, %k) {
  %t = attn.in %k, #attn.pow2
  // expected-error @below {{'arith.addi' on 'i1' has no place in a formula; expected 'arith.andi', 'arith.ori' or 'arith.xori'}}
  %x = arith.addi %t, %t : i1
  attn.keep %x
}

// -----

attn.pattern @integer_conjunction keep(%b, %h, %q, %k) {
  // expected-error @below {{'arith.andi' on 'index' has no place in a formula; expected operands of type 'i1'}}
  %v = arith.andi %q, %k : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @boolean_order keep(%b, %h, %q, %k) {
  %t = attn.in %k, #attn.pow2
  // expected-error @below {{expected 'eq' or 'ne' to compare values of type 'i1', found 'slt'}}
  %x = arith.cmpi slt, %t, %t : i1
  attn.keep %x
}

// -----

attn.pattern @large_constant keep(%b, %h, %q, %k) {
  %c = arith.constant 1099511627776 : index
  // expected-error @below {{value may need more than 58 bits; expected constants small enough for coordinates and parameters of up to 2^31}}
  %v = arith.muli %q, %c : index
  %x = attn.in %v, #attn.interval<0, 8>
  attn.keep %x
}

// -----

attn.pattern @many_cases keep(%b, %h, %q, %k) {
  %m0 = arith.maxsi %q, %k : index
  %n1 = arith.minsi %m0, %q : index
  %m1 = arith.addi %n1, %n1 : index
  %n2 = arith.minsi %m1, %q : index
  %m2 = arith.addi %n2, %n2 : index
  %n3 = arith.minsi %m2, %q : index
  // expected-error @below {{expected at most 256 cases of minima, maxima and selects in one value, found 10201; split the pattern or pass a parameter}}
  %m3 = arith.addi %n3, %n3 : index
  %n4 = arith.minsi %m3, %q : index
  %m4 = arith.addi %n4, %n4 : index
  %x = attn.in %m4, #attn.pow2
  attn.keep %x
}
