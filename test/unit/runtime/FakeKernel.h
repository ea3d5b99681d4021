// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kernel written by hand that uses all of the interface: it keeps key k of
// the first source for query q of head h of sequence b when
//
//   doc[b, q] = doc[b, k], or k is in keys[b, h],
//
// and all keys of further sources; softmax, row by row, in f64.

#ifndef HEDDLE_TEST_UNIT_RUNTIME_FAKEKERNEL_H
#define HEDDLE_TEST_UNIT_RUNTIME_FAKEKERNEL_H

#include "Support.h"
#include "codegen/cpu/HostFeatures.h"
#include "heddle/half.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace heddle::test::fake {

constexpr int64_t HeadDim = 6, ValueDim = 3, QueryTile = 4, KeyTile = 5;
constexpr int64_t BlockQ = 3, BlockK = 4;

/// Rows of sequence `B`.
inline int64_t length(const heddle_view &View, int64_t B) {
  return View.offsets ? View.offsets[B + 1] - View.offsets[B] : View.shape[2];
}

inline int64_t offset(const heddle_view &View, int64_t B, int64_t H,
                      int64_t Row) {
  int64_t Start =
      View.offsets ? View.offsets[B] * View.stride[2] : B * View.stride[0];
  return Start + H * View.stride[1] + Row * View.stride[2];
}

template <int32_t Dtype> double read(const heddle_view &View, int64_t At) {
  if (Dtype == HEDDLE_F32)
    return static_cast<const float *>(View.data)[At];
  uint16_t Half = static_cast<const uint16_t *>(View.data)[At];
  return Dtype == HEDDLE_F16 ? heddle_f16_to_f32(Half)
                             : heddle_bf16_to_f32(Half);
}

template <int32_t Dtype>
void write(const heddle_view &View, int64_t At, double Value) {
  auto Float = static_cast<float>(Value);
  if (Dtype == HEDDLE_F32)
    static_cast<float *>(View.data)[At] = Float;
  else
    static_cast<uint16_t *>(View.data)[At] = Dtype == HEDDLE_F16
                                                 ? heddle_f32_to_f16(Float)
                                                 : heddle_f32_to_bf16(Float);
}

inline bool keeps(const heddle_args &Args, size_t Source, int64_t B, int64_t H,
                  int64_t Q, int64_t K) {
  if (Source > 0)
    return true;
  const heddle_table &Doc = *Args.operands[0].table;
  const heddle_set &Keys = *Args.operands[1].set;
  const auto *Ids = static_cast<const int32_t *>(Doc.data) + B * Doc.stride[0];
  int64_t Row = B * Keys.stride[0] + H * Keys.stride[1];
  return Ids[Q * Doc.stride[1]] == Ids[K * Doc.stride[1]] ||
         Args.index->rank(&Keys, Row, K + 1) > Args.index->rank(&Keys, Row, K);
}

template <int32_t In>
double score(const heddle_args &Args, size_t Source, int64_t B, int64_t H,
             int64_t Q, int64_t K) {
  const heddle_view &Keys = Args.sources[Source].k;
  int64_t Kv = H / (Args.q.shape[1] / Keys.shape[1]);
  double Sum = 0;
  for (int64_t F = 0; F < HeadDim; ++F)
    Sum += read<In>(Args.q, offset(Args.q, B, H, Q) + F) *
           read<In>(Keys, offset(Keys, B, Kv, K) + F);
  return Sum * static_cast<double>(Args.scale);
}

template <int32_t In, int32_t Out, int Sources>
void task(const heddle_args *Args, int64_t B, int64_t H, int64_t Tile,
          void *Workspace) {
  // The whole workspace must be there.
  std::fill_n(static_cast<char *>(Workspace), 256, '\7');
  int64_t End = std::min((Tile + 1) * QueryTile, length(Args->q, B));
  for (int64_t Q = Tile * QueryTile; Q < End; ++Q) {
    double Norm = 0, Max = -INFINITY, Values[ValueDim] = {};
    for (int Source = 0; Source < Sources; ++Source) {
      const heddle_view &View = Args->sources[Source].v;
      int64_t Kv = H / (Args->q.shape[1] / View.shape[1]);
      for (int64_t K = 0; K < length(View, B); ++K) {
        if (!keeps(*Args, Source, B, H, Q, K))
          continue;
        double S = score<In>(*Args, Source, B, H, Q, K);
        Max = std::max(Max, S);
        Norm += std::exp(S);
        for (int64_t F = 0; F < ValueDim; ++F)
          Values[F] += std::exp(S) * read<In>(View, offset(View, B, Kv, K) + F);
      }
    }
    for (int64_t F = 0; F < ValueDim; ++F)
      write<Out>(Args->o, offset(Args->o, B, H, Q) + F,
                 Norm > 0 ? Values[F] / Norm : 0);
    if (Args->lse.data)
      write<HEDDLE_F32>(Args->lse, offset(Args->lse, B, H, Q), std::log(Norm));
    if (Args->row_max.data)
      write<HEDDLE_F32>(Args->row_max, offset(Args->row_max, B, H, Q), Max);
  }
}

