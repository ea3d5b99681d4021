// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: heddle-opt %s --split-input-file --verify-diagnostics

func.func @f() {
  // expected-error @below {{[merge-1] expected at least one part, each with an o and an lse, found 0 and 0}}
  %o, %lse = attn.merge o()
    lse()
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %o1: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-1] expected at least one part, each with an o and an lse, found 2 and 1}}
  %o, %lse = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %o1: tensor<?x8x?xf32>, %l0: tensor<?x8x?xf32>, %l1: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-2] expected 'o of part 1' of rank 4, found 3}}
  %o, %lse = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x?xf32>)
    lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xbf16>) {
  // expected-error @below {{[merge-2] expected 'lse of part 0' of element type 'f32', found 'bf16'}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x?xbf16>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-2] expected 'o' of element type 'f32', 'f16' or 'bf16', found 'f64'}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf64>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-2] expected 'lse' of rank 3, found 4}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?x64xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-3] expected 'lse' to have size 8 along axis 1, as 'o', found 4}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x4x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x32xf32>, %l0: tensor<?x8x?xf32>) {
  // expected-error @below {{[merge-3] expected 'o of part 0' to have size 64 along axis 3, as 'o', found 32}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x32xf32>)
    lse(%l0 : tensor<?x8x?xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %l0: tensor<?x8x6xf32>) {
  // expected-error @below {{[merge-3] expected 'lse of part 0' to have size 5 along axis 2, as 'lse', found 6}}
  %o, %lse = attn.merge o(%o0 : tensor<?x8x?x64xf32>)
    lse(%l0 : tensor<?x8x6xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x5xf32>
  return
}

// -----

func.func @f(%o0: tensor<?x8x?x64xf32>, %o1: tensor<?x8x5x64xf32>, %l0: tensor<?x8x?xf32>, %l1: tensor<?x8x6xf32>) {
  // expected-error @below {{[merge-3] expected 'lse of part 1' to have size 5 along axis 2, as 'o of part 1', found 6}}
  %o, %lse = attn.merge o(%o0, %o1 : tensor<?x8x?x64xf32>, tensor<?x8x5x64xf32>)
    lse(%l0, %l1 : tensor<?x8x?xf32>, tensor<?x8x6xf32>)
    -> tensor<?x8x?x64xf32>, tensor<?x8x?xf32>
  return
}
