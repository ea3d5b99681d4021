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

/// The order of the axes in memory, outermost first: batch, head, sequence.
enum class Layout { Bhsd, Bshd };

/// The sizes of one attention problem.
struct Problem {
  int64_t Batch = 1, HeadsQ = 1, HeadsKv = 1, SeqQ = 0, SeqK = 0;
  int64_t HeadDim = 1, ValueDim = 1;
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
  ErrorText add(Size Which, int64_t Value, const std::string &Source);

  /// Takes a value for a size that no source has given.
  void addDefault(Size Which, int64_t Value);

  /// The problem. What no source gave is taken as b = 1, hkv = hq, sk = sq,
  /// dv = d; hq, sq and d must be known.
  ErrorText solve(Problem &Out) const;

private:
  struct Known {
    int64_t Value = -1;
    std::string Source;
  };
  std::array<Known, 7> Sizes;
};

/// "bhsd" or "bshd".
const char *layoutName(Layout Order);
ErrorText parseLayout(std::string_view Text, Layout &Out);

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_SHAPE_H