template <int32_t In>
void columns(const heddle_args *Args, int64_t B, int64_t H, int64_t Tile,
             int64_t Source, void *) {
  const heddle_source &Of = Args->sources[Source];
  int64_t End = std::min((Tile + 1) * KeyTile, length(Of.k, B));
  for (int64_t Q = 0; Q < length(Args->q, B); ++Q)
    for (int64_t K = Tile * KeyTile; K < End; ++K) {
      if (!keeps(*Args, Source, B, H, Q, K))
        continue;
      double Lse = read<HEDDLE_F32>(Args->lse, offset(Args->lse, B, H, Q));
      auto Weight = static_cast<float>(
          std::exp(score<In>(*Args, Source, B, H, Q, K) - Lse));
      if (Of.column_sums.data)
        static_cast<float *>(
            Of.column_sums.data)[offset(Of.column_sums, B, H, K)] += Weight;
      if (Of.block_max.data) {
        float &Block = static_cast<float *>(
            Of.block_max
                .data)[offset(Of.block_max, B, H, Q / BlockQ) + K / BlockK];
        Block = std::max(Block, Weight);
      }
    }
}

template <int Sources>
void count(const heddle_args *Args, int64_t B, int64_t H, int64_t Tile,
           int32_t Exact, int64_t Out[3]) {
  Out[0] = Out[1] = Out[2] = 0;
  int64_t End = std::min((Tile + 1) * QueryTile, length(Args->q, B));
  for (int Source = 0; Source < Sources; ++Source) {
    int64_t Keys = length(Args->sources[Source].k, B);
    for (int64_t K0 = 0; K0 < Keys; K0 += KeyTile) {
      int64_t Kept = 0, All = 0;
      for (int64_t Q = Tile * QueryTile; Q < End; ++Q)
        for (int64_t K = K0; K < std::min(K0 + KeyTile, Keys); ++K, ++All)
          Kept += keeps(*Args, Source, B, H, Q, K);
      Out[0] += Kept == All;
      Out[1] += Kept > 0 && Kept < All;
      Out[2] += Exact ? Kept : 0;
    }
  }
}

/// Checks 1 and 2: a condition, and reads of doc by position.
inline int64_t check(const heddle_args *Args, int64_t Out[3]) {
  int64_t Longest = 0;
  for (int64_t B = 0; B < Args->q.shape[0]; ++B)
    Longest =
        std::max({Longest, length(Args->q, B), length(Args->sources[0].k, B)});
  if (Args->operands[1].set->size < Longest)
    return 1;
  int64_t Extent = Args->operands[0].table->shape[1];
  Out[0] = 0;
  Out[1] = Longest - 1;
  Out[2] = Extent;
  return Longest > Extent ? 2 : 0;
}

/// A bundle with this one kernel.
class Kernel {
public:
  template <int32_t In, int32_t Out, int Sources> static Kernel make() {
    return Kernel(In, Out, Sources,
                  {"fake",
                   "",
                   task<In, Out, Sources>,
                   count<Sources>,
                   check,
                   columns<In>,
                   QueryTile,
                   KeyTile,
                   {},
                   {},
                   256,
                   1,
                   nullptr,
                   nullptr,
                   nullptr,
                   nullptr,
                   0,
                   0,
                   0,
                   nullptr});
  }

  const heddle_kernel *get() const {
    return heddle_bundle_kernel(Bundle.get(), 0);
  }
  /// To be changed before the first plan.
  heddle_entry &entry() { return *Parts->Entry; }
  heddle_code &code() { return *Parts->Code; }

private:
  struct Memory {
    heddle_param Params[2] = {{"doc", {}, 0, HEDDLE_INTEGER_TABLE, 2, 1},
                              {"keys", {}, 0, HEDDLE_SET, 2, 0}};
    heddle_check Checks[2] = {{"'keys' is smaller than the sequence", 0, 0},
                              {nullptr, 0, 1}};
    heddle_code Code[1];
    heddle_entry Entry[1] = {};
    heddle_descriptor Descriptor = {};
    std::string Arch{cpu::hostArch()};
  };

  Kernel(int32_t In, int32_t Out, int64_t Sources, const heddle_code &Code)
      : Parts(std::make_unique<Memory>()) {
    Parts->Code[0] = Code;
    heddle_entry &Entry = Parts->Entry[0];
    Entry.name = "fake";
    Entry.pattern = "documents_or_keys";
    Entry.dtype = In;
    Entry.output_dtype = Out;
    Entry.uses_batch = Entry.uses_head = 1;
    Entry.d_qk = HeadDim;
    Entry.d_v = ValueDim;
    Entry.num_params = 2;
    Entry.params = Parts->Params;
    Entry.num_checks = 2;
    Entry.checks = Parts->Checks;
    Entry.num_sources = Sources;
    Entry.has_lse = Entry.has_row_max = Entry.has_column_sums =
        Entry.has_block_max = 1;
    Entry.block_q = BlockQ;
    Entry.block_k = BlockK;
    Entry.num_codes = 1;
    Entry.codes = Parts->Code;
    Parts->Descriptor = {HEDDLE_ABI_MAGIC,
                         HEDDLE_ABI_VERSION,
                         sizeof(heddle_descriptor),
                         "test",
                         Parts->Arch.c_str(),
                         "{}",
                         1,
                         Parts->Entry};
    heddle_bundle *Opened = nullptr;
    expectOk(heddle_bundle_from_descriptor(&Parts->Descriptor, &Opened));
    Bundle.reset(Opened);
  }

  std::unique_ptr<Memory> Parts;
  Owned<heddle_bundle> Bundle;
};

} // namespace heddle::test::fake

#endif // HEDDLE_TEST_UNIT_RUNTIME_FAKEKERNEL_H
