// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Symmetric power attention (Buckman, Gelada and Zhang, "Symmetric power transformers",
// 2024), p = 2: weights are the squares of scale * (q . k), divided by their sum over
// the row. As a state, its rows are the d (d + 1) / 2 monomials of degree two.
//
// Left open in the paper: gates. Decided: none; `decay` is one clause more.
//
// Shown with: --shape b=1,hq=8,hkv=8,sq=4096,sk=4096,d=32

attn.recurrence @symmetric_power_2
  expand power 2
  normalize sum
