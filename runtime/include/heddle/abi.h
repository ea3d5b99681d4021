// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a bundle exports and what a kernel receives. Everything here is plain
// C data with a fixed layout: the compiler emits it as constants, the runtime
// reads it, and the JIT hands over the very same structures from memory.
//
// A change of any structure below must raise HEDDLE_ABI_VERSION.

#ifndef HEDDLE_ABI_H
#define HEDDLE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEDDLE_ABI_VERSION 1u
/// "HEDDLEBN", little endian: the first eight bytes of a descriptor.
#define HEDDLE_ABI_MAGIC UINT64_C(0x4e42454c44444548)
/// The one symbol a bundle exports: a `heddle_descriptor`.
#define HEDDLE_DESCRIPTOR_SYMBOL "heddle_bundle_descriptor"

/// Element types of tensors in memory.
typedef enum heddle_dtype {
  HEDDLE_F32 = 0,
} heddle_dtype;

/// A tensor as a kernel sees it: always four axes in the order
/// (batch, head, sequence, feature), strides in elements. Layouts (bhsd, bshd,
/// packed) are strides and nothing else. The feature stride is 1.
/// `lse` uses shape[3] = 1 and stride[3] = 1. `lse.data` is NULL when the
/// caller does not want it: a task then skips those writes. `data` may also be
/// NULL where the tensor has no element.
typedef struct heddle_view {
  void *data;
  int64_t shape[4];
  int64_t stride[4];
} heddle_view;

/// The operands of one attention launch.
typedef struct heddle_args {
  heddle_view q, k, v, o, lse;
  /// Absolute position of query 0 of each sequence, `q.shape[0]` values.
  const int64_t *origin;
  /// Pattern parameters in the order of `heddle_entry.params`.
  const int64_t *params;
  /// Factor on q·k, natural-exponent units (1/sqrt(d) usually).
  float scale;
} heddle_args;

/// Computes output rows [tile * query_tile, (tile + 1) * query_tile) of head
/// `h` of sequence `b`. `workspace` has `workspace_bytes` bytes, 64-byte
/// aligned, private to the calling thread; its contents need not be kept. Runs
/// with round to nearest, no floating-point traps, and results (not operands)
/// that are denormal flushed to zero where the machine can. Never throws.
typedef void (*heddle_task_fn)(const heddle_args *args, int64_t b, int64_t h,
                               int64_t tile, void *workspace);

/// Counts what the task (b, h, tile) visits: out[0] full key tiles, out[1]
/// partial key tiles, and, when `exact` is nonzero, out[2] kept
/// (query, key) pairs (otherwise 0). Reads no tensor data: `data` is NULL in
/// every view, and the strides mean nothing. Thread-safe.
typedef void (*heddle_count_fn)(const heddle_args *args, int64_t b, int64_t h,
                                int64_t tile, int32_t exact, int64_t out[3]);

/// One run-time parameter of a pattern.
typedef struct heddle_param {
  const char *name;
  int64_t default_value; /* meaningful when has_default != 0 */
  int32_t has_default;
} heddle_param;

/// The code of one kernel for one level of one target ("cpu-avx512", …).
typedef struct heddle_code {
  /// Unique in its entry.
  const char *level;
  /// Comma-separated names of the instruction-set extensions that must be
  /// present; the empty string for a baseline.
  const char *features;
  heddle_task_fn task;
  heddle_count_fn count;
  int64_t query_tile;
  int64_t key_tile;
  int64_t workspace_bytes;
} heddle_code;

/// One kernel: a pattern specialised to a dtype and head dims.
typedef struct heddle_entry {
  const char *name;
  const char *pattern;
  int32_t dtype; /* heddle_dtype */
  /// Nonzero when the set of kept keys depends on the batch / head index.
  int32_t uses_batch;
  int32_t uses_head;
  int64_t d_qk;
  int64_t d_v;
  int64_t num_params;
  const heddle_param *params;
  /// Best first.
  int64_t num_codes;
  const heddle_code *codes;
} heddle_entry;

/// The whole bundle.
typedef struct heddle_descriptor {
  uint64_t magic;
  uint32_t abi_version;
  /// sizeof(heddle_descriptor) of the compiler that wrote it.
  uint32_t size;
  const char *compiler; /* "heddle 0.1.0" */
  const char *arch;     /* "x86_64", "aarch64": the first part of the triple */
  const char *manifest; /* JSON text */
  int64_t num_entries;
  const heddle_entry *entries;
} heddle_descriptor;

#ifdef __cplusplus
}
#endif

#endif // HEDDLE_ABI_H
