// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_TEST_UNIT_RUNTIME_TESTTENSORS_H
#define HEDDLE_TEST_UNIT_RUNTIME_TESTTENSORS_H

#include "heddle/half.h"
#include "heddle/heddle.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

namespace heddle::test {

enum class Layout { Bhsd, Bshd };

/// A tensor of floats with logical axes (batch, head, sequence, feature), and
/// the same elements in the storage type that the runtime gets.
class TestTensor {
public:
  TestTensor() = default;
  /// Rank 3 drops the feature axis.
  TestTensor(std::array<int64_t, 4> Sizes, Layout Order = Layout::Bhsd,
             int32_t NewRank = 4, heddle_dtype Dtype = HEDDLE_F32)
      : Shape(Sizes), Rank(NewRank), Dtype(Dtype) {
    auto [B, H, S, F] = Sizes;
    Strides = Order == Layout::Bhsd
                  ? std::array<int64_t, 4>{H * S * F, S * F, F, 1}
                  : std::array<int64_t, 4>{S * H * F, F, H * F, 1};
    Floats.resize(B * H * S * F);
    Halves.resize(Dtype == HEDDLE_F32 ? 0 : Floats.size());
  }

  /// Normal values that the storage type has.
  TestTensor &fillNormal(uint32_t Seed) {
    std::mt19937 Random(Seed);
    std::normal_distribution<float> Normal;
    for (float &X : Floats)
      X = Normal(Random);
    return store();
  }
  TestTensor &fill(float Value) {
    std::fill(Floats.begin(), Floats.end(), Value);
    return store();
  }
  /// Makes the stored elements those of `Floats`, rounded, and these the same.
  TestTensor &store() {
    for (size_t I = 0; I < Halves.size(); ++I) {
      Halves[I] = Dtype == HEDDLE_F16 ? heddle_f32_to_f16(Floats[I])
                                      : heddle_f32_to_bf16(Floats[I]);
      Floats[I] = widened(I);
    }
    return *this;
  }
  /// Makes `Floats` those that a launch has stored.
  void load() {
    for (size_t I = 0; I < Halves.size(); ++I)
      Floats[I] = widened(I);
  }

  float *data() { return Floats.data(); }
  int64_t size() const { return static_cast<int64_t>(Floats.size()); }
  float *row(int64_t B, int64_t H, int64_t S) {
    return data() + B * Strides[0] + H * Strides[1] + S * Strides[2];
  }
  /// For the runtime; valid while this tensor lives and stays in place.
  heddle_tensor view() {
    void *Data = Halves.empty() ? static_cast<void *>(Floats.data())
                                : static_cast<void *>(Halves.data());
    return {Data, Dtype, Rank, Shape.data(), Strides.data()};
  }
  bool holdsOnly(float Value) const {
    return std::all_of(Floats.begin(), Floats.end(),
                       [&](float X) { return X == Value; });
  }

private:
  float widened(size_t I) const {
    return Dtype == HEDDLE_F16 ? heddle_f16_to_f32(Halves[I])
                               : heddle_bf16_to_f32(Halves[I]);
  }

  std::array<int64_t, 4> Shape = {}, Strides = {};
  int32_t Rank = 4;
  heddle_dtype Dtype = HEDDLE_F32;
  std::vector<float> Floats;
  std::vector<uint16_t> Halves;
};

/// A problem of plain sequences.
inline heddle_problem plainProblem(int64_t Batch, int64_t HeadsQ,
                                   int64_t HeadsKv, int64_t SeqQ, int64_t SeqK,
                                   const int64_t *Origin = nullptr,
                                   const heddle_value *Params = nullptr) {
  heddle_problem Result = {};
  Result.batch = Batch;
  Result.heads_q = HeadsQ;
  Result.heads_kv = HeadsKv;
  Result.seq_q = SeqQ;
  Result.seq_k = SeqK;
  Result.origin = Origin;
  Result.params = Params;
  return Result;
}

inline heddle_value integerValue(int64_t Integer) {
  heddle_value Result = {};
  Result.integer = Integer;
  return Result;
}

} // namespace heddle::test

#endif // HEDDLE_TEST_UNIT_RUNTIME_TESTTENSORS_H
