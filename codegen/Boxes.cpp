// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Boxes.h"

llvm::SmallVector<int64_t> heddle::boxOf(int64_t Size, unsigned Axes) {
  llvm::SmallVector<int64_t> Box;
  for (unsigned Left = Axes; Left > 1; --Left) {
    auto IsTooLarge = [&](int64_t Extent) {
      int64_t Power = 1;
      for (unsigned I = 0; I < Left; ++I)
        Power *= Extent;
      return Power > Size;
    };
    int64_t Extent = Size;
    while (Extent > 1 && (Size % Extent != 0 || IsTooLarge(Extent)))
      --Extent;
    Box.push_back(Extent);
    Size /= Extent;
  }
  if (Axes > 0)
    Box.push_back(Size);
  return Box;
}
