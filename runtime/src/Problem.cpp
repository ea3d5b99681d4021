// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Problem.h"

#include <cstdint>

using namespace heddle;
using namespace heddle::runtime;

/// The largest size, and the bound on origins: sums and products of a few of
/// them stay within 64 bits.
static constexpr int64_t Limit = int64_t(1) << 31;

static heddle_error *checkSize(const char *Name, int64_t Value) {
  if (Value >= 0 && Value <= Limit)
    return nullptr;
  return makeError(HEDDLE_INVALID_ARGUMENT,
                   "'{}' is {}, expected 0 to 2^31 ({})", Name, Value, Limit);
}

/// True if the product of the factors exceeds 2^63 - 1. None is negative.
template <size_t N> static bool overflows(const int64_t (&Factors)[N]) {
  int64_t Product = 1;
  for (int64_t Factor : Factors)
    if (Factor == 0)
      return false;
  for (int64_t Factor : Factors)
    if (__builtin_mul_overflow(Product, Factor, &Product))
      return true;
  return false;
}

/// One array of sequence offsets against the tensor's length.
static heddle_error *checkOffsets(const char *Name, const int64_t *Offsets,
                                  int64_t Batch, const char *LengthName,
                                  int64_t Length) {
  if (Offsets[0] != 0)
    return makeError(HEDDLE_INVALID_ARGUMENT, "'{}' begins with {}, expected 0",
                     Name, Offsets[0]);
  for (int64_t B = 0; B < Batch; ++B)
    if (Offsets[B + 1] < Offsets[B])
      return makeError(
          HEDDLE_INVALID_ARGUMENT,
          "'{}' has {} after {} at sequence {}: sequences overlap, "
          "expected ascending offsets",
          Name, Offsets[B + 1], Offsets[B], B);
  if (Offsets[Batch] != Length)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'{}' ends with {}, expected '{}', which is {}", Name,
                     Offsets[Batch], LengthName, Length);
  return nullptr;
}

/// Ragged batches and the further sources of a combined kernel.
static heddle_error *checkSequences(const heddle_entry &Entry,
                                    const heddle_problem &P) {
  if ((P.cu_seqlens_q != nullptr) != (P.cu_seqlens_k != nullptr))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'{}' is null though '{}' is not; give both for a ragged "
                     "batch, neither for a plain one",
                     P.cu_seqlens_q ? "cu_seqlens_k" : "cu_seqlens_q",
                     P.cu_seqlens_q ? "cu_seqlens_q" : "cu_seqlens_k");
  if (P.cu_seqlens_q) {
    if (Entry.grid_axes > 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "kernel '{}' works on a token grid, which has no ragged "
                       "batches; leave 'cu_seqlens_q' and 'cu_seqlens_k' null",
                       Entry.name);
    if (heddle_error *E = checkOffsets("cu_seqlens_q", P.cu_seqlens_q, P.batch,
                                       "seq_q", P.seq_q))
      return E;
    if (heddle_error *E = checkOffsets("cu_seqlens_k", P.cu_seqlens_k, P.batch,
                                       "seq_k", P.seq_k))
      return E;
  }
  if (Entry.num_sources > 1 && !P.more_seq_k)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'more_seq_k' is null, expected {} for the further "
                     "sources of kernel '{}'",
                     Entry.num_sources - 1, Entry.name);
  return nullptr;
}

/// Sizes whose product counts something, against 64 bits. `SeqK` are the keys
/// of one source.
static heddle_error *checkProducts(const heddle_entry &Entry,
                                   const heddle_problem &P, int64_t Batch,
                                   int64_t SeqK) {
  // Pairs are summed up over sources, eight at most.
  if (overflows({Batch, P.heads_q, P.seq_q, SeqK, Entry.num_sources}))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the problem has more than 2^63 - 1 (query, key) pairs: "
                     "batch {} x heads_q {} x seq_q {} x seq_k {}",
                     P.batch, P.heads_q, P.seq_q, SeqK);
  if (overflows({Batch, P.heads_q, P.seq_q, Entry.d_qk}) ||
      overflows({Batch, P.heads_q, P.seq_q, Entry.d_v}) ||
      overflows({Batch, P.heads_kv, SeqK, Entry.d_qk}) ||
      overflows({Batch, P.heads_kv, SeqK, Entry.d_v}))
    return makeError(
        HEDDLE_INVALID_ARGUMENT,
        "a tensor has more than 2^63 - 1 elements: batch {}, "
        "heads_q {}, heads_kv {}, seq_q {}, seq_k {}, head dims {} "
        "and {}",
        P.batch, P.heads_q, P.heads_kv, P.seq_q, SeqK, Entry.d_qk, Entry.d_v);
  return nullptr;
}

