// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_RECURRENCECHECK_H
#define HEDDLE_FRONTENDS_HEDDLE_RECURRENCECHECK_H

#include "frontends/common/Run.h"
#include "frontends/heddle/KernelArguments.h"

namespace heddle::cli {

/// Compares the outputs, state and counts of a recurrence's run with the
/// interpreter's, by the definition in double precision. Puts the differences
/// into the report; `Why` says what is too far off.
ErrorText checkRecurrence(const Asked &What,
                          const frontend::RunOptions &Options,
                          const frontend::RunTensors &Data,
                          frontend::Report &Out, std::string &Why);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_RECURRENCECHECK_H
