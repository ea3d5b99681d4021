// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/importers/Text.h"

#include <fmt/format.h>

using namespace heddle;

std::string importers::grouped(int64_t X) {
  std::string Digits = fmt::format("{}", X);
  const size_t First = X < 0 ? 1 : 0;
  for (size_t I = Digits.size(); I > First + 3;) {
    I -= 3;
    Digits.insert(I, ",");
  }
  return Digits;
}

std::string importers::counted(int64_t Count, const char *Noun) {
  return fmt::format("{} {}{}", grouped(Count), Noun, Count == 1 ? "" : "s");
}

std::string importers::percentage(int64_t Part, int64_t Whole) {
  if (Whole == 0)
    return "0 %";
  return fmt::format("{:.4g} %", 100.0 * static_cast<double>(Part) /
                                     static_cast<double>(Whole));
}
