// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: heddle-opt %s -attn-pack-heads -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-NOT: packed

attn.pattern @landmark keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
} normalize grouped 64
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x64xf32>,
             %s: f32) -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>)
    attributes {attn.short_queries} {
  // expected-remark@+1 {{gets no code for short queries: the group of its query decides how its keys count}}
  %r:2 = attn.attention @landmark() q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @grid(%H: index, %W: index) grid(%H x %W) keep(%b, %h, %qy, %qx, %ky, %kx) {
  %true = arith.constant true
  attn.keep %true
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x64xf32>,
             %s: f32, %n: index) -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>)
    attributes {attn.short_queries} {
  // expected-remark@+1 {{gets no code for short queries: its queries are on a token grid}}
  %r:2 = attn.attention @grid(%n, %n : index, index) q(%q) k(%k) v(%v) scale(%s)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
attn.combine @both [@all, @all]
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x64xf32>,
             %s: f32, %l: tensor<?x?x?x64xf32>, %w: tensor<?x?x?x64xf32>)
    -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>) attributes {attn.short_queries} {
  // expected-remark@+1 {{gets no code for short queries: it has several sources of keys}}
  %r:2 = attn.attention @both() q(%q) k(%k) v(%v) scale(%s)
    and k(%l : tensor<?x?x?x64xf32>) v(%w : tensor<?x?x?x64xf32>)
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
  return %r#0, %r#1 : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>
}

// -----

attn.pattern @all keep(%b, %h, %q, %k) {
  %true = arith.constant true
  attn.keep %true
}
func.func @f(%q: tensor<?x?x?x64xf32>, %k: tensor<?x?x?x64xf32>, %v: tensor<?x?x?x64xf32>,
             %s: f32) -> (tensor<?x?x?x64xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>)
    attributes {attn.short_queries} {
  // expected-remark@+1 {{gets no code for short queries: it has outputs by columns}}
  %r:3 = attn.attention @all() q(%q) k(%k) v(%v) scale(%s)
    outputs <row_max = false, column_sums = true, block_max = 0 by 0>
    : tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>, tensor<?x?x?x64xf32>
    -> tensor<?x?x?x64xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
  return %r#0, %r#1, %r#2 : tensor<?x?x?x64xf32>, tensor<?x?x?xf32>, tensor<?x?x?xf32>
}
