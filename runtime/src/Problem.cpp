// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Problem.h"

#include <cstdint>

using namespace heddle;
using namespace heddle::runtime;

/// The largest size, and the largest magnitude of an origin or parameter: sums
/// and products of a few of them stay within 64 bits.
static constexpr int64_t Limit = int64_t(1) << 31;

static heddle_error *checkSize(const char *Name, int64_t Value) {
  if (Value >= 0 && Value <= Limit)
    return nullptr;
  return makeError(HEDDLE_INVALID_ARGUMENT,
                   "'{}' is {}, expected 0 to 2^31 ({})", Name, Value, Limit);
}

static bool inRange(int64_t Value) { return Value >= -Limit && Value <= Limit; }

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

heddle_error *runtime::checkProblem(const heddle_entry &Entry,
                                    const heddle_problem &P) {
  const struct {
    const char *Name;
    int64_t Value;
  } Sizes[] = {{"batch", P.batch},
               {"heads_q", P.heads_q},
               {"heads_kv", P.heads_kv},
               {"seq_q", P.seq_q},
               {"seq_k", P.seq_k}};
  for (const auto &Size : Sizes)
    if (heddle_error *E = checkSize(Size.Name, Size.Value))
      return E;
  if (P.heads_q > 0 && (P.heads_kv < 1 || P.heads_q % P.heads_kv != 0))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'heads_q' is {}, expected a multiple of 'heads_kv', "
                     "which is {}",
                     P.heads_q, P.heads_kv);
  if (overflows({P.batch, P.heads_q, P.seq_q, P.seq_k}))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "the problem has more than 2^63 - 1 (query, key) pairs: "
                     "batch {} x heads_q {} x seq_q {} x seq_k {}",
                     P.batch, P.heads_q, P.seq_q, P.seq_k);
  if (overflows({P.batch, P.heads_q, P.seq_q, Entry.d_qk}) ||
      overflows({P.batch, P.heads_q, P.seq_q, Entry.d_v}) ||
      overflows({P.batch, P.heads_kv, P.seq_k, Entry.d_qk}) ||
      overflows({P.batch, P.heads_kv, P.seq_k, Entry.d_v}))
    return makeError(
        HEDDLE_INVALID_ARGUMENT,
        "a tensor has more than 2^63 - 1 elements: batch {}, "
        "heads_q {}, heads_kv {}, seq_q {}, seq_k {}, head dims {} "
        "and {}",
        P.batch, P.heads_q, P.heads_kv, P.seq_q, P.seq_k, Entry.d_qk,
        Entry.d_v);
  if (P.origin)
    for (int64_t B = 0; B < P.batch; ++B)
      if (!inRange(P.origin[B]))
        return makeError(
            HEDDLE_INVALID_ARGUMENT,
            "'origin' of sequence {} is {}, expected -2^31 to 2^31", B,
            P.origin[B]);
  if (Entry.num_params > 0 && !P.params)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'params' is null, expected {} values for kernel '{}'",
                     Entry.num_params, Entry.name);
  for (int64_t I = 0; I < Entry.num_params; ++I)
    if (!inRange(P.params[I]))
      return makeError(HEDDLE_INVALID_ARGUMENT,
                       "parameter '{}' is {}, expected -2^31 to 2^31",
                       Entry.params[I].name, P.params[I]);
  return nullptr;
}
