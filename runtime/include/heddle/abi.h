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

#define HEDDLE_ABI_VERSION 9u
/// "HEDDLEBN", little endian: the first eight bytes of a descriptor.
#define HEDDLE_ABI_MAGIC UINT64_C(0x4e42454c44444548)
/// The one symbol a bundle exports: a `heddle_descriptor`.
#define HEDDLE_DESCRIPTOR_SYMBOL "heddle_bundle_descriptor"

/// Element types of tensors in memory.
typedef enum heddle_dtype {
  HEDDLE_F32 = 0,
  HEDDLE_F16 = 1,  /* IEEE 754 binary16 */
  HEDDLE_BF16 = 2, /* the upper half of an f32 */
  HEDDLE_I32 = 3,  /* index tables, lists, CSR */
  HEDDLE_I64 = 4,
  HEDDLE_BOOL = 5, /* one byte, zero or not: maps */
} heddle_dtype;

/// A tensor as a kernel sees it: always four axes in the order
/// (batch, head, sequence, feature), strides in elements. Layouts (bhsd, bshd,
/// packed) are strides and nothing else. The feature stride is 1.
/// `lse` and the other row and column outputs use shape[3] = 1 and
/// stride[3] = 1. Their `data` is NULL when the caller does not want them: a
/// task then skips those writes. `data` may also be NULL where the tensor has
/// no element.
///
/// With `offsets`, the sequences of a batch lie one after the other along axis
/// 2 of one tensor: sequence b has rows [offsets[b], offsets[b + 1]), and
/// stride[0] means nothing. shape[0] is the number of sequences then, shape[2]
/// that of all rows.
typedef struct heddle_view {
  void *data;
  int64_t shape[4];
  int64_t stride[4];
  const int64_t *offsets;
} heddle_view;

/// A run-time table, an operand of a pattern: element [i0, …] is
/// data[sum of stride[a] * i_a]. An axis with one element that stands for all
/// has stride[a] = 0 and shape[a] = 2^31, which no position reaches. A table
/// without elements has `data` to read at index 0 all the same.
///
/// A table of integers is int32 and owned by the plan. `low` and `high` hold
/// its bounds over stretches of the last axis: for every row of the leading
/// axes (pyramid_stride[a] elements from one to the next along axis a) the row
/// itself, then the minima (maxima) of its pairs of neighbours, then those of
/// pairs of pairs, and so on up to one element; a level of n elements is
/// followed by one of (n + 1) / 2. See heddle/index.h.
typedef struct heddle_table {
  const void *data; /* int32_t or float */
  int64_t shape[4];
  int64_t stride[4];
  int32_t rank;
  const int32_t *low, *high;
  int64_t pyramid_stride[4]; /* of the leading axes; 0 for one that repeats */
} heddle_table;

/// A run-time family of sets of integers in [0, size): for every value of its
/// `rank` indices a set, row number sum of stride[a] * i_a. Row r has the bits
/// words[r * words_per_row …] (one word at least), member x in bit x % 64 of
/// word x / 64; before[r * words_per_row + w] is the number of members in
/// earlier words; its members in ascending order are members[starts[r]] …
/// members[starts[r + 1] - 1]. One further word follows the last row, so that
/// 64 bits may be read from any bit.
typedef struct heddle_set {
  int64_t size;
  int32_t rank;
  int64_t shape[3];
  int64_t stride[3];
  const uint64_t *words;
  const int32_t *before;
  int64_t words_per_row;
  const int32_t *members;
  const int64_t *starts;
} heddle_set;

/// The run-time value of a pattern parameter.
typedef union heddle_operand {
  int64_t integer;
  double real;
  const heddle_table *table;
  const heddle_set *set;
} heddle_operand;

/// Questions to tables and sets that take a loop: one text for the runtime, for
/// the tools and for every kernel (heddle/index.h). `row` is the offset of a
/// row's pyramid, or the number of a set's row.
typedef struct heddle_index {
  /// Bounds of the elements at last indices [first, last], moved into the
  /// table.
  void (*span)(const heddle_table *table, int64_t row, int64_t first,
               int64_t last, int64_t out[2]);
  /// The first last-index >= from whose element is in [lo, hi), or with
  /// `outside` is not; the extent of the last axis when there is none.
  int64_t (*seek)(const heddle_table *table, int64_t row, int64_t from,
                  int64_t lo, int64_t hi, int32_t outside);
  /// Of rows first, first + step, … (count of them): out[0] = some row has a
  /// member in [lo, hi], out[1] = every row has all of them, out[2] = the
  /// smallest member above hi of any row (2^62: none), out[3] = the largest one
  /// below lo (-2^62: none).
  void (*probe)(const heddle_set *set, int64_t first, int64_t step,
                int64_t count, int64_t lo, int64_t hi, int64_t out[4]);
  /// The number of members of a row below x.
  int64_t (*rank)(const heddle_set *set, int64_t row, int64_t x);
  /// The member with `rank` members below it; 2^62 when there is none.
  int64_t (*member)(const heddle_set *set, int64_t row, int64_t rank);
} heddle_index;

