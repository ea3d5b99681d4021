// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A linear kernel written by hand, row by row, in f64: with k_j, v_j the rows
// of a sequence and a the factors of its tokens,
//
//   S = a S + k_j v_j^T,   z = a z + k_j,   o_i = scale (S^T q_i + z . q_i),
//
// a[h, position] from a table; without factors when it is not causal. Of one
// with a window w, the state covers keys at a distance of w and more. It counts
// the times that it is not called as the interface says.

#ifndef HEDDLE_TEST_UNIT_RUNTIME_FAKELINEAR_H
#define HEDDLE_TEST_UNIT_RUNTIME_FAKELINEAR_H

#include "FakeKernel.h"

#include <atomic>

namespace heddle::test::linear {

constexpr int64_t Rows = 6, ValueDim = 3, Chunk = 4, StepTokens = 2;
constexpr int64_t WorkspaceBytes = 192;

/// Calls of the functions since they were last set to 0.
inline std::atomic<int64_t> TaskCalls{0}, StateCalls{0}, StepCalls{0};
inline std::atomic<int64_t> Broken{0};

/// What every view of a linear kernel has.
inline void expectStretch(const heddle_args &Args, int64_t Tile,
                          void *Workspace) {
  std::fill_n(static_cast<char *>(Workspace), WorkspaceBytes, '\7');
  bool Sound = Tile == 0 && Args.state_in.data && Args.sums_in.data;
  for (const heddle_view *View :
       {&Args.q, &Args.o, &Args.sources[0].k, &Args.sources[0].v,
        &Args.state_in, &Args.state_out, &Args.sums_in, &Args.sums_out,
        &Args.factor})
    Sound &= !View->offsets && View->stride[0] == 0;
  for (const heddle_view *View : {&Args.state_in, &Args.state_out,
                                  &Args.sums_in, &Args.sums_out, &Args.factor})
    Sound &= View->shape[2] == Rows;
  if (!Sound)
    ++Broken;
}

struct State {
  double Values[Rows][ValueDim], Sums[Rows], Factor = 1;

  State(const heddle_args &Args, int64_t H) {
    for (int64_t R = 0; R < Rows; ++R) {
      for (int64_t F = 0; F < ValueDim; ++F)
        Values[R][F] = fake::read<HEDDLE_F32>(
            Args.state_in, fake::offset(Args.state_in, 0, H, R) + F);
      Sums[R] = fake::read<HEDDLE_F32>(Args.sums_in,
                                       fake::offset(Args.sums_in, 0, H, R));
    }
  }

  void store(const heddle_args &Args, int64_t H) const {
    for (int64_t R = 0; R < Rows; ++R) {
      for (int64_t F = 0; Args.state_out.data && F < ValueDim; ++F)
        fake::write<HEDDLE_F32>(Args.state_out,
                                fake::offset(Args.state_out, 0, H, R) + F,
                                Values[R][F]);
      if (Args.sums_out.data)
        fake::write<HEDDLE_F32>(Args.sums_out,
                                fake::offset(Args.sums_out, 0, H, R), Sums[R]);
      if (Args.factor.data)
        fake::write<HEDDLE_F32>(Args.factor, fake::offset(Args.factor, 0, H, R),
                                Factor);
    }
  }

  template <int32_t In, bool Causal>
  void add(const heddle_args &Args, int64_t H, int64_t J) {
    const heddle_view &K = Args.sources[0].k, &V = Args.sources[0].v;
    int64_t Kv = H / (Args.q.shape[1] / K.shape[1]);
    double A = 1;
    if (Causal) {
      const heddle_table &Decay = *Args.operands[0].table;
      A = static_cast<const float *>(
          Decay.data)[H * Decay.stride[0] +
                      (*Args.origin + J) * Decay.stride[1]];
    }
    Factor *= A;
    for (int64_t R = 0; R < Rows; ++R) {
      double Key = fake::read<In>(K, fake::offset(K, 0, Kv, J) + R);
      for (int64_t F = 0; F < ValueDim; ++F)
        Values[R][F] = A * Values[R][F] +
                       Key * fake::read<In>(V, fake::offset(V, 0, Kv, J) + F);
      Sums[R] = A * Sums[R] + Key;
    }
  }

