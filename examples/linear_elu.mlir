// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Linear attention (Katharopoulos et al., "Transformers are RNNs", 2020): weights are
// phi(q) . phi(k) with phi(x) = elu(x) + 1, divided by their sum over the row.
//
// Left open in the paper: nothing. elu(x) + 1 is max(x, 0) + exp(min(x, 0)); the factor
// on q . k cancels.

attn.recurrence @linear_elu
  query(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %above = arith.maximumf %x, %zero : f32
    %below = arith.minimumf %x, %zero : f32
    %e = math.exp %below : f32
    %y = arith.addf %above, %e : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %zero = arith.constant 0.0 : f32
    %above = arith.maximumf %x, %zero : f32
    %below = arith.minimumf %x, %zero : f32
    %e = math.exp %below : f32
    %y = arith.addf %above, %e : f32
    attn.features %y
  }
  normalize sum
