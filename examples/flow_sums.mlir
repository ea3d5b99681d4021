// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The sums of Flow-Attention (Wu et al., "Flowformer: linearizing transformers with
// conservation flows", 2022): with values of one feature, all 1, the incoming flow of
// every sink, I_i = sum over j of sigmoid(q_i) . sigmoid(k_j). With the values 1 / O_j
// it is the conserved incoming flow, and with queries and keys exchanged the outgoing
// flow of every source.
//
// Left open in the paper: nothing. The factor on q . k is 1 there, which the launch
// says. flow_attention.mlir takes what comes out of four launches.
//
// Shown with: --shape b=1,hq=8,hkv=8,sq=4096,sk=4096,d=64,dv=1

attn.recurrence @flow_sums
  query(%x, %b, %h, %i, %c) {
    %one = arith.constant 1.0 : f32
    %n = arith.negf %x : f32
    %e = math.exp %n : f32
    %d = arith.addf %one, %e : f32
    %y = arith.divf %one, %d : f32
    attn.features %y
  }
  key(%x, %b, %h, %i, %c) {
    %one = arith.constant 1.0 : f32
    %n = arith.negf %x : f32
    %e = math.exp %n : f32
    %d = arith.addf %one, %e : f32
    %y = arith.divf %one, %d : f32
    attn.features %y
  }
  bidirectional