  template <int32_t In, int32_t Out>
  void output(const heddle_args &Args, int64_t H, int64_t I) const {
    for (int64_t F = 0; F < ValueDim; ++F) {
      double Sum = 0;
      for (int64_t R = 0; R < Rows; ++R)
        Sum += fake::read<In>(Args.q, fake::offset(Args.q, 0, H, I) + R) *
               (Values[R][F] + Sums[R]);
      fake::write<Out>(Args.o, fake::offset(Args.o, 0, H, I) + F,
                       static_cast<double>(Args.scale) * Sum);
    }
  }
};

template <int32_t In, int32_t Out, bool Causal>
void compute(const heddle_args &Args, int64_t H, int64_t Window) {
  State S(Args, H);
  int64_t Queries = Args.q.shape[2], Keys = Args.sources[0].k.shape[2];
  int64_t Next = 0;
  for (int64_t I = 0; I < Queries || Next < Keys - Window; ++I) {
    int64_t End = Causal && I < Queries ? Keys - Queries + I + 1 : Keys;
    for (; Next < End - Window; ++Next)
      S.add<In, Causal>(Args, H, Next);
    if (I < Queries)
      S.output<In, Out>(Args, H, I);
  }
  S.store(Args, H);
}

template <int32_t In, int32_t Out, bool Causal>
void task(const heddle_args *Args, int64_t, int64_t H, int64_t Tile,
          void *Workspace) {
  expectStretch(*Args, Tile, Workspace);
  ++TaskCalls;
  compute<In, Out, Causal>(*Args, H, 0);
}

template <int32_t In, int32_t Out>
void windowTask(const heddle_args *Args, int64_t, int64_t H, int64_t Tile,
                void *Workspace) {
  expectStretch(*Args, Tile, Workspace);
  ++TaskCalls;
  compute<In, Out, true>(*Args, H, Args->operands[1].integer);
}

template <int32_t In, int32_t Out, bool Causal>
void step(const heddle_args *Args, int64_t, int64_t H, int64_t Tile,
          void *Workspace) {
  expectStretch(*Args, Tile, Workspace);
  ++StepCalls;
  compute<In, Out, Causal>(*Args, H, 0);
}

template <int32_t In, bool Causal>
void state(const heddle_args *Args, int64_t, int64_t H, int64_t Tile,
           void *Workspace) {
  expectStretch(*Args, Tile, Workspace);
  ++StateCalls;
  State S(*Args, H);
  for (int64_t J = 0; J < Args->sources[0].k.shape[2]; ++J)
    S.add<In, Causal>(*Args, H, J);
  S.store(*Args, H);
}

/// Check 1: positions are indices of the table.
inline int64_t check(const heddle_args *Args, int64_t Out[3]) {
  Out[0] = *Args->origin;
  Out[1] = *Args->origin + Args->sources[0].k.shape[2] - 1;
  Out[2] = Args->operands[0].table->shape[1];
  return Out[0] < 0 || Out[1] >= Out[2] ? 1 : 0;
}

/// A bundle with one such kernel.
class Kernel {
public:
  template <int32_t In, int32_t Out, bool Causal> static Kernel make() {
    Kernel K(In, Out);
    K.code().task = task<In, Out, Causal>;
    K.code().state = state<In, Causal>;
    K.code().step = step<In, Out, Causal>;
    K.entry().is_causal = Causal;
    return K;
  }
  static Kernel makeWindow() {
    Kernel K(HEDDLE_F32, HEDDLE_F32);
    K.code().task = windowTask<HEDDLE_F32, HEDDLE_F32>;
    K.entry().window_param = 1;
    K.entry().can_scan = 0;
    return K;
  }

  const heddle_kernel *get() {
    if (!Bundle) {
      heddle_bundle *Opened = nullptr;
      expectOk(heddle_bundle_from_descriptor(&Parts->Descriptor, &Opened));
      Bundle.reset(Opened);
    }
    return heddle_bundle_kernel(Bundle.get(), 0);
  }
  /// To be changed before the kernel is first got.
  heddle_entry &entry() { return *Parts->Entry; }
  heddle_code &code() { return *Parts->Code; }
  const heddle_descriptor &descriptor() const { return Parts->Descriptor; }

private:
  struct Memory {
    heddle_param Params[2] = {{"decay", {}, 0, HEDDLE_REAL_TABLE, 2, 0},
                              {"w", {}, 0, HEDDLE_INTEGER, 0, 0}};
    heddle_check Checks[1] = {{nullptr, 0, 1}};
    heddle_code Code[1] = {};
    heddle_entry Entry[1] = {};
    heddle_descriptor Descriptor = {};
    std::string Arch{cpu::hostArch()};
  };

  Kernel(int32_t In, int32_t Out) : Parts(std::make_unique<Memory>()) {
    heddle_code &Code = Parts->Code[0];
    Code.level = "fake";
    Code.features = "";
    Code.check = check;
    Code.query_tile = Code.key_tile = Chunk;
    Code.workspace_bytes = WorkspaceBytes;
    Code.step_tokens = StepTokens;
    Code.chunk_flop = 1;
    heddle_entry &Entry = Parts->Entry[0];
    Entry.name = "fake";
    Entry.pattern = "decaying";
    Entry.dtype = In;
    Entry.output_dtype = Out;
    Entry.d_qk = Rows;
    Entry.d_v = ValueDim;
    Entry.num_params = 2;
    Entry.params = Parts->Params;
    Entry.num_checks = 1;
    Entry.checks = Parts->Checks;
    Entry.num_sources = 1;
    Entry.num_codes = 1;
    Entry.codes = Parts->Code;
    Entry.form = HEDDLE_LINEAR;
    Entry.has_sums = Entry.is_causal = Entry.can_scan = 1;
    Entry.state_rows = Rows;
    Entry.window_param = -1;
    Parts->Descriptor = {HEDDLE_ABI_MAGIC,
                         HEDDLE_ABI_VERSION,
                         sizeof(heddle_descriptor),
                         "test",
                         Parts->Arch.c_str(),
                         "{}",
                         1,
                         Parts->Entry};
  }

  std::unique_ptr<Memory> Parts;
  Owned<heddle_bundle> Bundle;
};

} // namespace heddle::test::linear

#endif // HEDDLE_TEST_UNIT_RUNTIME_FAKELINEAR_H