/// A source of keys and values, and what comes of its keys beside o: outputs
/// in f32 (see heddle_entry).
typedef struct heddle_source {
  heddle_view k, v;
  heddle_view column_sums, block_max;
} heddle_source;

/// The operands of one launch.
///
/// A function of a *linear* kernel (heddle_form) gets views of one stretch of
/// one sequence: their `offsets` are NULL, their `stride[0]` is 0, `data` is
/// that of the stretch, and shape[2] its length; only shape[0] is still the
/// whole batch. `origin` points at one value, the absolute position of the
/// stretch's first query.
typedef struct heddle_args {
  heddle_view q, o, lse;
  /// A further output, f32 (see heddle_entry).
  heddle_view row_max;
  /// `heddle_entry.num_sources` of them.
  const heddle_source *sources;
  /// Absolute position of query 0 of each sequence, one value per sequence.
  const int64_t *origin;
  /// Pattern parameters in the order of `heddle_entry.params`.
  const heddle_operand *operands;
  const heddle_index *index;
  /// Factor on q·k, natural-exponent units (1/sqrt(d) usually).
  float scale;
  /// Of linear kernels, f32, one row per feature of the state
  /// (heddle_entry.state_rows) along axis 2: state_in and state_out (batch,
  /// heads_q, rows, d_v); sums_in, sums_out and factor (batch, heads_q, rows,
  /// 1). `state_in` and `sums_in` always have data, rows of zeros of stride 0
  /// where a sequence begins with nothing; `data` of the others is NULL where
  /// nobody wants them. `factor` is what a stretch multiplies every row of the
  /// state with, the product of all its factors: a "state" function writes it.
  /// state_out may be the memory of state_in, and sums_out that of sums_in:
  /// read before they are written.
  heddle_view state_in, state_out, sums_in, sums_out, factor;
  /// Of a task of several heads (heddle_code.heads): how many it takes at most,
  /// from 1 to that number. It takes `h` and those behind it that share a head
  /// of k and v with it.
  int64_t heads;
} heddle_args;

/// What the kernels of an entry compute.
typedef enum heddle_form {
  HEDDLE_ATTENTION = 0,
  /// A recurrence over a state (attn.linear).
  HEDDLE_LINEAR = 1,
} heddle_form;

/// Computes output rows [tile * query_tile, (tile + 1) * query_tile) of head
/// `h`, or of several heads from `h` on, of sequence `b`; on a token grid those
/// of box number `tile`, boxes counted row by row. `workspace` has
/// `workspace_bytes` bytes, 64-byte aligned, private to the calling thread; its
/// contents need not be kept. Runs with round to nearest, no floating-point
/// traps, and results (not operands) that are denormal flushed to zero where
/// the machine can. Never throws.
///
/// Of a linear kernel it computes all rows of the stretch that its views show,
/// and the state after it; `tile` is 0.
typedef void (*heddle_task_fn)(const heddle_args *args, int64_t b, int64_t h,
                               int64_t tile, void *workspace);

/// Counts what the task (b, h, tile) visits: out[0] full key tiles, out[1]
/// partial key tiles, and, when `exact` is nonzero, out[2] kept
/// (query, key) pairs (otherwise 0). Reads no tensor data: `data` is NULL in
/// every view, and the strides mean nothing. Thread-safe.
typedef void (*heddle_count_fn)(const heddle_args *args, int64_t b, int64_t h,
                                int64_t tile, int32_t exact, int64_t out[3]);

/// Checks the parameters of a problem against what the pattern does with them.
/// Returns 0, or the number (from one) of the first of `heddle_entry.checks`
/// that fails; for a read outside of a table or set, out[0] and out[1] are the
/// smallest and the largest index asked for and out[2] is the extent. Answers
/// for one sequence length and one origin: called once for every distinct pair
/// of them, with `origin` pointing at that value and views of that length
/// (shape[0] is still the whole batch, `offsets` is NULL). Tensors are else as
/// for heddle_count_fn.
typedef int64_t (*heddle_check_fn)(const heddle_args *args, int64_t out[3]);

/// Adds up columns [tile * key_tile, (tile + 1) * key_tile) of head `h` of
/// sequence `b` in the weights of source number `source`, and raises the maxima
/// of the blocks they are in; on a token grid the columns are the tokens of key
/// box number `tile`. Runs after all tasks are done, with lse in place. The
/// sums and maxima are 0 at first. No two threads work on one column at once,
/// nor, but on a token grid, on one column of blocks. Else as heddle_task_fn.
typedef void (*heddle_columns_fn)(const heddle_args *args, int64_t b, int64_t h,
                                  int64_t tile, int64_t source,
                                  void *workspace);

