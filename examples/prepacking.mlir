// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Several prompts in one sequence (Zhao et al., "Prepacking", 2024): every prompt
// sees itself only, under its own positions. Here prompts are of A-shape; any
// pattern may stand in place of @one_prompt.
//
// Left open in the paper: patterns other than causal. Decided: the inner pattern
// is asked with positions within the prompt, so sinks are each prompt's own first
// keys. `doc` numbers the prompts and `pos` counts within each, along the packed
// sequence. That the past comes first is said of the packed places once more: it
// follows, but tiles are skipped by it.
//
// Shown with: --set doc=sorted:6@1xk --set pos=iota@1xk --set sink=0 --set window=512

attn.pattern @prepacking(%doc: tensor<?x?xindex>, %pos: tensor<?x?xindex>,
                         %sink: index = 64, %window: index = 1024) keep(%b, %h, %q, %k) {
  %i = attn.at %doc[%b, %q] : tensor<?x?xindex>
  %j = attn.at %doc[%b, %k] : tensor<?x?xindex>
  %same = arith.cmpi eq, %i, %j : index
  %qp = attn.at %pos[%b, %q] : tensor<?x?xindex>
  %kp = attn.at %pos[%b, %k] : tensor<?x?xindex>
  %inner = attn.apply @one_prompt(%sink, %window : index, index) at(%b, %h, %qp, %kp)
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %there = arith.andi %same, %past : i1
  %kept = arith.andi %there, %inner : i1
  attn.keep %kept
}

attn.pattern @one_prompt(%sink: index, %window: index) keep(%b, %h, %q, %k) {
  %d = arith.subi %q, %k : index
  %past = attn.in %d, #attn.interval<0, inf>
  %first = arith.cmpi slt, %k, %sink : index
  %near = arith.cmpi slt, %d, %window : index
  %either = arith.ori %first, %near : i1
  %kept = arith.andi %past, %either : i1
  attn.keep %kept
}
