// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The decay mask of a recurrence for people, for browsers and for programs.

#ifndef HEDDLE_FRONTENDS_HEDDLE_DECAYRENDER_H
#define HEDDLE_FRONTENDS_HEDDLE_DECAYRENDER_H

#include "frontends/heddle/DecayMap.h"
#include "frontends/heddle/ShowRender.h"

namespace heddle {

/// Picture, legend, and what state and tokens cost. Maps that are too wide are
/// reduced.
llvm::Error printDecayText(const DecayProblem &Of, llvm::raw_ostream &Os,
                           const TextStyle &Style);

/// One JSON object: the problem, the cells of at most `MaxDecayCells` rows and
/// columns with their mean factors (null where no query sees a key), the state
/// and the cost per token.
llvm::Error printDecayJson(const DecayProblem &Of, llvm::raw_ostream &Os);

/// Writes a self-contained SVG that follows the viewer's light or dark scheme,
/// to a file that appears complete or not at all.
llvm::Error writeDecaySvg(const DecayProblem &Of, llvm::StringRef Path);

inline constexpr int64_t MaxDecayCells = 256;

/// "@retnet(w = 16)".
std::string describeRecurrence(const DecayProblem &Of);
/// The lines below a picture: factors, window, pairs, state, cost.
std::vector<std::pair<std::string, std::string>>
describeDecay(const DecayProblem &Of, const DecayGrid &Grid);

} // namespace heddle

#endif // HEDDLE_FRONTENDS_HEDDLE_DECAYRENDER_H