typedef enum heddle_param_kind {
  HEDDLE_INTEGER = 0,
  HEDDLE_REAL = 1,
  HEDDLE_INTEGER_TABLE = 2,
  HEDDLE_REAL_TABLE = 3,
  HEDDLE_SET = 4,
} heddle_param_kind;

/// One run-time parameter of a pattern.
typedef struct heddle_param {
  const char *name;
  heddle_operand default_value; /* meaningful when has_default != 0 */
  int32_t has_default;
  int32_t kind; /* heddle_param_kind */
  /// Axes of a table, indices of a set.
  int32_t rank;
  /// Nonzero when kernels ask for bounds of an integer table (`low`, `high`).
  int32_t needs_bounds;
} heddle_param;

/// Something a problem must satisfy.
typedef struct heddle_check {
  /// NULL for a read, else what to say when the condition fails.
  const char *message;
  /// A read: which parameter, along which of its axes.
  int32_t param;
  int32_t axis;
} heddle_check;

/// What a launch on a device is told beside its operands. A device kernel has
/// one parameter, a block of bytes that holds, one after the other,
///
///   heddle_device_launch
///   heddle_args
///   heddle_source   × heddle_entry.num_sources
///   heddle_operand  × heddle_entry.num_params
///
/// whose pointers are device pointers: `data`, `offsets`, `origin`, the tables
/// and sets of operands (heddle_table, heddle_set and what they point to).
/// `heddle_args.sources`, `operands` and `index` mean nothing there. The grid
/// has one axis; thread group number c computes
///
/// - without `tasks`: tile c % tiles of head c / tiles % heads of sequence
///   c / (tiles * heads);
/// - with them: tasks[8 * c …] = {b, h, tile, part, row_head, row_position,
///   key_begin, key_end}, where `part` takes the place of b in the views of
///   outputs, and the last four are zero.
///
/// A launch of `columns` always has `tasks`: `tile` is one of keys there, and
/// `part` the number of the source.
///
/// So has a launch of packed code (see heddle_code), whose views are those of
/// the tensors, heads and queries as they are: h is a key head there, row_head
/// the first query head that shares it, `tile` counts tiles of those heads, and
/// the last three are the integers of packed code. The results are whole, in
/// the output dtype, where `part` is negative; else they are a part, for which
/// `workspace` has room number `part`: HEDDLE_PARTIAL_FLOATS f32 that begin
/// with o (query_tile, d_v), lse (query_tile) and row_max (query_tile), rows
/// that do not exist unset. The kernel `merge` makes rows of rooms: its
/// tasks[8 * c …] = {b, query head, query, first room, row in the room, number
/// of rooms, 0, 0}, rooms one after the other in the order of their keys.
typedef struct heddle_device_launch {
  const int64_t *tasks;
  int64_t tiles;
  int64_t heads;
  /// Scratch memory in the device's memory, heddle_code.workspace_bytes of it
  /// for each group one after the other, or NULL where that is 0.
  void *workspace;
} heddle_device_launch;

/// The most bytes that the block of a device kernel may have: every driver
/// takes as many.
#define HEDDLE_DEVICE_BLOCK_LIMIT 4000

/// The f32 that the partial result of a group of packed code takes.
#define HEDDLE_PARTIAL_FLOATS(query_tile, d_v)                                 \
  (((query_tile) * ((d_v) + 2) + 15) / 16 * 16)

/// Code for another device than the one that the bundle runs on: a module of
/// that device's own format, which the runtime hands to the device's driver.
typedef struct heddle_device_code {
  /// The family of devices ("nv").
  const char *target;
  /// Symbols of the kernels in the module; NULL for a kernel that there is not.
  const char *task;
  const char *columns;
  /// The module as assembly text, NUL-terminated; `ptx_bytes` does not count
  /// the NUL.
  const char *ptx;
  int64_t ptx_bytes;
  /// The same assembled for exactly `arch`, or NULL.
  const void *cubin;
  int64_t cubin_bytes;
  /// The least compute capability that runs the text, as 10 * major + minor.
  int32_t arch;
  /// Threads of a group.
  int32_t threads;
  /// Shared memory of a group, requested at the launch.
  int64_t shared_bytes;
  /// Those of `columns`; 0 without it.
  int64_t columns_threads;
  int64_t columns_shared_bytes;
  /// Nonzero when products round f32 operands to tf32, 10 bits after the point.
  int32_t tf32;
  /// Of packed code, else NULL and 0. The module of packed code is that of the
  /// ordinary code of its level.
  const char *merge;
  int64_t merge_threads;
  int64_t merge_shared_bytes;
} heddle_device_code;

