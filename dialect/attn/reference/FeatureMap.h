// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A region of a recurrence that is written for one element of a row: a feature
// map, or the map of values or outputs.

#ifndef HEDDLE_DIALECT_ATTN_REFERENCE_FEATUREMAP_H
#define HEDDLE_DIALECT_ATTN_REFERENCE_FEATUREMAP_H

#include "dialect/attn/reference/Program.h"

namespace heddle::attn {

/// Maps a row of elements to a row of features. Sums, maxima and products with
/// tables over the row cut the region into stages: each is a program that
/// yields what is to be summed, and those after it read what became of it.
class FeatureMap {
public:
  /// What a stage does with its row.
  enum class Reduction : uint8_t { Sum, Max, Project };
  struct Stage {
    /// Yields the elements and then the leading indices of the table.
    Program Code;
    Reduction Kind = Reduction::Sum;
    unsigned Param = 0; ///< of the table
  };

  /// `Features` yields one value per operand of `attn.features`.
  FeatureMap(std::vector<Stage> Stages, Program Features)
      : Stages(std::move(Stages)), Features(std::move(Features)) {}

  /// Features per element of the row.
  unsigned numFeatures() const { return Features.numOutputs(); }
  /// `Out` receives, for each operand of `attn.features` in turn, as many
  /// features as the row has elements. Fails where a region does, and where a
  /// table is not a square one of the row's length.
  llvm::Error apply(const PredicatePoint &At, llvm::ArrayRef<double> Row,
                    Program::Scratch &Registers,
                    std::vector<double> &Out) const;

private:
  std::vector<Stage> Stages;
  Program Features;
};

} // namespace heddle::attn

#endif // HEDDLE_DIALECT_ATTN_REFERENCE_FEATUREMAP_H
