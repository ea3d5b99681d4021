// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs the first kernel of a bundle from C:
//
//   heddle compile causal.mlir -o libcausal.so
//   heddle-example-c libcausal.so [name=value ...]
//
// The bundle is data to this program: it knows no pattern. What it can check
// without one are laws that hold for every pattern. With all values equal to 1,
// attention averages ones, so each output row is exactly 1, or 0 where the row
// keeps no key (and then lse is minus infinity). And with all queries zero
// every kept key weighs the same, so exp(lse) is the number of kept keys of the
// row; summed up, that is what the runtime says it counted.

#include "heddle/heddle.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Batch = 2, HeadsQ = 4, HeadsKv = 2, SeqQ = 200, SeqK = 200 };

/// What one run holds, so that every way out frees all of it.
typedef struct heddle_example {
  heddle_bundle *Bundle;
  heddle_plan *Plan;
  heddle_pool *Pool;
  heddle_value *Params;
  float *Q, *K, *V, *O, *Lse;
} heddle_example;

/// Prints and frees an error; 1 if there was one.
static int failed(heddle_error *Error) {
  if (!Error)
    return 0;
  fprintf(stderr, "heddle-example-c: error: %s\n", heddle_error_message(Error));
  heddle_error_free(Error);
  return 1;
}

static int complain(const char *Text, const char *Name) {
  fprintf(stderr, "heddle-example-c: error: %s '%s'\n", Text, Name);
  return 1;
}

/// Values of the pattern's parameters: defaults, then name=value arguments.
static int setParams(const heddle_entry *Entry, int Count, char **Settings,
                     heddle_value *Params) {
  for (int64_t I = 0; I < Entry->num_params; ++I) {
    const heddle_param *Param = &Entry->params[I];
    size_t Length = strlen(Param->name);
    int Known = Param->has_default;
    if (Param->kind != HEDDLE_INTEGER && Param->kind != HEDDLE_REAL)
      return complain("a table or set is too long for an argument: parameter",
                      Param->name);
    if (Param->kind == HEDDLE_INTEGER)
      Params[I].integer = Param->default_value.integer;
    else
      Params[I].real = Param->default_value.real;
    for (int S = 0; S < Count; ++S)
      if (!strncmp(Settings[S], Param->name, Length) &&
          Settings[S][Length] == '=') {
        char *Begin = Settings[S] + Length + 1, *End = NULL;
        if (Param->kind == HEDDLE_INTEGER)
          Params[I].integer = strtoll(Begin, &End, 10);
        else
          Params[I].real = strtod(Begin, &End);
        if (*End || End == Begin)
          return complain("expected name=number, found", Settings[S]);
        Known = 1;
      }
    if (!Known)
      return complain("give a value, as name=number, to parameter",
                      Param->name);
  }
  return 0;
}

/// Numbers in [-1, 1) from a small generator.
static void fill(float *Data, int64_t Count, uint32_t Seed) {
  for (int64_t I = 0; I < Count; ++I) {
    Seed = Seed * 1664525U + 1013904223U;
    Data[I] = (float)(Seed >> 8) / (float)(1 << 23) - 1;
  }
}

/// Row sums against what must hold; counts rows that keep something.
static int checkRows(const heddle_example *Run, int64_t DimV, int64_t *Kept) {
  *Kept = 0;
  for (int64_t Row = 0; Row < (int64_t)Batch * HeadsQ * SeqQ; ++Row) {
    int Empty = isinf(Run->Lse[Row]) && Run->Lse[Row] < 0;
    double Sum = 0, Want = Empty ? 0 : (double)DimV;
    for (int64_t F = 0; F < DimV; ++F)
      Sum += (double)Run->O[Row * DimV + F];
    if (!(fabs(Sum - Want) <= 1e-4 * (double)DimV)) {
      fprintf(stderr,
              "heddle-example-c: error: row %lld sums to %g, expected %g\n",
              (long long)Row, Sum, Want);
      return 1;
    }
    *Kept += !Empty;
  }
  return 0;
}

/// Pairs kept, from lse alone; holds after a launch with queries of zero.
static double countPairs(const heddle_example *Run) {
  double Pairs = 0;
  for (int64_t Row = 0; Row < (int64_t)Batch * HeadsQ * SeqQ; ++Row)
    Pairs += exp((double)Run->Lse[Row]);
  return Pairs;
}