/// The code of one kernel for one level of one target ("cpu-avx512", …).
///
/// *Packed* code serves short queries: its rows are query heads at one
/// position, and it may be asked for a part of their keys. It takes four more
/// integers behind the operands of `heddle_entry.params`: the query head that
/// row 0 is, the absolute position of all rows, and the first key and the end
/// of the keys to look at. In its `heddle_args` row r of the views q, o, lse
/// and row_max is a head, positions begin at *origin = 0, and o is f32 whatever
/// the output dtype; the outputs are those over the keys looked at. Its `h`
/// counts heads in the views, and means nothing to the pattern. It has neither
/// `check` nor `columns`. A device's is told all that in another form
/// (heddle_device_launch); its `count` is as here.
typedef struct heddle_code {
  /// Unique in its entry.
  const char *level;
  /// Comma-separated names of the instruction-set extensions that must be
  /// present; the empty string for a baseline.
  const char *features;
  heddle_task_fn task;
  heddle_count_fn count;
  heddle_check_fn check;
  /// Of a kernel with column_sums or block_max, else NULL.
  heddle_columns_fn columns;
  int64_t query_tile;
  int64_t key_tile;
  /// Extents of the boxes on a token grid, outermost axis first; 0 otherwise.
  int64_t query_box[3];
  int64_t key_box[3];
  int64_t workspace_bytes;
  /// The most query heads that `task` takes at once (heddle_args.heads), for
  /// which it makes once of keys and values what they share; `count` counts for
  /// one of them. 1 (or 0) for others, which do not look at heddle_args.heads.
  int64_t heads;
  /// The packed code of the level, or NULL.
  const struct heddle_code *packed;
  /// Of linear kernels, which have neither `count`, `columns` nor `packed`.
  /// `state` computes state_out, sums_out and factor of a stretch, and no o: of
  /// kernels with `can_scan`, else NULL. `step` does what `task` does, token by
  /// token; NULL where there is no such code. Their tiles are chunks of
  /// query_tile = key_tile tokens.
  heddle_task_fn state, step;
  /// `slice` does what `task` does, for slice_values of the features of v, o
  /// and the state: its views are of these, and its results bit-equal to those
  /// of `task`. It computes sums_out as well, from all of q and k. NULL and 0
  /// where there is no such code; slice_values divides d_v.
  heddle_task_fn slice;
  int64_t slice_values;
  /// Sequences of at most so many queries are for `step`; where the kernel is
  /// not causal, of keys too.
  int64_t step_tokens;
  /// Floating-point operations of `task` on one chunk of one head.
  double chunk_flop;
  /// Of a level of another device, whose `task` and `columns` are NULL here;
  /// `count` and `check` are functions of this machine all the same. NULL where
  /// the code is for this machine.
  const heddle_device_code *device;
} heddle_code;

/// One kernel: a pattern or recurrence specialised to dtypes and head dims.
typedef struct heddle_entry {
  const char *name;
  const char *pattern;
  int32_t dtype;        /* heddle_dtype of q, k and v */
  int32_t output_dtype; /* heddle_dtype of o */
  /// Nonzero when the set of kept keys depends on the batch / head index.
  int32_t uses_batch;
  int32_t uses_head;
  int64_t d_qk;
  int64_t d_v;
  int64_t num_params;
  const heddle_param *params;
  int64_t num_checks;
  const heddle_check *checks;
  int64_t num_sources;
  /// Axes of the token grid, 0 for plain sequences, and the parameters that are
  /// its extents for queries and for keys, outermost axis first.
  int64_t grid_axes;
  int64_t query_grid[3];
  int64_t key_grid[3];
  /// Nonzero when the weights of a row have a log-sum-exp.
  int32_t has_lse;
  /// Which further outputs there are; of every source the last two.
  int32_t has_row_max;
  int32_t has_column_sums;
  int32_t has_block_max;
  int64_t block_q, block_k;
  /// Best first.
  int64_t num_codes;
  const heddle_code *codes;
  /// heddle_form; what follows is of linear kernels.
  int32_t form;
  /// Nonzero when there are sums (a normaliser divides by them).
  int32_t has_sums;
  /// Nonzero when row i sees keys up to i only; else all keys.
  int32_t is_causal;
  /// Nonzero when a stretch turns a state into factor * state + what it adds,
  /// row by row, so that stretches can be computed in parallel.
  int32_t can_scan;
  /// Rows of the state, one per feature and one more where the normaliser needs
  /// it.
  int64_t state_rows;
  /// The integer parameter that is the width of a window, or -1. Without a
  /// window a causal kernel has seq_k = seq_q.
  int64_t window_param;
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
