// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_IMPORTERS_TEXT_H
#define HEDDLE_FRONTENDS_IMPORTERS_TEXT_H

#include <cstdint>
#include <string>

namespace heddle::importers {

/// "1,234,567".
std::string grouped(int64_t X);

/// "1 row", "2 rows".
std::string counted(int64_t Count, const char *Noun);

/// "12.5 %" of a part in a whole; "0 %" of nothing.
std::string percentage(int64_t Part, int64_t Whole);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_TEXT_H
