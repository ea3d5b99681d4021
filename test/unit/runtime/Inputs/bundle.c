// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A bundle written by hand: a causal window k in (q - window, q], or by head
// and batch where the parameters say so, computed row by row. Macros make it
// wrong in one way each.

#include "heddle/abi.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#ifndef TEST_MAGIC
#define TEST_MAGIC HEDDLE_ABI_MAGIC
#endif
#ifndef TEST_VERSION
#define TEST_VERSION HEDDLE_ABI_VERSION
#endif
#ifndef TEST_SIZE
#define TEST_SIZE sizeof(heddle_descriptor)
#endif
#ifndef TEST_ARCH
#if defined(__x86_64__)
#define TEST_ARCH "x86_64"
#elif defined(__aarch64__)
#define TEST_ARCH "aarch64"
#else
#define TEST_ARCH "riscv64"
#endif
#endif
#ifndef TEST_SYMBOL
#define TEST_SYMBOL heddle_bundle_descriptor
#endif
#ifndef TEST_BASELINE_FEATURES
#define TEST_BASELINE_FEATURES ""
#endif
#ifndef TEST_ERROR
#define TEST_ERROR 0.0F
#endif
#ifndef TEST_LEVELS
#define TEST_LEVELS 3
#endif

enum { HeadDim = 8, ValueDim = 4, QueryTile = 5, KeyTile = 7 };

static int64_t minimum(int64_t A, int64_t B) { return A < B ? A : B; }
static int64_t maximum(int64_t A, int64_t B) { return A > B ? A : B; }

/// Keys [*Begin, *End) that row I keeps. The second kernel's window grows with
/// the head and the batch.
static void keptKeys(const heddle_args *Args, int64_t B, int64_t H, int64_t I,
                     int Grows, int64_t *Begin, int64_t *End) {
  int64_t Position = I + Args->origin[B];
  int64_t Window = Args->operands[0].integer + (Grows ? H + 10 * B : 0);
  *Begin = maximum(0, Position - Window + 1);
  *End = minimum(Args->sources[0].k.shape[2], Position + 1);
  if (*End < *Begin)
    *End = *Begin;
}

static void count(const heddle_args *Args, int64_t B, int64_t H, int64_t Tile,
                  int32_t Exact, int64_t Out[3], int Grows) {
  Out[0] = Out[1] = Out[2] = 0;
  int64_t Rows = minimum(Args->q.shape[2], (Tile + 1) * QueryTile);
  for (int64_t K0 = 0; K0 < Args->sources[0].k.shape[2]; K0 += KeyTile) {
    int64_t K1 = minimum(K0 + KeyTile, Args->sources[0].k.shape[2]);
    int64_t Kept = 0, All = 0;
    for (int64_t I = Tile * QueryTile; I < Rows; ++I) {
      int64_t Begin = 0, End = 0;
      keptKeys(Args, B, H, I, Grows, &Begin, &End);
      Kept += maximum(0, minimum(End, K1) - maximum(Begin, K0));
      All += K1 - K0;
    }
    Out[0] += Kept == All;
    Out[1] += Kept > 0 && Kept < All;
    Out[2] += Exact ? Kept : 0;
  }
}

