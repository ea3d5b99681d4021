// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_ATTN_INTERFACES_TD
#define HEDDLE_ATTN_INTERFACES_TD

include "mlir/IR/OpBase.td"

def Attn_ParamsOpInterface : OpInterface<"ParamsOpInterface"> {
  let cppNamespace = "::heddle::attn";
  let description = [{
    A symbol with run-time parameters, each with a name, a type and possibly a
    default: what checks, run-time values and front ends need to know of an
    `attn.pattern` or an `attn.recurrence`. Every region of such an operation has
    the parameters as its first arguments.
  }];
  let methods = [
    InterfaceMethod<"The names of the parameters, as strings.",
                    "::mlir::ArrayAttr", "getParamNames">,
    InterfaceMethod<"The defaults; a unit attribute for a parameter without.",
                    "::mlir::ArrayAttr", "getParamDefaults">,
    InterfaceMethod<"The types of the parameters.",
                    "::llvm::SmallVector<::mlir::Type>", "getParamTypes">,
    InterfaceMethod<
        "Indices a parameter is used with: the rank of a table, the number of "
        "indices a set is asked with, 0 for the others.",
        "unsigned", "getParamRank", (ins "unsigned":$i)>,
    InterfaceMethod<"The number of parameters.", "unsigned", "getNumParams",
                    (ins), "", "return $_op.getParamNames().size();">,
    InterfaceMethod<"The type of parameter `i`.", "::mlir::Type",
                    "getParamType", (ins "unsigned":$i), "",
                    "return $_op.getParamTypes()[i];">,
    InterfaceMethod<"The name of parameter `i` as written in the source.",
                    "::llvm::StringRef", "getParamName", (ins "unsigned":$i),
                    "", [{
      return ::llvm::cast<::mlir::StringAttr>($_op.getParamNames()[i]).getValue();
    }]>,
    InterfaceMethod<"The default of an integer parameter, if it has one.",
                    "::std::optional<int64_t>", "getParamDefault",
                    (ins "unsigned":$i), "", [{
      if (auto value =
              ::llvm::dyn_cast<::mlir::IntegerAttr>($_op.getParamDefaults()[i]))
        return value.getInt();
      return ::std::nullopt;
    }]>,
    InterfaceMethod<"The default of parameter `i`: an integer, a float or null.",
                    "::mlir::TypedAttr", "getDefault", (ins "unsigned":$i), "", [{
      return ::llvm::dyn_cast<::mlir::TypedAttr>($_op.getParamDefaults()[i]);
    }]>];
}

#endif // HEDDLE_ATTN_INTERFACES_TD
