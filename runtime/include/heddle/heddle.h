// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The Heddle runtime: open a bundle, look at what it holds, plan a problem,
// launch it on CPU threads. Plain C, no dependency but the C library.
//
//   heddle_bundle *bundle;  const heddle_kernel *kernel;
//   heddle_plan *plan;      heddle_pool *pool;
//   heddle_error *error = heddle_bundle_open("liba_shape.so", &bundle);
//   ...
//
// Every function that can fail returns NULL on success or an error object that
// the caller frees. On failure, output parameters are set to NULL and no tensor
// has been written.

#ifndef HEDDLE_HEDDLE_H
#define HEDDLE_HEDDLE_H

#include "heddle/abi.h"

#if defined(__GNUC__)
#define HEDDLE_API __attribute__((visibility("default")))
#else
#define HEDDLE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct heddle_error heddle_error;
typedef struct heddle_bundle heddle_bundle;
typedef struct heddle_kernel heddle_kernel;
typedef struct heddle_plan heddle_plan;
typedef struct heddle_pool heddle_pool;

/// What kind of thing went wrong; the message says what exactly.
typedef enum heddle_code_kind {
  HEDDLE_INVALID_ARGUMENT = 1, /* a shape, parameter or pointer is wrong */
  HEDDLE_NOT_FOUND = 2,        /* no such file, kernel or parameter */
  HEDDLE_INVALID_BUNDLE = 3,   /* not a bundle, or damaged */
  HEDDLE_VERSION_MISMATCH = 4, /* a bundle of another ABI version */
  HEDDLE_UNSUPPORTED = 5,      /* another architecture, or code this machine
                                  cannot run */
  HEDDLE_OUT_OF_MEMORY = 6,
  HEDDLE_DEVICE_FAILED = 7, /* a device's driver reports it */
} heddle_code_kind;

/// Lower-case sentence without a full stop: what was found, what was expected.
/// Valid until the error is freed.
HEDDLE_API const char *heddle_error_message(const heddle_error *error);
HEDDLE_API heddle_code_kind heddle_error_kind(const heddle_error *error);
/// Frees `error`; NULL is allowed.
HEDDLE_API void heddle_error_free(heddle_error *error);

/// The runtime's own version, for example "0.1.0".
HEDDLE_API const char *heddle_version(void);

/// Opens a bundle file (a shared library written by `heddle compile`).
HEDDLE_API heddle_error *heddle_bundle_open(const char *path,
                                            heddle_bundle **out);
/// Wraps a descriptor that is already in memory (a JIT's, or a bundle linked
/// into the program). The descriptor must outlive the bundle.
HEDDLE_API heddle_error *
heddle_bundle_from_descriptor(const heddle_descriptor *descriptor,
                              heddle_bundle **out);
/// Closes the bundle; its kernels and plans must not be used any more.
HEDDLE_API void heddle_bundle_close(heddle_bundle *bundle);
/// The manifest, JSON text owned by the bundle.
HEDDLE_API const char *heddle_bundle_manifest(const heddle_bundle *bundle);
HEDDLE_API int64_t heddle_bundle_num_kernels(const heddle_bundle *bundle);
/// The i-th kernel, 0 <= i < heddle_bundle_num_kernels; NULL outside.
HEDDLE_API const heddle_kernel *
heddle_bundle_kernel(const heddle_bundle *bundle, int64_t i);
/// The kernel called `name`.
HEDDLE_API heddle_error *heddle_bundle_find(const heddle_bundle *bundle,
                                            const char *name,
                                            const heddle_kernel **out);

/// What the kernel is: name, pattern, dtype, head dims, parameters.
HEDDLE_API const heddle_entry *heddle_kernel_entry(const heddle_kernel *kernel);
/// The code this machine will run: the first listed level whose instruction-set
/// extensions are all present. The environment variable HEDDLE_LEVEL names a
/// level to use instead. Fails with HEDDLE_UNSUPPORTED when there is none,
/// naming what the bundle holds and what the machine lacks. The environment
/// variable HEDDLE_CPU_FEATURES, a comma-separated list of extension names,
/// hides every extension it does not list (it cannot add one), so that a
/// machine can stand in for a lesser one. Code for a device (heddle/device.h)
/// is passed over.
HEDDLE_API heddle_error *heddle_kernel_code(const heddle_kernel *kernel,
                                            const heddle_code **out);

