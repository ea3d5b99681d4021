// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_CODEGEN_NV_TENSORPRODUCTS_H
#define HEDDLE_CODEGEN_NV_TENSORPRODUCTS_H

#include "codegen/nv/MemoryProducts.h"

namespace heddle::nv {

/// A product by tensor cores. Their operands have 11 bits of mantissa (tf32):
/// an element that may have more is the sum of two operands, its upper bits and
/// what is left, so that a product errs by about 2^-22 of its size. Where
/// pairs are left out, what they would add is 0 times the element of `Right`,
/// which must be finite.
void emitTensorProduct(NvBuilder &B, const MemoryProduct &P);

} // namespace heddle::nv

#endif // HEDDLE_CODEGEN_NV_TENSORPRODUCTS_H
