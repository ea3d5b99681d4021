// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_DIALECT_TD
#define HEDDLE_ATTN_DIALECT_TD

include "mlir/IR/OpBase.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let summary = "which query meets which key, and what is computed from it";
  let description = [{
    The pattern level. A pattern is one integer predicate over (b, h, q, k):
    batch, query head, absolute query position and key position. Everything a
    kernel needs (which tiles exist, which need no mask, loop bounds, mask bits,
    work estimates, pictures) is derived from it.
  }];
  let cppNamespace = "::heddle::attn";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let extraClassDeclaration = [{
    /// The number of a read among the distinct ones of this context, and back;
    /// see `readLeaf` in Formula.h. Safe for concurrent use.
    unsigned getReadNumber(ReadAttr read);
    ReadAttr getRead(unsigned number);

  private:
    ::std::mutex readMutex;
    ::llvm::DenseMap<::mlir::Attribute, unsigned> readNumbers;
    ::std::vector<::mlir::Attribute> reads;
  }];
}

#endif // HEDDLE_ATTN_DIALECT_TD