/// The code called `level`, whatever HEDDLE_LEVEL says. Fails with
/// HEDDLE_NOT_FOUND when the kernel has no such level, and with
/// HEDDLE_UNSUPPORTED when this machine lacks an extension that it needs, or
/// when it is code for a device.
HEDDLE_API heddle_error *heddle_kernel_code_at(const heddle_kernel *kernel,
                                               const char *level,
                                               const heddle_code **out);

/// A tensor of the caller, as in DLPack: element strides, NULL for row major.
/// Axes are (batch, head, sequence, feature); lse has the first three only.
/// The feature stride must be 1 where the feature axis is longer than 1; other
/// strides of inputs may be anything, zero included. `data` may be NULL only
/// where the tensor is empty.
typedef struct heddle_tensor {
  void *data;
  int32_t dtype; /* heddle_dtype */
  int32_t rank;
  const int64_t *shape;
  const int64_t *strides;
} heddle_tensor;

/// How the sets of a parameter are given.
typedef enum heddle_set_format {
  /// `indices` (axes…, capacity): sorted members, of which the first
  /// `lengths` (axes…) count; all of them where `lengths` is NULL.
  HEDDLE_LISTS = 0,
  /// The last axis in CSR: `indptr` (axes but the last…, rows + 1), and
  /// `indices` (axes but the last…, capacity); row r has members
  /// indices[indptr[r]] … indices[indptr[r + 1] - 1], sorted.
  HEDDLE_CSR = 1,
  /// `map` (axes…, size), boolean.
  HEDDLE_MAP = 2,
} heddle_set_format;

/// The sets of a parameter; members lie in [0, size). Index tensors are i32 or
/// i64, of any strides. An axis of extent 1 stands for all values of its index.
typedef struct heddle_sets {
  int32_t format; /* heddle_set_format */
  int64_t size;
  const heddle_tensor *indices, *lengths, *indptr, *map;
} heddle_sets;

/// The value of a parameter: the member that the parameter's kind calls for.
/// Integer tables are i32 or i64, real tables f32, of any strides; an axis of
/// extent 1 stands for all values of its index.
typedef struct heddle_value {
  int64_t integer;
  double real;
  const heddle_tensor *table;
  const heddle_sets *sets;
} heddle_value;

/// Sizes of one problem: each in [0, 2^31], heads_q a multiple of heads_kv, and
/// batch * heads_q * seq_q * seq_k at most 2^63 - 1. Every origin, integer
/// parameter and element of an integer table lies in [-2^31, 2^31), members of
/// sets in [0, size).
///
/// Initialise with zeros: `heddle_problem p = {0}`.
typedef struct heddle_problem {
  int64_t batch;
  int64_t heads_q;
  int64_t heads_kv;
  int64_t seq_q;
  int64_t seq_k;
  /// `batch` values, or NULL for all zero. A token grid allows zero only.
  const int64_t *origin;
  /// One value per parameter of the kernel, or NULL when it has none.
  const heddle_value *params;
  /// Ragged batches: sequence b has queries [cu_seqlens_q[b], cu_seqlens_q[b +
  /// 1]) and keys likewise, batch + 1 ascending values each from 0; tensors
  /// then have batch extent 1 and all sequences along axis 2, seq_q and seq_k
  /// in all. NULL for plain batches; both or neither.
  const int64_t *cu_seqlens_q;
  const int64_t *cu_seqlens_k;
  /// Keys of the further sources of a combined kernel, num_sources - 1 values.
  const int64_t *more_seq_k;
  /// Nonzero: the members of sets are known to be valid (sorted, in range) and
  /// are not examined again. Wrong ones then have undefined results. Shapes,
  /// lengths and offsets are always checked.
  int32_t trusted;
  /// Into how many segments, at most, a linear kernel with `can_scan` cuts each
  /// sequence, for threads to work on at once; 0 leaves it to the plan. Changes
  /// results by rounding.
  int64_t segments;
  /// Of the device that device code is planned for (heddle_device_info); 0: as
  /// many as large ones have. The keys of short queries are split so that its
  /// multiprocessors are busy, which changes results by rounding.
  int64_t multiprocessors;
  /// Threads that launches are to run on, for a linear kernel with `segments`
  /// 0: sequences are cut so that each has something to do, and not at all
  /// where each has without that. 0: unknown, cut as for many. Changes results
  /// by rounding; any number of threads may run the plan.
  int64_t threads;
} heddle_problem;

