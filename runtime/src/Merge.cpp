// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Dtype.h"
#include "MergeRow.h"
#include "Pool.h"
#include "TensorCheck.h"
#include "Tiling.h"

#include <algorithm>

using namespace heddle;
using namespace heddle::runtime;

namespace {

/// One merge: all tensors, checked.
class Merge {
public:
  Merge(const heddle_part *Parts, int64_t NumParts)
      : Given(Parts), Parts(NumParts) {}

  heddle_error *bind(const heddle_tensor *OutO, const heddle_tensor *OutLse);
  void run(heddle_pool &Pool) const;

private:
  struct Part {
    heddle_view O = {}, Lse = {};
    int32_t Dtype = HEDDLE_F32;
  };
  /// What one thread needs for a row.
  struct Scratch {
    float *Sum;
    PartialRow *Rows;
  };

  heddle_error *adoptShape(const heddle_tensor *OutO);
  heddle_error *bindPart(int64_t I, std::vector<BoundTensor> &Bound);
  void mergeRow(int64_t B, int64_t H, int64_t S, const Scratch &Space) const;

  const heddle_part *Given;
  std::vector<Part> Parts;
  Part Out;
  /// (batch, heads, seq, d_v).
  int64_t Shape[4] = {};
};

} // namespace

/// A view of the merge's shape, without data.
static heddle_view viewOf(const int64_t (&Shape)[4], int64_t Width) {
  return {nullptr, {Shape[0], Shape[1], Shape[2], Width}, {}, nullptr};
}

/// Binds a tensor of outputs, whose dtype is its own.
static heddle_error *bindValues(const std::string &Name,
                                const heddle_tensor *Tensor, int32_t &Dtype,
                                heddle_view &View) {
  if (Tensor && !isFloat(Tensor->dtype))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' has dtype {}, expected f32, f16 or bf16",
                     Name, dtypeText(Tensor->dtype));
  Dtype = Tensor ? Tensor->dtype : static_cast<int32_t>(HEDDLE_F32);
  return bindTensor(Name.c_str(), Tensor, 4, Dtype, View);
}

/// The shape of all is that of the output.
heddle_error *Merge::adoptShape(const heddle_tensor *OutO) {
  constexpr int64_t Limit = int64_t(1) << 31;
  if (!OutO || OutO->rank != 4 || !OutO->shape)
    return nullptr;
  std::copy_n(OutO->shape, 4, Shape);
  int64_t Elements = 1;
  bool Empty = std::find(Shape, Shape + 4, 0) != Shape + 4;
  for (int64_t Extent : Shape)
    if (Extent < 0 || Extent > Limit ||
        (!Empty && __builtin_mul_overflow(Elements, Extent, &Elements)))
      return makeError(
          HEDDLE_INVALID_ARGUMENT,
          "tensor 'out_o' has shape ({}), expected extents of 0 to "
          "2^31 and at most 2^63 - 1 elements",
          fmt::join(Shape, ", "));
  return nullptr;
}

heddle_error *Merge::bindPart(int64_t I, std::vector<BoundTensor> &Bound) {
  Part &P = Parts[I];
  P.O = viewOf(Shape, Shape[3]);
  P.Lse = viewOf(Shape, 1);
  std::string Name = fmt::format("parts[{}]", I);
  if (heddle_error *E = bindValues(Name + ".o", Given[I].o, P.Dtype, P.O))
    return E;
  if (heddle_error *E = bindTensor((Name + ".lse").c_str(), Given[I].lse, 3,
                                   HEDDLE_F32, P.Lse))
    return E;
  Bound.push_back({Name + ".o", &P.O, P.Dtype});
  Bound.push_back({Name + ".lse", &P.Lse, HEDDLE_F32});
  return nullptr;
}

/// True if both are one tensor: a row of it may be read, then written.
static bool isSame(const BoundTensor &A, const BoundTensor &B) {
  return A.Dtype == B.Dtype && A.View->data == B.View->data &&
         std::equal(A.View->shape, A.View->shape + 4, B.View->shape) &&
         std::equal(A.View->stride, A.View->stride + 4, B.View->stride);
}