static void task(const heddle_args *Args, int64_t B, int64_t H, int64_t Tile,
                 void *Workspace, int Grows, float Error) {
  double *Sum = (double *)Workspace;
  int64_t Kv = H / (Args->q.shape[1] / Args->sources[0].k.shape[1]);
  int64_t Rows = minimum(Args->q.shape[2], (Tile + 1) * QueryTile);
  for (int64_t I = Tile * QueryTile; I < Rows; ++I) {
    const float *Q = (const float *)Args->q.data + B * Args->q.stride[0] +
                     H * Args->q.stride[1] + I * Args->q.stride[2];
    float *O = (float *)Args->o.data + B * Args->o.stride[0] +
               H * Args->o.stride[1] + I * Args->o.stride[2];
    double Max = -INFINITY, Norm = 0;
    for (int F = 0; F < ValueDim; ++F)
      Sum[F] = 0;
    int64_t Begin = 0, End = 0;
    keptKeys(Args, B, H, I, Grows, &Begin, &End);
    for (int64_t J = Begin; J < End; ++J) {
      const float *K = (const float *)Args->sources[0].k.data +
                       B * Args->sources[0].k.stride[0] +
                       Kv * Args->sources[0].k.stride[1] +
                       J * Args->sources[0].k.stride[2];
      const float *V = (const float *)Args->sources[0].v.data +
                       B * Args->sources[0].v.stride[0] +
                       Kv * Args->sources[0].v.stride[1] +
                       J * Args->sources[0].v.stride[2];
      double Score = 0;
      for (int F = 0; F < HeadDim; ++F)
        Score += (double)Q[F] * K[F];
      Score *= Args->scale;
      double NewMax = fmax(Max, Score);
      double Old = Norm > 0 ? exp(Max - NewMax) : 0,
             Weight = exp(Score - NewMax);
      Norm = Norm * Old + Weight;
      for (int F = 0; F < ValueDim; ++F)
        Sum[F] = Sum[F] * Old + Weight * V[F];
      Max = NewMax;
    }
    for (int F = 0; F < ValueDim; ++F)
      O[F] = Norm > 0 ? (float)(Sum[F] / Norm) * (1 + Error) : 0;
    if (Args->lse.data)
      *((float *)Args->lse.data + B * Args->lse.stride[0] +
        H * Args->lse.stride[1] + I * Args->lse.stride[2]) =
          Norm > 0 ? (float)(Max + log(Norm)) : -INFINITY;
  }
}

static void windowTask(const heddle_args *Args, int64_t B, int64_t H,
                       int64_t Tile, void *Workspace) {
  task(Args, B, H, Tile, Workspace, 0, 0);
}
static void windowTaskAlternative(const heddle_args *Args, int64_t B, int64_t H,
                                  int64_t Tile, void *Workspace) {
  task(Args, B, H, Tile, Workspace, 0, TEST_ERROR);
}
static void windowCount(const heddle_args *Args, int64_t B, int64_t H,
                        int64_t Tile, int32_t Exact, int64_t Out[3]) {
  count(Args, B, H, Tile, Exact, Out, 0);
}
static void growingTask(const heddle_args *Args, int64_t B, int64_t H,
                        int64_t Tile, void *Workspace) {
  task(Args, B, H, Tile, Workspace, 1, 0);
}
static void growingCount(const heddle_args *Args, int64_t B, int64_t H,
                         int64_t Tile, int32_t Exact, int64_t Out[3]) {
  count(Args, B, H, Tile, Exact, Out, 1);
}
/// Fills o with what the state of the arithmetic shows: whether a denormal
/// result survives, and whether a denormal operand does.
static void stateTask(const heddle_args *Args, int64_t B, int64_t H,
                      int64_t Tile, void *Workspace) {
  (void)Workspace;
  volatile float Small = FLT_MIN, Half = 0.5F, Denormal = FLT_MIN / 2;
  volatile float Large = 16777216.0F;
  float Result = Small * Half, Operand = Denormal * Large;
  int64_t Rows = minimum(Args->q.shape[2], (Tile + 1) * QueryTile);
  for (int64_t I = Tile * QueryTile; I < Rows; ++I) {
    float *O = (float *)Args->o.data + B * Args->o.stride[0] +
               H * Args->o.stride[1] + I * Args->o.stride[2];
    O[0] = Result == 0;
    O[1] = Operand != 0;
    O[2] = O[3] = 0;
  }
}

