// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Flow-Attention (Wu et al., "Flowformer: linearizing transformers with conservation
// flows", 2022): values weighted by the competition of sources, sigmoid(q) . sigmoid(k)
// divided by the incoming flow of the sink, and an output that the sink's allocation
// gates.
//
// Left open in the paper: the scale of the competition. Decided: that of the caller, n
// times a softmax over all sources in the authors' code. `outgoing[b, h, j]` is that
// softmax of conserved outgoing flows, `incoming[b, h, i]` the conserved incoming flow,
// of which the gate is the sigmoid; flow_sums.mlir computes what they are made of. The
// incoming flow itself is the sum of the row.
//
// Shown with: --set outgoing=random:0.5..1.5@bxhxk --set incoming=normal@bxhxq --shape b=1,hq=1,hkv=1,sq=512,sk=512,d=64 --tile 8x8

attn.recurrence @flow_attention(%outgoing: tensor<?x?x?xf32>, %incoming: tensor<?x?x?xf32>)
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
  value(%x, %b, %h, %i, %c) {
    %share = attn.at %outgoing[%b, %h, %i] : tensor<?x?x?xf32>
    %y = arith.mulf %x, %share : f32
    attn.features %y
  }
  output(%x, %b, %h, %i, %c) {
    %one = arith.constant 1.0 : f32
    %flow = attn.at %incoming[%b, %h, %i] : tensor<?x?x?xf32>
    %n = arith.negf %flow : f32
    %e = math.exp %n : f32
    %d = arith.addf %one, %e : f32
    %y = arith.divf %x, %d : f32
    attn.features %y
  }
  normalize sum
  bidirectional
