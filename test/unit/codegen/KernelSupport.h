// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels written at the tile level, compiled for a level of this machine and
// called the way the runtime calls them.

#ifndef HEDDLE_TEST_UNIT_CODEGEN_KERNELSUPPORT_H
#define HEDDLE_TEST_UNIT_CODEGEN_KERNELSUPPORT_H

#include "heddle/abi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace heddle {

/// The levels this machine can run.
std::vector<std::string> hostLevels();

/// A test for every one of them.
class OnEveryLevel : public testing::TestWithParam<std::string> {
public:
  /// As GoogleTest wants names.
  static std::string name(const testing::TestParamInfo<std::string> &Info) {
    std::string Name = Info.param;
    std::replace(Name.begin(), Name.end(), '-', '_');
    return Name;
  }
};

/// A kernel in memory.
class LoadedKernel {
public:
  /// `Views`: the types of q, k, v and o, separated by semicolons, `Params` the
  /// further arguments with a comma before each, `Body` what the function does
  /// with %b, %h, %tile, %q, %k, %v, %o, %lse, %max, %sums, %blocks, %origin,
  /// %scale and those; for the kernel kind `Kind` "columns" also %source.
  LoadedKernel(const std::string &Level, const std::string &Views,
               const std::string &Params, const std::string &Body,
               const std::string &Kind = "task");
  ~LoadedKernel();
  LoadedKernel(const LoadedKernel &) = delete;
  LoadedKernel &operator=(const LoadedKernel &) = delete;

  explicit operator bool() const { return Address != nullptr; }
  /// As a task, or as the columns of a source.
  void run(const heddle_args &Args, int64_t B, int64_t H, int64_t Tile,
           int64_t Source = 0) const;
  /// As a check.
  int64_t check(const heddle_args &Args, int64_t Out[3]) const;

private:
  void load(const std::string &Text);

  std::string Path;
  void *Library = nullptr;
  void *Address = nullptr;
  int64_t WorkspaceBytes = 0;
  bool IsColumns;
};

/// A row-major tensor (batch, head, position, feature).
template <typename T> struct Data {
  Data(int64_t Batch, int64_t Heads, int64_t Rows, int64_t Width, T Fill = {})
      : Rows(Rows), Width(Width), Heads(Heads), Batch(Batch),
        Elements(static_cast<size_t>(Batch * Heads * Rows * Width), Fill) {}

  T &at(int64_t Row, int64_t Feature, int64_t Head = 0, int64_t B = 0) {
    return Elements[static_cast<size_t>(
        ((B * Heads + Head) * Rows + Row) * Width + Feature)];
  }
  heddle_view view() {
    return {Elements.data(),
            {Batch, Heads, Rows, Width},
            {Heads * Rows * Width, Rows * Width, Width, 1},
            nullptr};
  }

  int64_t Rows, Width, Heads, Batch;
  std::vector<T> Elements;
};

/// Different in every element, small integers.
inline void number(Data<float> &Of, float From = 1) {
  for (float &X : Of.Elements)
    X = From++;
}

/// Arguments with one source, whose views point nowhere until they are set.
struct Arguments {
  Arguments() {
    Args.sources = &Source;
    Args.origin = Origins.data();
  }
  Arguments(const Arguments &) = delete;
  Arguments &operator=(const Arguments &) = delete;

  /// Room for the parameters.
  heddle_operand &operand(size_t Number) {
    Operands.resize(std::max(Operands.size(), Number + 1));
    Args.operands = Operands.data();
    return Operands[Number];
  }

  heddle_args Args = {};
  heddle_source Source = {};
  std::vector<int64_t> Origins = std::vector<int64_t>(8, 0);
  std::vector<heddle_operand> Operands;
};

} // namespace heddle

#endif // HEDDLE_TEST_UNIT_CODEGEN_KERNELSUPPORT_H
