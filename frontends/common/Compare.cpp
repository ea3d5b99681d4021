// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Compare.h"

using namespace heddle::frontend;

CheckResult heddle::frontend::compareOutputs(const Tensor &GotO,
                                             const Tensor &GotLse,
                                             const Tensor &WantO,
                                             const Tensor &WantLse,
                                             std::string Against) {
  CheckResult Result;
  Result.Against = std::move(Against);
  const std::array<int64_t, 4> &Shape = GotO.shape();
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t I = 0; I < Shape[2]; ++I)
        Result.addRow(B, H, I, GotO.row(B, H, I), WantO.row(B, H, I), Shape[3],
                      *GotLse.row(B, H, I), *WantLse.row(B, H, I));
  return Result;
}
