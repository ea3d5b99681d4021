// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_HEDDLE_SHOWRECURRENCE_H
#define HEDDLE_FRONTENDS_HEDDLE_SHOWRECURRENCE_H

#include "frontends/common/Shape.h"
#include "frontends/common/Values.h"
#include "frontends/heddle/Commands.h"
#include "frontends/heddle/DecayRender.h"

namespace heddle::cli {

/// What the picture of a recurrence is about: head and tiles of `Options`, and
/// factors by the interpreter. Fails where the sizes do not suit the
/// recurrence.
ErrorText makeDecayProblem(const LoadedPattern &From,
                           const ShowOptions &Options,
                           const frontend::Problem &Sizes,
                           const frontend::PatternValues &Values,
                           DecayProblem &Out);

} // namespace heddle::cli

#endif // HEDDLE_FRONTENDS_HEDDLE_SHOWRECURRENCE_H
