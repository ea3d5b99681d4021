// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The file that the precompiled headers are made with; see Precompiled.h.
