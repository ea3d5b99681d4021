// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Inputs.h"

#include "runtime/npy/Header.h"
#include "runtime/npy/Npy.h"

#include <fmt/format.h>

#include <unistd.h>
#include <utility>

using namespace heddle;
using namespace heddle::frontend;

ErrorText frontend::checkMemory(const Problem &Sizes,
                                const TensorTypes &Types) {
  auto Product = [](int64_t A, int64_t B, int64_t C, int64_t D) {
    return static_cast<double>(A) * static_cast<double>(B) *
           static_cast<double>(C) * static_cast<double>(D);
  };
  const int64_t Batch = Sizes.tensorBatch();
  const double Rows = Product(Batch, Sizes.HeadsQ, Sizes.SeqQ, 1);
  double Keys = Product(Batch, Sizes.HeadsKv, Sizes.SeqK, 1);
  for (int64_t More : Sizes.MoreKeys)
    Keys += Product(Sizes.Batch, Sizes.HeadsKv, More, 1);
  const auto Dims = static_cast<double>(Sizes.HeadDim + Sizes.ValueDim);
  double Floats = Rows;
  if (Types.RowMax)
    Floats += Rows;
  for (size_t Source = 0; Source < Sizes.numSources(); ++Source) {
    if (Types.ColumnSums)
      Floats +=
          Product(Sizes.keyBatch(Source), Sizes.HeadsQ, Sizes.keys(Source), 1);
    if (Types.hasBlockMax())
      Floats += Product(Batch, Sizes.HeadsQ, Sizes.blockRows(Types.BlockQ),
                        Sizes.blockColumns(Types.BlockK, Source));
  }
  // Before and after.
  if (Sizes.isRecurrence())
    Floats += 2 * Product(Sizes.Batch, Sizes.HeadsQ, Sizes.StateRows,
                          Sizes.ValueDim + 1);
  const double Needed =
      static_cast<double>(npy::elementBytes(Types.Input)) *
          (Rows * static_cast<double>(Sizes.HeadDim) + Keys * Dims) +
      static_cast<double>(npy::elementBytes(Types.Output)) * Rows *
          static_cast<double>(Sizes.ValueDim) +
      sizeof(float) * Floats +
      // Origins, the caller's and the plan's.
      2 * sizeof(int64_t) * static_cast<double>(Sizes.Batch);
  double Machine = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (Machine > 0 && Needed > Machine)
    return fmt::format("the tensors need {:.1f} GiB, this machine has {:.1f}; "
                       "choose smaller sizes",
                       Needed * 0x1p-30, Machine * 0x1p-30);
  return std::nullopt;
}

namespace {

/// A tensor to be read or made.
struct InputShape {
  const char *Name;
  uint64_t Seed;
  int64_t Batch, Heads, Length, Features;
};

} // namespace

static ErrorText makeInput(const InputShape &Of, heddle_dtype Dtype,
                           Layout Order, Tensor &Out) {
  if (!Out.allocate(Dtype, Of.Batch, Of.Heads, Of.Length, Of.Features, Order))
    return fmt::format("no memory for tensor '{}' ({} x {} x {} x {})", Of.Name,
                       Of.Batch, Of.Heads, Of.Length, Of.Features);
  Out.fillNormal(Of.Seed);
  return std::nullopt;
}

static ErrorText readInput(const std::string &Path, const InputShape &Of,
                           heddle_dtype Dtype, Layout Order, Tensor &Out) {
  npy::Array Array;
  if (ErrorText Bad = npy::read(Path, Array, {Dtype}))
    return Bad;
  std::vector<int64_t> Want = {Of.Batch, Of.Heads, Of.Length, Of.Features};
  if (Order != Layout::Bhsd)
    std::swap(Want[1], Want[2]);
  // The sizes came from this very file, which may have changed meanwhile.
  if (Array.Shape != Want)
    return fmt::format("'{}' changed while it was read", Path);
  Out.adopt(std::move(Array), Of.Batch, Of.Heads, Of.Length, Of.Features,
            Order);
  return std::nullopt;
}

/// One input: the file if there is one, else random values.
static ErrorText loadInput(const std::string &Path, const InputShape &Of,
                           heddle_dtype Dtype, Layout Order, Tensor &Out) {
  return Path.empty() ? makeInput(Of, Dtype, Order, Out)
                      : readInput(Path, Of, Dtype, Order, Out);
}

/// A state or, with `Features` 1 and rank 3, its sums.
static ErrorText readState(const std::string &Path, const char *Option,
                           const Problem &Sizes, int64_t Features, int32_t Rank,
                           Tensor &Out) {
  npy::Array Array;
  if (ErrorText Bad = npy::read(Path, Array, {HEDDLE_F32}))
    return Bad;
  std::vector<int64_t> Want = {Sizes.Batch, Sizes.HeadsQ, Sizes.StateRows,
                               Features};
  Want.resize(static_cast<size_t>(Rank));
  if (Array.Shape != Want)
    return fmt::format("'{}' has shape {}, expected {} for {}", Path,
                       npy::shapeText(Array.Shape), npy::shapeText(Want),
                       Option);
  Out.adopt(std::move(Array), Sizes.Batch, Sizes.HeadsQ, Sizes.StateRows,
            Features, Layout::Bhsd, Rank);
  return std::nullopt;
}