// Entry points without checks and columns, then the tile.
#define TEST_CODE(Level, Features, Task, Count)                                \
  {Level,                                                                      \
   Features,                                                                   \
   Task,                                                                       \
   Count,                                                                      \
   NULL,                                                                       \
   NULL,                                                                       \
   QueryTile,                                                                  \
   KeyTile,                                                                    \
   {0},                                                                        \
   {0},                                                                        \
   ValueDim * sizeof(double),                                                  \
   1,                                                                          \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   NULL,                                                                       \
   0,                                                                          \
   0,                                                                          \
   0,                                                                          \
   NULL}

/// 1: code for a device beside that of the CPU, 2: alone.
#ifndef TEST_DEVICE
#define TEST_DEVICE 0
#endif
#if TEST_DEVICE > 0
static const char DeviceText[] = ".version 7.0\n.target sm_80\n"
                                 ".address_size 64\n"
                                 ".visible .entry task() { ret; }\n";
static const heddle_device_code DeviceCode = {
    "nv", "task", NULL, DeviceText, sizeof(DeviceText) - 1, NULL, 0, 80, 32,
    0,    0,      0,    0};
#endif

static const heddle_code WindowCodes[] = {
#if TEST_DEVICE > 0
    {.level = "test-device",
     .features = "",
     .count = windowCount,
     .query_tile = QueryTile,
     .key_tile = KeyTile,
     .device = &DeviceCode},
#endif
#if TEST_DEVICE < 2
#if TEST_LEVELS > 1
    TEST_CODE("test-future", "no-such-extension", windowTask, windowCount),
    TEST_CODE("test-best", TEST_BASELINE_FEATURES, windowTask, windowCount),
#endif
    TEST_CODE("test-baseline", TEST_BASELINE_FEATURES, windowTaskAlternative,
              windowCount),
#endif
};
static const heddle_code GrowingCodes[] = {TEST_CODE(
    "test-baseline", TEST_BASELINE_FEATURES, growingTask, growingCount)};
static const heddle_code StateCodes[] = {
    TEST_CODE("test-baseline", TEST_BASELINE_FEATURES, stateTask, windowCount)};

static const heddle_param WindowParams[] = {
    {"window", {3}, 1, HEDDLE_INTEGER, 0, 0}};
static const heddle_param GrowingParams[] = {
    {"window", {0}, 0, HEDDLE_INTEGER, 0, 0}};

#define TEST_ENTRY(Name, Pattern, Uses, Params, NumCodes, Codes)               \
  {.name = (Name),                                                             \
   .pattern = (Pattern),                                                       \
   .dtype = HEDDLE_F32,                                                        \
   .output_dtype = HEDDLE_F32,                                                 \
   .uses_batch = (Uses),                                                       \
   .uses_head = (Uses),                                                        \
   .d_qk = HeadDim,                                                            \
   .d_v = ValueDim,                                                            \
   .num_params = 1,                                                            \
   .params = (Params),                                                         \
   .num_sources = 1,                                                           \
   .has_lse = 1,                                                               \
   .num_codes = (NumCodes),                                                    \
   .codes = (Codes)}

static const heddle_entry Entries[] = {
    TEST_ENTRY("window", "causal_window", 0, WindowParams,
               sizeof(WindowCodes) / sizeof(WindowCodes[0]), WindowCodes),
#if TEST_LEVELS > 1
    TEST_ENTRY("growing", "growing_window", 1, GrowingParams, 1, GrowingCodes),
    TEST_ENTRY("state", "state", 0, WindowParams, 1, StateCodes),
#endif
};

const heddle_descriptor TEST_SYMBOL = {TEST_MAGIC,
                                       TEST_VERSION,
                                       TEST_SIZE,
                                       "test 1.0",
                                       TEST_ARCH,
                                       "{\"entries\": []}",
                                       sizeof(Entries) / sizeof(Entries[0]),
                                       Entries};

#if TEST_LEVELS == 1
// Keeps the unused tables referenced.
const void *const UnusedTables[] = {GrowingCodes, StateCodes, GrowingParams,
                                    (const void *)windowTask};
#endif
