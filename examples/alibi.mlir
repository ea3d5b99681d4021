// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Linear biases (Press et al., "Train short, test long", 2022): a key's score falls
// with its distance, by a slope per head.
//
// Left open in the paper: slopes for head counts that are no power of two. Decided:
// slopes come from the caller.
//
// Shown with: --set slope=random:0..1@h

attn.pattern @alibi(%slope: tensor<?xf32>) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  attn.keep %past
} score(%s, %b, %h, %q, %k) {
  %back = arith.subi %k, %q : index
  %whole = arith.index_cast %back : index to i32
  %distance = arith.sitofp %whole : i32 to f32
  %m = attn.at %slope[%h] : tensor<?xf32>
  %bias = arith.mulf %m, %distance : f32
  %t = arith.addf %s, %bias : f32
  attn.score %t
}
