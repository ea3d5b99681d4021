// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A dense mask, and the forms that may say the same in fewer bytes. A form is
// fitted from counts along rows, columns and diagonals; whether it is the mask
// is decided afterwards, by evaluating it at every pair.

#ifndef HEDDLE_FRONTENDS_IMPORTERS_MASKFORMS_H
#define HEDDLE_FRONTENDS_IMPORTERS_MASKFORMS_H

#include "frontends/importers/Keep.h"
#include "runtime/npy/Npy.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace heddle::importers {

/// The mask of one head of one sequence, with counts. Distances are q - k, from
/// 1 - keys to queries - 1.
struct MaskSlice {
  int64_t Queries = 0, Keys = 0;
  const uint8_t *Data = nullptr;

  int64_t Kept = 0;
  /// Kept pairs per column, and per distance (at distance + Keys - 1).
  std::vector<int64_t> ByKey, ByDistance;
  /// The first kept key and one past the last, per row; 0 and 0 for none.
  std::vector<int64_t> First, End;
  /// Whether the kept keys of every row have no gap.
  bool RowsAreRuns = true;
  /// The smallest distance of a kept pair, and one more than the largest;
  /// both 0 where there is none.
  int64_t Nearest = 0, Farthest = 0;

  bool at(int64_t Q, int64_t K) const { return Data[Q * Keys + K] != 0; }
  int64_t smallest() const { return 1 - Keys; }
  int64_t largest() const { return Queries - 1; }
  /// Pairs at this distance.
  int64_t pairsAt(int64_t Distance) const;
  bool isFullAt(int64_t Distance) const {
    return ByDistance[static_cast<size_t>(Distance + Keys - 1)] ==
           pairsAt(Distance);
  }
  bool isEmptyAt(int64_t Distance) const {
    return ByDistance[static_cast<size_t>(Distance + Keys - 1)] == 0;
  }
  /// Queries at a distance of at least `Nearest` from the key.
  int64_t eligible(int64_t Key) const;
  /// Whether all of those keep the key, and there are some.
  bool isColumn(int64_t Key) const {
    return eligible(Key) > 0 &&
           ByKey[static_cast<size_t>(Key)] == eligible(Key);
  }
};

/// All slices of a mask that differ.
class Mask {
public:
  /// Reads (q, k), (h, q, k) or (b, h, q, k).
  ErrorText read(const std::string &Path);

  /// As in the file.
  int64_t FileBatch = 1, FileHeads = 1;
  /// 1 where all sequences, or all heads, have the same mask.
  int64_t Batch = 1, Heads = 1;
  int64_t Queries = 0, Keys = 0;
  /// Batch x Heads, row-major.
  std::vector<MaskSlice> Slices;

  int64_t kept() const;
  /// Whether the pattern keeps exactly these pairs.
  bool isKeptBy(const Keep &Pattern) const;

private:
  npy::Array Data;
};

/// A pattern that may be the mask; nothing where the form plainly is not.
using Fit = std::optional<Keep>;

struct MaskForm {
  const char *Name;
  std::function<Fit(const Mask &)> Fitted;
};

/// In the order of preference among equally small ones.
const std::vector<MaskForm> &maskForms();

/// Formulas.
Fit fitUniform(const Mask &From);
Fit fitBand(const Mask &From);
Fit fitSinkAndWindow(const Mask &From);
Fit fitPrefix(const Mask &From);
Fit fitStrided(const Mask &From);
Fit fitGlobalColumns(const Mask &From);
Fit fitBlockDiagonal(const Mask &From);
/// Tables.
Fit fitDocuments(const Mask &From);
Fit fitRowRuns(const Mask &From);
Fit fitColumnBounds(const Mask &From);
/// Sets.
Fit fitColumnsAndDiagonals(const Mask &From);
Fit fitBlockMap(const Mask &From);
Fit fitRowSets(const Mask &From);

/// A number per slice: a parameter with a default where all slices agree, and a
/// table over (b, h) where they do not.
Expr perSlice(Keep &Of, const Mask &From, const std::string &Name,
              const std::vector<int64_t> &Values);

/// Distances of at least every slice's nearest one; nothing where that excludes
/// no pair. Adds the parameter 'from', unless it is 0.
std::optional<Expr> notBefore(Keep &Of, const Mask &From);

} // namespace heddle::importers

#endif // HEDDLE_FRONTENDS_IMPORTERS_MASKFORMS_H
