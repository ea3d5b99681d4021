// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_SHAPE_H
#define HEDDLE_FRONTENDS_COMMON_SHAPE_H

#include "runtime/npy/ErrorText.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::frontend {

/// The order of the axes in memory, outermost first.
enum class Layout {
  Bhsd,   ///< batch, head, sequence
  Bshd,   ///< batch, sequence, head
  Packed, ///< bshd; q, k and v are heads of one tensor, in this order
};

/// The sizes of one attention problem.
struct Problem {
  int64_t Batch = 1, HeadsQ = 1, HeadsKv = 1, SeqQ = 0, SeqK = 0;
  int64_t HeadDim = 1, ValueDim = 1;
  /// Of a ragged batch, where its sequences begin and the last one ends; SeqQ
  /// and SeqK are then the sums of the lengths.
  std::vector<int64_t> CuSeqlensQ = {}, CuSeqlensK = {};
  /// Keys of the further sources.
  std::vector<int64_t> MoreKeys = {};
  /// Rows of the state of a recurrence, ValueDim numbers each; 0 of a pattern.
  int64_t StateRows = 0;
  /// Whether its state has sums, one per row.
  bool HasSums = false;

  bool isRagged() const { return !CuSeqlensQ.empty(); }
  /// The batch extent of q, k, v and o.
  int64_t tensorBatch() const { return isRagged() ? 1 : Batch; }
  /// The longest sequence.
  int64_t longestQ() const;
  int64_t longestK() const;
  bool isRecurrence() const { return StateRows > 0; }
  size_t numSources() const { return 1 + MoreKeys.size(); }
  /// Keys of a source, and the batch extent of what has one element per key:
  /// further sources have parts of their own for every sequence.
  int64_t keys(size_t Source) const {
    return Source == 0 ? SeqK : MoreKeys[Source - 1];
  }
  int64_t keyBatch(size_t Source) const {
    return Source == 0 ? tensorBatch() : Batch;
  }
  /// Blocks of the block maxima: those of all sequences of a ragged batch one
  /// after the other, as many columns as the longest needs.
  int64_t blockRows(int64_t Block) const;
  int64_t blockColumns(int64_t Block, size_t Source) const;
  /// All (query, key) pairs of all sequences, query heads and sources.
  double pairs() const;
  /// Whether code for short queries may be worth compiling. The plan decides
  /// whether it is worth running. For more queries it never is: it takes a tile
  /// of rows per query and group of heads, and the usual tile holds about three
  /// times as many rows.
  bool hasShortQueries() const {
    return HeadsKv > 0 && longestQ() < 3 * (HeadsQ / HeadsKv);
  }
};

/// Gathers sizes from several sources (--shape, the headers of .npy files, a
/// compiled kernel); each size has one value, and a second source that differs
/// is an error that names both.
class ShapeSolver {
public:
  enum Size { B, Hq, Hkv, Sq, Sk, D, Dv };

  /// Takes "b=1,hq=8,..." as given to --shape. Any subset of the sizes.
  ErrorText addText(std::string_view Text);
  /// Takes the shape of tensor 'q', 'k', 'v' or 'o', stored in `Order`, from
  /// `Source` (a file name).
  ErrorText addTensor(char Tensor, const std::vector<int64_t> &Shape,
                      Layout Order, const std::string &Source);
  /// Takes the shape of a tensor that holds q, k and v. Where no source gives a
  /// number of heads, all three have equally many.
  ErrorText addPacked(const std::vector<int64_t> &Shape,
                      const std::string &Source);
  /// Takes where the sequences of a ragged batch begin and end; before tensors.
  ErrorText addRagged(const std::vector<int64_t> &CuSeqlensQ,
                      const std::vector<int64_t> &CuSeqlensK);
  ErrorText add(Size Which, int64_t Value, const std::string &Source);

  /// Takes a value for a size that no source has given.
  void addDefault(Size Which, int64_t Value);

  /// The problem. What no source gave is taken as b = 1, hkv = hq, sk = sq,
  /// dv = d; hq, sq and d must be known.
  ErrorText solve(Problem &Out);

private:
  struct Known {
    int64_t Value = -1;
    std::string Source;
  };

  ErrorText addAxis(Size Which, const std::vector<int64_t> &Shape, size_t Axis,
                    const std::string &Source);
  ErrorText splitHeads();

  std::array<Known, 7> Sizes;
  /// Heads of a packed tensor.
  Known PackedHeads;
  std::vector<int64_t> CuQ, CuK;
};

/// "bhsd", "bshd" or "packed".
const char *layoutName(Layout Order);
ErrorText parseLayout(std::string_view Text, Layout &Out);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_SHAPE_H
