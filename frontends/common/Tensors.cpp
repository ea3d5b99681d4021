// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Tensors.h"

#include "runtime/npy/Npy.h"

#include <fmt/format.h>

#include <cmath>
#include <unistd.h>
#include <utility>

using namespace heddle;
using namespace heddle::frontend;

void Tensor::setShape(int64_t Batch, int64_t Heads, int64_t Length,
                      int64_t Features, Layout Order) {
  Shape = {Batch, Heads, Length, Features};
  Stored = Order;
  Strides = Order == Layout::Bhsd
                ? std::array<int64_t, 4>{Heads * Length * Features,
                                         Length * Features, Features, 1}
                : std::array<int64_t, 4>{Length * Heads * Features, Features,
                                         Heads * Features, 1};
}

bool Tensor::allocate(int64_t Batch, int64_t Heads, int64_t Length,
                      int64_t Features, Layout Order, int32_t NewRank) {
  std::optional<int64_t> Count =
      npy::numElements({Batch, Heads, Length, Features});
  if (!Count || !Elements.allocate(*Count))
    return false;
  Rank = NewRank;
  setShape(Batch, Heads, Length, Features, Order);
  return true;
}

void Tensor::adopt(npy::Buffer Data, int64_t Batch, int64_t Heads,
                   int64_t Length, int64_t Features, Layout Order) {
  Elements = std::move(Data);
  Rank = 4;
  setShape(Batch, Heads, Length, Features, Order);
}

std::vector<int64_t> Tensor::storedShape() const {
  std::vector<int64_t> Result(Shape.begin(), Shape.begin() + Rank);
  if (Stored == Layout::Bshd)
    std::swap(Result[1], Result[2]);
  return Result;
}

heddle_tensor Tensor::view() {
  return {data(), HEDDLE_F32, Rank, Shape.data(), Strides.data()};
}

namespace {

/// SplitMix64: a counter through a mixing function (Steele, Lea, Flood 2014).
class Mixer {
public:
  explicit Mixer(uint64_t Seed) : State(Seed) {}
  uint64_t next() {
    uint64_t Z = (State += 0x9e3779b97f4a7c15);
    Z = (Z ^ (Z >> 30)) * 0xbf58476d1ce4e5b9;
    Z = (Z ^ (Z >> 27)) * 0x94d049bb133111eb;
    return Z ^ (Z >> 31);
  }
  /// In (0, 1].
  double uniform() { return (static_cast<double>(next() >> 11) + 1) * 0x1p-53; }

private:
  uint64_t State;
};

} // namespace

void Tensor::fillNormal(uint64_t Seed) {
  if (size() == 0)
    return;
  constexpr double TwoPi = 6.283185307179586;
  uint64_t Row = 0;
  for (int64_t B = 0; B < Shape[0]; ++B)
    for (int64_t H = 0; H < Shape[1]; ++H)
      for (int64_t S = 0; S < Shape[2]; ++S, ++Row) {
        Mixer Random(Mixer(Seed ^ (Row << 8)).next());
        float *Out = row(B, H, S);
        // Box and Muller's pairs.
        for (int64_t F = 0; F < Shape[3]; F += 2) {
          double Radius = std::sqrt(-2 * std::log(Random.uniform()));
          double Angle = TwoPi * Random.uniform();
          Out[F] = static_cast<float>(Radius * std::cos(Angle));
          if (F + 1 < Shape[3])
            Out[F + 1] = static_cast<float>(Radius * std::sin(Angle));
        }
      }
}

ErrorText frontend::checkMemory(const Problem &Sizes) {
  auto Product = [](int64_t A, int64_t B, int64_t C, int64_t D) {
    return static_cast<double>(A) * static_cast<double>(B) *
           static_cast<double>(C) * static_cast<double>(D);
  };
  int64_t Dims = Sizes.HeadDim + Sizes.ValueDim;
  double Needed =
      sizeof(float) *
          (Product(Sizes.Batch, Sizes.HeadsQ, Sizes.SeqQ, Dims + 1) +
           Product(Sizes.Batch, Sizes.HeadsKv, Sizes.SeqK, Dims)) +
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

/// One input: the file if there is one, else random values.
static ErrorText loadInput(const std::string &Path, char Name, uint64_t Seed,
                           int64_t Batch, int64_t Heads, int64_t Length,
                           int64_t Features, Layout Order, Tensor &Out) {
  if (Path.empty()) {
    if (!Out.allocate(Batch, Heads, Length, Features, Order))
      return fmt::format("no memory for tensor '{}' ({} x {} x {} x {})", Name,
                         Batch, Heads, Length, Features);
    Out.fillNormal(Seed);
    return std::nullopt;
  }
  npy::Array Array;
  if (ErrorText Bad = npy::read(Path, Array))
    return Bad;
  std::vector<int64_t> Want = {Batch, Heads, Length, Features};
  if (Order == Layout::Bshd)
    std::swap(Want[1], Want[2]);
  // The sizes came from this very file, which may have changed meanwhile.
  if (Array.Shape != Want)
    return fmt::format("'{}' changed while it was read", Path);
  Out.adopt(std::move(Array.Data), Batch, Heads, Length, Features, Order);
  return std::nullopt;
}

ErrorText frontend::allocateOutputs(const Problem &Sizes, Layout Order,
                                    Tensor &O, Tensor &Lse) {
  if (!O.allocate(Sizes.Batch, Sizes.HeadsQ, Sizes.SeqQ, Sizes.ValueDim,
                  Order) ||
      !Lse.allocate(Sizes.Batch, Sizes.HeadsQ, Sizes.SeqQ, 1, Order, 3))
    return fmt::format("no memory for the output ({} x {} x {} x {})",
                       Sizes.Batch, Sizes.HeadsQ, Sizes.SeqQ, Sizes.ValueDim);
  return std::nullopt;
}

ErrorText frontend::loadOperands(const InputPaths &Paths, const Problem &Sizes,
                                 Layout Order, Operands &Out) {
  if (ErrorText Bad = loadInput(Paths.Q, 'q', 1, Sizes.Batch, Sizes.HeadsQ,
                                Sizes.SeqQ, Sizes.HeadDim, Order, Out.Q))
    return Bad;
  if (ErrorText Bad = loadInput(Paths.K, 'k', 2, Sizes.Batch, Sizes.HeadsKv,
                                Sizes.SeqK, Sizes.HeadDim, Order, Out.K))
    return Bad;
  if (ErrorText Bad = loadInput(Paths.V, 'v', 3, Sizes.Batch, Sizes.HeadsKv,
                                Sizes.SeqK, Sizes.ValueDim, Order, Out.V))
    return Bad;
  return allocateOutputs(Sizes, Order, Out.O, Out.Lse);
}