/// How much work a problem is. Of a linear kernel the full tiles are its chunks
/// and the pairs those that its weights would have: all pairs, or where it is
/// causal those of keys not behind the query.
typedef struct heddle_stats {
  int64_t tiles_full;
  int64_t tiles_partial;
  int64_t tiles_empty;
  int64_t kept_pairs; /* over all batches and query heads */
} heddle_stats;

/// Orders the tasks of a problem longest first. Takes the packed code of the
/// level, where there is such code, when it computes fewer rows. Checks and
/// copies origin,
/// integer tables and sets; real tables are read where they are until the last
/// launch. Beside tables and sets (a set of n members in [0, size) takes 4 n +
/// 3/16 size bytes), uses memory proportional to the number of query tiles,
/// never to keys.
HEDDLE_API heddle_error *heddle_plan_create(const heddle_kernel *kernel,
                                            const heddle_problem *problem,
                                            heddle_plan **out);
/// Like heddle_plan_create, for the code `code` of the same kernel, as obtained
/// from heddle_kernel_code, heddle_kernel_code_at or heddle_device_code_of.
/// Where it is for a device, packed code is taken if it has less to do on each
/// multiprocessor.
HEDDLE_API heddle_error *heddle_plan_create_with(const heddle_kernel *kernel,
                                                 const heddle_code *code,
                                                 const heddle_problem *problem,
                                                 heddle_plan **out);
HEDDLE_API void heddle_plan_destroy(heddle_plan *plan);
/// The code that the plan was made for.
HEDDLE_API const heddle_code *heddle_plan_code(const heddle_plan *plan);
/// 0 where the plan runs that code. Where it runs the packed code of its level
/// instead, which takes the query heads that share a key head for rows: the
/// number of parts, at most, that the keys of a row are split into.
HEDDLE_API int64_t heddle_plan_parts(const heddle_plan *plan);
/// Number of tasks: one per head and query tile of every sequence, or per head
/// and box of the token grid; in packed code one per part of the keys, for
/// every query and tile of heads.
HEDDLE_API int64_t heddle_plan_num_tasks(const heddle_plan *plan);
/// Milliseconds that checking and preparing tables and sets took.
HEDDLE_API double heddle_plan_index_time(const heddle_plan *plan);
/// Bytes of index memory the plan holds (for reports).
HEDDLE_API int64_t heddle_plan_bytes(const heddle_plan *plan);
/// Counts tiles and kept pairs exactly, on the threads of `pool`.
HEDDLE_API heddle_error *heddle_plan_stats(const heddle_plan *plan,
                                           heddle_pool *pool,
                                           heddle_stats *out);

/// A fixed set of worker threads; the calling thread is one of them. `threads`
/// 0 means one per core that the calling thread may run on, at most 1024.
/// Threads are pinned when there is a core for each, the calling thread only
/// while it works; HEDDLE_PIN=0 in the environment prevents it. Launches from
/// several host threads on one pool take turns. Destroying a pool waits for the
/// launch that is running; no other may start.
HEDDLE_API heddle_error *heddle_pool_create(int32_t threads, heddle_pool **out);
HEDDLE_API void heddle_pool_destroy(heddle_pool *pool);
HEDDLE_API int32_t heddle_pool_threads(const heddle_pool *pool);