static int run(heddle_example *Run, int Count, char **Args) {
  if (failed(heddle_bundle_open(Args[0], &Run->Bundle)))
    return 1;
  const heddle_kernel *Kernel = heddle_bundle_kernel(Run->Bundle, 0);
  if (!Kernel)
    return complain("there is no kernel in", Args[0]);
  const heddle_entry *Entry = heddle_kernel_entry(Kernel);
  int64_t D = Entry->d_qk, DimV = Entry->d_v;

  // Tensors in the order (batch, head, sequence, feature), row major.
  int64_t ShapeQ[] = {Batch, HeadsQ, SeqQ, D};
  int64_t ShapeK[] = {Batch, HeadsKv, SeqK, D};
  int64_t ShapeV[] = {Batch, HeadsKv, SeqK, DimV};
  int64_t ShapeO[] = {Batch, HeadsQ, SeqQ, DimV};
  int64_t SizeQ = Batch * HeadsQ * SeqQ * D, SizeK = Batch * HeadsKv * SeqK * D;
  int64_t SizeV = Batch * HeadsKv * SeqK * DimV;
  int64_t Rows = Batch * HeadsQ * SeqQ;
  Run->Params = calloc((size_t)Entry->num_params + 1, sizeof(heddle_value));
  Run->Q = calloc((size_t)SizeQ, sizeof(float));
  Run->K = calloc((size_t)SizeK, sizeof(float));
  Run->V = calloc((size_t)SizeV, sizeof(float));
  Run->O = calloc((size_t)(Rows * DimV), sizeof(float));
  Run->Lse = calloc((size_t)Rows, sizeof(float));
  if (!Run->Params || !Run->Q || !Run->K || !Run->V || !Run->O || !Run->Lse)
    return complain("no memory to run", Entry->name);
  if (setParams(Entry, Count - 1, Args + 1, Run->Params))
    return 1;
  fill(Run->Q, SizeQ, 1);
  fill(Run->K, SizeK, 2);
  for (int64_t I = 0; I < SizeV; ++I)
    Run->V[I] = 1;

  // Plan once for these sizes, launch as often as wanted.
  heddle_problem Problem = {.batch = Batch,
                            .heads_q = HeadsQ,
                            .heads_kv = HeadsKv,
                            .seq_q = SeqQ,
                            .seq_k = SeqK,
                            .params = Run->Params};
  heddle_stats Stats;
  if (failed(heddle_plan_create(Kernel, &Problem, &Run->Plan)) ||
      failed(heddle_pool_create(0, &Run->Pool)) ||
      failed(heddle_plan_stats(Run->Plan, Run->Pool, &Stats)))
    return 1;
  heddle_tensor Q = {Run->Q, HEDDLE_F32, 4, ShapeQ, NULL};
  heddle_tensor K = {Run->K, HEDDLE_F32, 4, ShapeK, NULL};
  heddle_tensor V = {Run->V, HEDDLE_F32, 4, ShapeV, NULL};
  heddle_tensor O = {Run->O, HEDDLE_F32, 4, ShapeO, NULL};
  heddle_tensor Lse = {Run->Lse, HEDDLE_F32, 3, ShapeO, NULL};
  heddle_tensors Tensors = {.q = &Q, .k = &K, .v = &V, .o = &O, .lse = &Lse};
  int64_t Kept = 0;
  if (failed(heddle_launch(Run->Plan, &Tensors, Run->Pool)) ||
      checkRows(Run, DimV, &Kept))
    return 1;

  memset(Run->Q, 0, (size_t)SizeQ * sizeof(float));
  if (failed(heddle_launch(Run->Plan, &Tensors, Run->Pool)))
    return 1;
  double Pairs = countPairs(Run), Want = (double)Stats.kept_pairs;
  if (!(fabs(Pairs - Want) <= 1e-4 * Want)) {
    fprintf(stderr,
            "heddle-example-c: error: lse tells of %.1f kept pairs, the plan "
            "counted %.0f\n",
            Pairs, Want);
    return 1;
  }
  printf("%s (%s): %lld pairs kept, %lld of %lld rows keep a key, all sums are "
         "right\n",
         Entry->name, heddle_plan_code(Run->Plan)->level,
         (long long)Stats.kept_pairs, (long long)Kept, (long long)Rows);
  return 0;
}

int main(int Count, char **Args) {
  if (Count < 2) {
    fprintf(stderr, "usage: %s BUNDLE [name=value ...]\n", Args[0]);
    return 2;
  }
  heddle_example Run = {0};
  int Status = run(&Run, Count - 1, Args + 1);
  heddle_plan_destroy(Run.Plan);
  heddle_pool_destroy(Run.Pool);
  heddle_bundle_close(Run.Bundle);
  free(Run.Params);
  free(Run.Q);
  free(Run.K);
  free(Run.V);
  free(Run.O);
  free(Run.Lse);
  return Status;
}
