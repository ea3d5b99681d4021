// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_NUMBERS_H
#define HEDDLE_FRONTENDS_COMMON_NUMBERS_H

#include "runtime/npy/ErrorText.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::frontend {

/// Integers of operands and extents lie in [-IntegerLimit, IntegerLimit).
constexpr int64_t IntegerLimit = int64_t(1) << 31;

/// Parses all of `Text` as a decimal integer in [Min, Max]. `What` names it in
/// the error ("'sq' in --shape").
ErrorText parseInteger(std::string_view Text, const std::string &What,
                       int64_t Min, int64_t Max, int64_t &Out);

/// Parses all of `Text` as a finite number.
ErrorText parseNumber(const std::string &Text, const std::string &What,
                      double &Out);

/// The same for an element of a table, which "inf" and "-inf" may be too.
ErrorText parseElement(const std::string &Text, const std::string &What,
                       double &Out);

/// The parts of `Text` between separators; one empty part for an empty text.
std::vector<std::string_view> split(std::string_view Text, char Separator);

/// 1234567 as "1,234,567".
std::string grouped(int64_t Value);

/// A time with the unit that suits it.
std::string duration(double Seconds);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_NUMBERS_H