/// The tensors of one launch:
///
///   q    (batch, heads_q,  seq_q, d_qk)      o    (batch, heads_q, seq_q, d_v)
///   k    (batch, heads_kv, seq_k, d_qk)      lse  (batch, heads_q, seq_q)
///   v    (batch, heads_kv, seq_k, d_v)
///
/// q, k and v have the kernel's dtype, o its output dtype, all else is f32.
///
/// A combined kernel takes the k and v of its further sources from more_k and
/// more_v, num_sources - 1 tensors each, with more_seq_k rows; they have one
/// part per sequence, in ragged batches too: (batch, heads_kv, more_seq_k[i],
/// …).
///
/// Further outputs, each NULL where it is not wanted: row_max (batch, heads_q,
/// seq_q), column_sums (batch, heads_q, seq_k) and block_max (batch, heads_q,
/// ceil(seq_q / block_q), ceil(seq_k / block_k)). A kernel must have been
/// compiled to give them. On a token grid a query or key is a token, by its
/// row-major number. In a ragged batch the blocks of each sequence begin anew:
/// block_max has the block rows of all sequences one after the other along axis
/// 2, and as many columns as the sequence with most keys.
///
/// column_sums and block_max are those of the first source. Those of the
/// further sources of a combined kernel go to more_column_sums and
/// more_block_max, num_sources - 1 tensors each: (batch, heads_q,
/// more_seq_k[i]) and (batch, heads_q, ceil(seq_q / block_q),
/// ceil(more_seq_k[i] / block_k)), of weights that all sources of a row share;
/// in a ragged batch the former have one part per sequence, and the latter the
/// block rows of block_max. Either array may be NULL, and so may each of its
/// elements, where nothing is wanted.
///
/// Linear kernels (heddle_entry.form) have no lse and no further outputs, but a
/// state, in f32, one per sequence, in ragged batches too:
///
///   state_in, state_out (batch, heads_q, state_rows, d_v)
///   sums_in,  sums_out  (batch, heads_q, state_rows), of kernels with sums
///
/// Row f of a state is feature f of the keys; features and the further row that
/// some kernels have are in the documentation of attn.recurrence. NULL inputs
/// stand for zeros, NULL outputs are not wanted. The state that comes out,
/// given to the launch of what follows with `origin` moved on, continues the
/// sequence. Of a kernel with a window of w keys it covers the keys at a
/// distance of w and more from the last query, and what follows takes the last
/// w keys again. state_out may be the very tensor state_in, and sums_out
/// sums_in: the state is then advanced in place.
///
/// `lse` may be NULL; it must be where the kernel has none. Else no element of
/// an output may share memory with another element of any tensor; sharing is
/// reported where it is plain (equal addresses, zero strides, overlapping
/// gapless tensors) and undefined otherwise. `scale` is the factor on q·k,
/// finite; 0 means 1/sqrt(d_qk).
typedef struct heddle_tensors {
  const heddle_tensor *q, *k, *v, *o, *lse;
  float scale;
  const heddle_tensor *const *more_k, *const *more_v;
  const heddle_tensor *row_max, *column_sums, *block_max;
  const heddle_tensor *const *more_column_sums, *const *more_block_max;
  const heddle_tensor *state_in, *state_out, *sums_in, *sums_out;
} heddle_tensors;

/// Runs a plan on the threads of `pool`. Checks every tensor against the plan
/// first; nothing is written when a check fails. Rows that keep no key get
/// o = 0 and lse = -infinity. Results are bit-equal for any number of threads.
/// The floating-point environment of the caller is left as it was.
HEDDLE_API heddle_error *heddle_launch(const heddle_plan *plan,
                                       const heddle_tensors *tensors,
                                       heddle_pool *pool);

/// One partial result: o (batch, heads, seq, d_v) of any dtype and its lse
/// (batch, heads, seq), f32.
typedef struct heddle_part {
  const heddle_tensor *o, *lse;
} heddle_part;

/// Merges partial softmax results over disjoint sets of keys into the result
/// over all of them: with L = log sum of exp(lse_p), o = sum of exp(lse_p - L)
/// o_p and lse = L. A part with lse = -infinity is neutral, whatever its o;
/// without any part but these, o = 0 and lse = -infinity. All tensors have one
/// shape; parts and output may differ in dtype. Sums are in f32. Merging is
/// associative up to rounding. `out_lse` may be NULL; outputs may be the
/// tensors of one part.
HEDDLE_API heddle_error *heddle_merge(const heddle_part *parts,
                                      int64_t num_parts,
                                      const heddle_tensor *out_o,
                                      const heddle_tensor *out_lse,
                                      heddle_pool *pool);

#ifdef __cplusplus
}
#endif

#endif // HEDDLE_HEDDLE_H
