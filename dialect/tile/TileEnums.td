// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TILE_ENUMS_TD
#define HEDDLE_TILE_ENUMS_TD

include "mlir/IR/EnumAttr.td"

def Tile_Axis : I32EnumAttr<"Axis", "axis of a view", [
    I32EnumAttrCase<"Batch", 0, "batch">, I32EnumAttrCase<"Head", 1, "head">,
    I32EnumAttrCase<"Position", 2, "position">]> {
  let cppNamespace = "::heddle::tile";
}

def Tile_Reduction : I32EnumAttr<"Reduction", "how elements become one", [
    I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Max", 1, "max">]> {
  let cppNamespace = "::heddle::tile";
}

#endif // HEDDLE_TILE_ENUMS_TD
