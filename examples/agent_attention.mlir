// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Agent Attention (Han et al., "Agent attention: on the integration of softmax and
// linear attention", 2023): a few agent tokens A gather, softmax(A K^T + bias) V, and
// then hand out, softmax(Q A^T + bias) (what they gathered). The pattern is launched
// twice, first with the agents as queries, then with the agents as keys and the result
// as values.
//
// Left open in the paper: nothing. `bias` has axes (head, query, key) and is another
// one in each launch. No array of all pairs exists; work is linear in tokens.
//
// Shown with: --set bias=normal@hxqxk --shape b=1,hq=1,hkv=1,sq=64,sk=4096,d=64

attn.pattern @agent_attention(%bias: tensor<?x?x?xf32>) keep(%b, %h, %q, %k) {
  %all = arith.constant true
  attn.keep %all
} score(%s, %b, %h, %q, %k) {
  %add = attn.at %bias[%h, %q, %k] : tensor<?x?x?xf32>
  %t = arith.addf %s, %add : f32
  attn.score %t
}
