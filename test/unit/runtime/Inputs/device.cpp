// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The kernel of FakeKernel.h for a device, row by row: compiled to PTX, so that
// the block of arguments is as a compiler of its own understands heddle/abi.h.

#include "runtime/src/IndexQuestions.h"

using namespace heddle;

namespace {

constexpr int64_t HeadDim = 6, ValueDim = 3, QueryTile = 4, KeyTile = 5;
constexpr int64_t BlockQ = 3, BlockK = 4;
constexpr float Log2E = 1.44269504F, Ln2 = 0.693147181F;

template <int Sources> struct Block {
  heddle_device_launch Launch;
  heddle_args Args;
  heddle_source Source[Sources];
  heddle_operand Operands[2];
};

struct Task {
  int64_t B, H, Tile, Part;
};

int64_t length(const heddle_view &View, int64_t B) {
  return View.offsets ? View.offsets[B + 1] - View.offsets[B] : View.shape[2];
}

float *at(const heddle_view &View, int64_t B, int64_t H, int64_t Row) {
  int64_t Start =
      View.offsets ? View.offsets[B] * View.stride[2] : B * View.stride[0];
  return static_cast<float *>(View.data) + Start + H * View.stride[1] +
         Row * View.stride[2];
}

float exponential(float X) { return __nvvm_ex2_approx_f(X * Log2E); }

Task taskOf(const heddle_device_launch &Launch) {
  int64_t Group = __nvvm_read_ptx_sreg_ctaid_x();
  if (const int64_t *Row = Launch.tasks) {
    Row += 8 * Group;
    return {Row[0], Row[1], Row[2], Row[3]};
  }
  return {Group / (Launch.tiles * Launch.heads),
          Group / Launch.tiles % Launch.heads, Group % Launch.tiles, 0};
}

bool keeps(const heddle_operand *Operands, int Source, int64_t B, int64_t H,
           int64_t Q, int64_t K) {
  if (Source > 0)
    return true;
  const heddle_table &Doc = *Operands[0].table;
  const heddle_set &Keys = *Operands[1].set;
  const auto *Ids = static_cast<const int32_t *>(Doc.data) + B * Doc.stride[0];
  int64_t Row = B * Keys.stride[0] + H * Keys.stride[1];
  return Ids[Q * Doc.stride[1]] == Ids[K * Doc.stride[1]] ||
         index::rank(&Keys, Row, K + 1) > index::rank(&Keys, Row, K);
}

template <int Sources>
float score(const Block<Sources> &Of, int Source, int64_t B, int64_t H,
            int64_t Q, int64_t K) {
  const heddle_view &Keys = Of.Source[Source].k;
  const float *Query = at(Of.Args.q, B, H, Q);
  const float *Key = at(Keys, B, H / (Of.Args.q.shape[1] / Keys.shape[1]), K);
  float Sum = 0;
  for (int64_t F = 0; F < HeadDim; ++F)
    Sum += Query[F] * Key[F];
  return Sum * Of.Args.scale;
}

template <int Sources> void runTask(const Block<Sources> &Of) {
  Task T = taskOf(Of.Launch);
  const heddle_args &Args = Of.Args;
  int64_t Thread = __nvvm_read_ptx_sreg_tid_x();
  int64_t Q = T.Tile * QueryTile + Thread;
  if (Thread >= QueryTile || Q >= length(Args.q, T.B))
    return;
  float Norm = 0, Max = -__builtin_inff(), Values[ValueDim] = {};
  for (int Source = 0; Source < Sources; ++Source) {
    const heddle_view &View = Of.Source[Source].v;
    int64_t Kv = T.H / (Args.q.shape[1] / View.shape[1]);
    for (int64_t K = 0; K < length(View, T.B); ++K) {
      if (!keeps(Of.Operands, Source, T.B, T.H, Q, K))
        continue;
      float S = score(Of, Source, T.B, T.H, Q, K);
      float Weight = exponential(S);
      Max = S > Max ? S : Max;
      Norm += Weight;
      for (int64_t F = 0; F < ValueDim; ++F)
        Values[F] += Weight * at(View, T.B, Kv, K)[F];
    }
  }
  for (int64_t F = 0; F < ValueDim; ++F)
    at(Args.o, T.B, T.H, Q)[F] = Norm > 0 ? Values[F] / Norm : 0;
  if (Args.lse.data)
    *at(Args.lse, T.B, T.H, Q) = __nvvm_lg2_approx_f(Norm) * Ln2;
  if (Args.row_max.data)
    *at(Args.row_max, T.B, T.H, Q) = Max;
}

template <int Sources> void runColumns(const Block<Sources> &Of) {
  Task T = taskOf(Of.Launch);
  const heddle_source &Source = Of.Source[T.Part];
  if (__nvvm_read_ptx_sreg_tid_x() != 0)
    return;
  int64_t Keys = length(Source.k, T.B);
  int64_t End = (T.Tile + 1) * KeyTile < Keys ? (T.Tile + 1) * KeyTile : Keys;
  for (int64_t Q = 0; Q < length(Of.Args.q, T.B); ++Q)
    for (int64_t K = T.Tile * KeyTile; K < End; ++K) {
      if (!keeps(Of.Operands, static_cast<int>(T.Part), T.B, T.H, Q, K))
        continue;
      float Lse = *at(Of.Args.lse, T.B, T.H, Q);
      float Weight = exponential(
          score(Of, static_cast<int>(T.Part), T.B, T.H, Q, K) - Lse);
      if (Source.column_sums.data)
        *at(Source.column_sums, T.B, T.H, K) += Weight;
      if (Source.block_max.data) {
        float &Most = at(Source.block_max, T.B, T.H, Q / BlockQ)[K / BlockK];
        Most = Weight > Most ? Weight : Most;
      }
    }
}

} // namespace

extern "C" {

__attribute__((nvptx_kernel)) void task1(Block<1> Of) { runTask(Of); }
__attribute__((nvptx_kernel)) void task2(Block<2> Of) { runTask(Of); }
__attribute__((nvptx_kernel)) void columns1(Block<1> Of) { runColumns(Of); }
__attribute__((nvptx_kernel)) void columns2(Block<2> Of) { runColumns(Of); }
/// Writes behind its output.
__attribute__((nvptx_kernel)) void astray(Block<1> Of) {
  static_cast<float *>(Of.Args.o.data)[1 << 20] = 1;
}

} // extern "C"
