// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s --split-input-file --verify-diagnostics
attn.recurrence @plain
func.func @f(%q: tensor<8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-1] expected 'q' of rank 4, found 3}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-1] expected 'state' of rank 4, found 3}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<8x64x32xf32>
  return
}


// -----

attn.recurrence @norm normalize sum
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-1] expected 'sums' of rank 3, found 2}}
  %o, %state, %sums = attn.linear @norm() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>, tensor<8x64xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32, %state0: tensor<8x64x32xf32>) {
  // expected-error @below {{[linear-1] expected 'state in' of rank 4, found 3}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s) from(%state0 : tensor<8x64x32xf32>)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @norm normalize sum
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32, %state0: tensor<1x8x64x32xf32>, %sums0: tensor<8x64xf32>) {
  // expected-error @below {{[linear-1] expected 'sums in' of rank 3, found 2}}
  %o, %state, %sums = attn.linear @norm() q(%q) k(%k) v(%v) scale(%s) from(%state0 : tensor<1x8x64x32xf32>, %sums0 : tensor<8x64xf32>)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>, tensor<1x8x64xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xbf16>, %s: f32) {
  // expected-error @below {{[linear-2] expected 'v' of the element type of 'q', 'f32', found 'bf16'}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xbf16> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-2] expected 'state' of element type 'f32', found 'bf16'}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xbf16>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x32xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-3] expected the head dim of 'k' to be that of 'q', 64}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x32xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-3] expected the head dim of 'state' to be that of 'v', 32}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x64xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x513xf32>, %s: f32) {
  // expected-error @below {{[linear-3] expected a static head dim in [1, 512] for 'v', found 513}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x513xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-4] expected the name of an 'attn.recurrence', found @none}}
  %o, %state = attn.linear @none() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-4] expected the name of an 'attn.recurrence', found @all}}
  %o, %state = attn.linear @all() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

// expected-note @below {{the recurrence is defined here}}
attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32, %p: index) {
  // expected-error @below {{[linear-4] expected 0 arguments for recurrence @plain, found 1}}
  %o, %state = attn.linear @plain(%p : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

// expected-note @below {{the recurrence is defined here}}
attn.recurrence @windowed(%w: index) window(%w)
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-4] expected argument 0 of recurrence @windowed to be of type 'index', found 'f32'}}
  %o, %state = attn.linear @windowed(%s : f32) q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x3x5x64xf32>, %v: tensor<1x3x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-5] expected the heads of 'q' to be a multiple of the heads of 'k', found 8 and 3}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x3x5x64xf32>, tensor<1x3x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x4x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-5] expected 'k' and 'v' to agree in heads, found 2 and 4}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x4x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<2x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'q' and 'k' to agree in batch, found 1 and 2}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<2x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'q' and 'o' to agree in positions, found 5 and 6}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x6x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x6x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'k' and 'v' to agree in positions, found 5 and 6}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x6x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'q' and 'state' to agree in heads, found 8 and 2}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x2x64x32xf32>
  return
}


// -----

attn.recurrence @norm normalize sum
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'q' and 'sums' to agree in heads, found 8 and 2}}
  %o, %state, %sums = attn.linear @norm() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>, tensor<1x2x64xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x6x64xf32>, %v: tensor<1x2x6x32xf32>, %s: f32) {
  // expected-error @below {{[linear-6] expected 'q' and 'k' to agree in positions, found 5 and 6}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x6x64xf32>, tensor<1x2x6x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @windowed(%w: index) window(%w)
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x4x64xf32>, %v: tensor<1x2x4x32xf32>, %s: f32, %w: index) {
  // expected-error @below {{[linear-6] expected at least as many positions of 'k' as of 'q', found 4 and 5}}
  %o, %state = attn.linear @windowed(%w : index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x4x64xf32>, tensor<1x2x4x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32, %org: tensor<?x?xindex>) {
  // expected-error @below {{[linear-7] expected 'origin' of rank 1, found 2}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s) origin(%org : tensor<?x?xindex>)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @high expand power 4
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-8] expected at most 65536 features of the expansion, found more for 64 features of a query}}
  %o, %state = attn.linear @high() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-9] expected no sums, as the recurrence has no normaliser}}
  %o, %state, %sums = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>, tensor<1x8x64xf32>
  return
}


// -----

attn.recurrence @norm normalize sum
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-9] expected sums beside every state, as the recurrence has a normaliser}}
  %o, %state = attn.linear @norm() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @norm normalize sum
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32, %state0: tensor<1x8x64x32xf32>) {
  // expected-error @below {{[linear-9] expected sums beside every state, as the recurrence has a normaliser}}
  %o, %state, %sums = attn.linear @norm() q(%q) k(%k) v(%v) scale(%s) from(%state0 : tensor<1x8x64x32xf32>)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>, tensor<1x8x64xf32>
  return
}


// -----

attn.recurrence @plain
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-10] expected states and sums with 64 rows, found 'tensor<1x8x63x32xf32>'}}
  %o, %state = attn.linear @plain() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x63x32xf32>
  return
}


// -----

attn.recurrence @taylor expand taylor
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-10] expected states and sums with 2145 rows, found 'tensor<1x8x64x32xf32>'}}
  %o, %state = attn.linear @taylor() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x64x32xf32>
  return
}


// -----

attn.recurrence @mala normalize magnitude
func.func @f(%q: tensor<1x8x5x64xf32>, %k: tensor<1x2x5x64xf32>, %v: tensor<1x2x5x32xf32>, %s: f32) {
  // expected-error @below {{[linear-10] expected states and sums with 65 rows, found 'tensor<1x8x64xf32>'}}
  %o, %state, %sums = attn.linear @mala() q(%q) k(%k) v(%v) scale(%s)
    : tensor<1x8x5x64xf32>, tensor<1x2x5x64xf32>, tensor<1x2x5x32xf32> -> tensor<1x8x5x32xf32>, tensor<1x8x65x32xf32>, tensor<1x8x64xf32>
  return
}