heddle_error *runtime::checkProblem(const heddle_entry &Entry,
                                    const heddle_problem &P) {
  const struct {
    const char *Name;
    int64_t Value;
  } Sizes[] = {
      {"batch", P.batch},       {"heads_q", P.heads_q},
      {"heads_kv", P.heads_kv}, {"seq_q", P.seq_q},
      {"seq_k", P.seq_k},       {"multiprocessors", P.multiprocessors}};
  for (const auto &Size : Sizes)
    if (heddle_error *E = checkSize(Size.Name, Size.Value))
      return E;
  if (P.heads_q > 0 && (P.heads_kv < 1 || P.heads_q % P.heads_kv != 0))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'heads_q' is {}, expected a multiple of 'heads_kv', "
                     "which is {}",
                     P.heads_q, P.heads_kv);
  if (heddle_error *E = checkSequences(Entry, P))
    return E;
  // The lengths of a ragged batch are those of all its sequences.
  if (heddle_error *E =
          checkProducts(Entry, P, P.cu_seqlens_q ? 1 : P.batch, P.seq_k))
    return E;
  for (int64_t I = 0; I + 1 < Entry.num_sources; ++I) {
    if (heddle_error *E = checkSize(fmt::format("more_seq_k[{}]", I).c_str(),
                                    P.more_seq_k[I]))
      return E;
    if (heddle_error *E = checkProducts(Entry, P, P.batch, P.more_seq_k[I]))
      return E;
  }
  if (P.origin)
    for (int64_t B = 0; B < P.batch; ++B)
      if (P.origin[B] < -Limit || P.origin[B] >= Limit)
        return makeError(
            HEDDLE_INVALID_ARGUMENT,
            "'origin' of sequence {} is {}, expected -2^31 to 2^31 - 1", B,
            P.origin[B]);
  if (Entry.num_params > 0 && !P.params)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'params' is null, expected {} values for kernel '{}'",
                     Entry.num_params, Entry.name);
  return nullptr;
}

/// The extents of one grid against the sequence that it lays out.
static heddle_error *checkExtents(const heddle_entry &Entry,
                                  const heddle_problem &P,
                                  const int64_t (&Grid)[3],
                                  const char *LengthName, int64_t Length) {
  int64_t Tokens = 1;
  bool TooMany = false;
  std::string Text;
  for (int64_t Axis = 0; Axis < Entry.grid_axes; ++Axis) {
    int64_t Extent = P.params[Grid[Axis]].integer;
    const char *Name = Entry.params[Grid[Axis]].name;
    if (Extent < 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "parameter '{}' is {}, expected the extent of a token "
                       "grid, 0 or more",
                       Name, Extent);
    TooMany |= __builtin_mul_overflow(Tokens, Extent, &Tokens);
    Text += fmt::format("{}'{}' {}", Axis ? " x " : "", Name, Extent);
  }
  if (TooMany || Tokens != Length)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the token grid {} does not have '{}' tokens, which is {}",
                     Text, LengthName, Length);
  return nullptr;
}

heddle_error *runtime::checkGrid(const heddle_entry &Entry,
                                 const heddle_problem &P) {
  if (Entry.grid_axes == 0)
    return nullptr;
  if (heddle_error *E =
          checkExtents(Entry, P, Entry.query_grid, "seq_q", P.seq_q))
    return E;
  if (heddle_error *E =
          checkExtents(Entry, P, Entry.key_grid, "seq_k", P.seq_k))
    return E;
  for (int64_t B = 0; P.origin && B < P.batch; ++B)
    if (P.origin[B] != 0)
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "'origin' of sequence {} is {}, expected 0: kernel '{}' "
                       "works on a token grid",
                       B, P.origin[B], Entry.name);
  return nullptr;
}