heddle_error *Merge::bind(const heddle_tensor *OutO,
                          const heddle_tensor *OutLse) {
  if (heddle_error *E = adoptShape(OutO))
    return E;
  Out.O = viewOf(Shape, Shape[3]);
  Out.Lse = viewOf(Shape, 1);
  if (heddle_error *E = bindValues("out_o", OutO, Out.Dtype, Out.O))
    return E;
  std::vector<BoundTensor> Outputs = {{"out_o", &Out.O, Out.Dtype}}, Inputs;
  if (OutLse) {
    if (heddle_error *E = bindTensor("out_lse", OutLse, 3, HEDDLE_F32, Out.Lse))
      return E;
    Outputs.push_back({"out_lse", &Out.Lse, HEDDLE_F32});
  }
  for (size_t I = 0; I < Parts.size(); ++I)
    if (heddle_error *E = bindPart(static_cast<int64_t>(I), Inputs))
      return E;
  for (const BoundTensor &Output : Outputs) {
    if (heddle_error *E = checkDistinct(Output))
      return E;
    for (const BoundTensor &Input : Inputs)
      if (!isSame(Output, Input))
        if (heddle_error *E = checkApart(Output, Input))
          return E;
  }
  return Outputs.size() < 2 ? nullptr : checkApart(Outputs[0], Outputs[1]);
}

/// The number of the first element of a row.
static int64_t rowOffset(const heddle_view &View, int64_t B, int64_t H,
                         int64_t S) {
  return B * View.stride[0] + H * View.stride[1] + S * View.stride[2];
}

void Merge::mergeRow(int64_t B, int64_t H, int64_t S,
                     const Scratch &Space) const {
  auto AddressOf = [&](const Part &P) -> void * {
    return static_cast<char *>(P.O.data) +
           rowOffset(P.O, B, H, S) * dtypeBytes(P.Dtype);
  };
  for (size_t P = 0; P < Parts.size(); ++P) {
    const heddle_view &View = Parts[P].Lse;
    float L = static_cast<const float *>(View.data)[rowOffset(View, B, H, S)];
    Space.Rows[P] = {AddressOf(Parts[P]), Parts[P].Dtype,
                     static_cast<double>(L)};
  }
  float Lse = mergeByLse(Space.Rows, Parts.size(), Shape[3], Space.Sum,
                         AddressOf(Out), Out.Dtype);
  if (Out.Lse.data)
    static_cast<float *>(Out.Lse.data)[rowOffset(Out.Lse, B, H, S)] = Lse;
}

void Merge::run(heddle_pool &Pool) const {
  constexpr int64_t Chunk = 64;
  int64_t Rows = Shape[0] * Shape[1] * Shape[2];
  int64_t RowBytes = static_cast<int64_t>(Parts.size() * sizeof(PartialRow));
  int64_t SumBytes = Shape[3] * static_cast<int64_t>(sizeof(float));
  std::atomic<int64_t> Next{0};
  Pool.run(ceilDivide(Rows, Chunk), RowBytes + SumBytes,
           [&](int32_t, void *Workspace) {
             auto *PartRows = static_cast<PartialRow *>(Workspace);
             Scratch Space = {
                 reinterpret_cast<float *>(PartRows + Parts.size()), PartRows};
             int64_t Begin = 0;
             while ((Begin = Next.fetch_add(Chunk)) < Rows)
               for (int64_t Row = Begin; Row < std::min(Begin + Chunk, Rows);
                    ++Row)
                 mergeRow(Row / Shape[2] / Shape[1], Row / Shape[2] % Shape[1],
                          Row % Shape[2], Space);
           });
}

heddle_error *heddle_merge(const heddle_part *parts, int64_t num_parts,
                           const heddle_tensor *out_o,
                           const heddle_tensor *out_lse, heddle_pool *pool) {
  return guarded([&]() -> heddle_error * {
    if (num_parts < 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "'num_parts' is {}, expected 0 or more", num_parts);
    if ((!parts && num_parts > 0) || !pool)
      return makeError(HEDDLE_INVALID_ARGUMENT, "the {} is null",
                       pool ? "list of parts" : "pool");
    Merge M(parts, num_parts);
    if (heddle_error *E = M.bind(out_o, out_lse))
      return E;
    M.run(*pool);
    return nullptr;
  });
}