/// q, k and v as heads of one tensor. Random values are those that they have in
/// tensors of their own.
static ErrorText loadPacked(const std::string &Path, const InputShape (&Of)[3],
                            heddle_dtype Dtype, RunTensors &Out) {
  InputShape All = Of[0];
  All.Name = "qkv";
  All.Heads = Of[0].Heads + 2 * Of[1].Heads;
  Tensor Whole;
  if (!Path.empty()) {
    if (ErrorText Bad = readInput(Path, All, Dtype, Layout::Packed, Whole))
      return Bad;
  } else if (!Whole.allocate(Dtype, All.Batch, All.Heads, All.Length,
                             All.Features, Layout::Packed)) {
    return fmt::format("no memory for tensor 'qkv' ({} x {} x {} x {})",
                       All.Batch, All.Length, All.Heads, All.Features);
  }
  Out.Q = Whole.heads(0, Of[0].Heads);
  Out.K = Whole.heads(Of[0].Heads, Of[1].Heads);
  Out.V = Whole.heads(Of[0].Heads + Of[1].Heads, Of[1].Heads);
  if (Path.empty()) {
    Out.Q.fillNormal(Of[0].Seed);
    Out.K.fillNormal(Of[1].Seed);
    Out.V.fillNormal(Of[2].Seed);
  }
  return std::nullopt;
}

ErrorText frontend::allocateOutputs(const Problem &Sizes,
                                    const TensorTypes &Types, Layout Order,
                                    OutputTensors &Out) {
  const int64_t Batch = Sizes.tensorBatch(), Heads = Sizes.HeadsQ;
  bool Fits = Out.O.allocate(Types.Output, Batch, Heads, Sizes.SeqQ,
                             Sizes.ValueDim, Order);
  if (Fits && Types.HasLse)
    Fits = Out.Lse.allocate(HEDDLE_F32, Batch, Heads, Sizes.SeqQ, 1, Order, 3);
  if (Fits && Types.RowMax)
    Fits =
        Out.RowMax.allocate(HEDDLE_F32, Batch, Heads, Sizes.SeqQ, 1, Order, 3);
  for (size_t Source = 0; Source < Sizes.numSources(); ++Source) {
    if (Fits && Types.ColumnSums)
      Fits = Out.ColumnSums.emplace_back().allocate(
          HEDDLE_F32, Sizes.keyBatch(Source), Heads, Sizes.keys(Source), 1,
          Order, 3);
    // One matrix per head, whatever the layout of rows.
    if (Fits && Types.hasBlockMax())
      Fits = Out.BlockMax.emplace_back().allocate(
          HEDDLE_F32, Batch, Heads, Sizes.blockRows(Types.BlockQ),
          Sizes.blockColumns(Types.BlockK, Source), Layout::Bhsd);
  }
  if (Fits && Types.StateOut)
    Fits = Out.State.allocate(HEDDLE_F32, Sizes.Batch, Heads, Sizes.StateRows,
                              Sizes.ValueDim, Layout::Bhsd);
  if (Fits && Types.SumsOut)
    Fits = Out.Sums.allocate(HEDDLE_F32, Sizes.Batch, Heads, Sizes.StateRows, 1,
                             Layout::Bhsd, 3);
  if (!Fits)
    return fmt::format("no memory for the output ({} x {} x {} x {})", Batch,
                       Heads, Sizes.SeqQ, Sizes.ValueDim);
  return std::nullopt;
}

ErrorText frontend::loadTensors(const InputPaths &Paths, const Problem &Sizes,
                                const TensorTypes &Types, Layout Order,
                                RunTensors &Out) {
  const int64_t Batch = Sizes.tensorBatch();
  const InputShape Of[3] = {
      {"q", 1, Batch, Sizes.HeadsQ, Sizes.SeqQ, Sizes.HeadDim},
      {"k", 2, Batch, Sizes.HeadsKv, Sizes.SeqK, Sizes.HeadDim},
      {"v", 3, Batch, Sizes.HeadsKv, Sizes.SeqK, Sizes.ValueDim}};
  if (Order == Layout::Packed) {
    if (ErrorText Bad = loadPacked(Paths.Packed, Of, Types.Input, Out))
      return Bad;
  } else {
    const std::string *const Files[] = {&Paths.Q, &Paths.K, &Paths.V};
    Tensor *const Tensors[] = {&Out.Q, &Out.K, &Out.V};
    for (size_t I = 0; I < 3; ++I)
      if (ErrorText Bad =
              loadInput(*Files[I], Of[I], Types.Input, Order, *Tensors[I]))
        return Bad;
  }
  if (!Paths.State.empty())
    if (ErrorText Bad = readState(Paths.State, "--state-in", Sizes,
                                  Sizes.ValueDim, 4, Out.State))
      return Bad;
  if (!Paths.Sums.empty())
    if (ErrorText Bad =
            readState(Paths.Sums, "--sums-in", Sizes, 1, 3, Out.Sums))
      return Bad;
  Out.MoreK.resize(Sizes.MoreKeys.size());
  Out.MoreV.resize(Sizes.MoreKeys.size());
  // Further sources have no layout of their own where q, k and v share memory.
  const Layout MoreOrder = Order == Layout::Bhsd ? Order : Layout::Bshd;
  for (size_t I = 0; I < Sizes.MoreKeys.size(); ++I) {
    const int64_t Keys = Sizes.MoreKeys[I];
    if (ErrorText Bad = makeInput({"more_k", 4 + 2 * I, Sizes.Batch,
                                   Sizes.HeadsKv, Keys, Sizes.HeadDim},
                                  Types.Input, MoreOrder, Out.MoreK[I]))
      return Bad;
    if (ErrorText Bad = makeInput({"more_v", 5 + 2 * I, Sizes.Batch,
                                   Sizes.HeadsKv, Keys, Sizes.ValueDim},
                                  Types.Input, MoreOrder, Out.MoreV[I]))
      return Bad;
  }
  return allocateOutputs(Sizes, Types, Order, Out.Out);
}
