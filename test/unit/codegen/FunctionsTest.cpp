// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The elementary functions of score regions, at every level of this machine:
// one key and one value of 1 under no normaliser give the changed score of a
// row.

#include "KernelSupport.h"

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>

using namespace heddle;

namespace {

constexpr float InfinityF = std::numeric_limits<float>::infinity();
constexpr float NotANumber = std::numeric_limits<float>::quiet_NaN();

/// What a function must be: within `Relative * |f| + Absolute`.
struct Expected {
  std::function<double(double)> Exact;
  double Relative, Absolute = 0;
};

/// Arguments spread evenly between the ends, or evenly in their logarithms.
struct Spread {
  double Low, High;
  bool Logarithmic = false;

  std::vector<float> draw() const {
    std::mt19937_64 Random(1);
    std::uniform_real_distribution<double> Draw(
        Logarithmic ? std::log(Low) : Low, Logarithmic ? std::log(High) : High);
    std::vector<float> Result(10007);
    for (float &X : Result) {
      double Y = Draw(Random);
      X = static_cast<float>(Logarithmic ? std::exp(Y) : Y);
    }
    return Result;
  }
};

/// A function `op %x` or `op %x, %p`, compiled for every level of this machine.
/// With `IsCapped` it is one of min(x, 0).
class Function {
public:
  explicit Function(const std::string &Name, bool HasPower = false,
                    bool IsCapped = false) {
    std::string Operand = IsCapped ? "%least" : "%x";
    std::string Body = R"(
  %c16 = arith.constant 16 : index
  %row = arith.muli %tile, %c16 : index
  %s = tile.load %q[%b, %h, %row] : !attn.view<8xf32> -> tensor<16x8xf32>
  %r = tile.modify %s at(%b, %h) queries(%row) keys(%tile) params(%p : f32) {
  ^bb0(%x: f32, %bb: index, %hh: index, %i: index, %j: index, %e: f32):
    %zero = arith.constant 0.0 : f32
    %least = arith.minimumf %x, %zero : f32
    %y = )" + Name + " " +
                       Operand + (HasPower ? ", %e" : "") + R"( : f32
    tile.yield %y : f32
  } : tensor<16x8xf32> -> tensor<16x8xf32>
  tile.store %r, %o[%b, %h, %row] : tensor<16x8xf32>, !attn.view<8xf32>
  return)";
    for (const std::string &Level : hostLevels())
      Kernels.emplace_back(
          Level, std::make_unique<LoadedKernel>(
                     Level, "8xf32;8xf32;8xf32;8xf32", ", %p: f32", Body));
    EXPECT_FALSE(Kernels.empty());
  }

  void check(const Expected &Want, const std::vector<float> &X,
             float Power = 0) const {
    for (const auto &[Level, Kernel] : Kernels) {
      ASSERT_TRUE(*Kernel) << Level;
      check(Want, X, apply(*Kernel, X, Power), Level);
    }
  }
  void check(const Expected &Want, const Spread &Range, float Power = 0) const {
    check(Want, Range.draw(), Power);
  }

private:
  static std::vector<float> apply(const LoadedKernel &Kernel,
                                  const std::vector<float> &X, float Power);
  static void check(const Expected &Want, const std::vector<float> &X,
                    const std::vector<float> &Y, const std::string &Level);

  std::vector<std::pair<std::string, std::unique_ptr<LoadedKernel>>> Kernels;
};

} // namespace

std::vector<float> Function::apply(const LoadedKernel &Kernel,
                                   const std::vector<float> &X, float Power) {
  auto Rows = static_cast<int64_t>((X.size() + 7) / 8);
  Data<float> From(1, 1, Rows, 8), To(1, 1, Rows, 8);
  std::copy(X.begin(), X.end(), From.Elements.begin());
  Arguments A;
  A.Args.q = From.view();
  A.Args.o = To.view();
  A.operand(0).real = static_cast<double>(Power);
  for (int64_t Tile = 0; Tile * 16 < Rows; ++Tile)
    Kernel.run(A.Args, 0, 0, Tile);
  To.Elements.resize(X.size());
  return To.Elements;
}

void Function::check(const Expected &Want, const std::vector<float> &X,
                     const std::vector<float> &Y, const std::string &Level) {
  // Denormal results may be 0.
  constexpr double Least = std::numeric_limits<float>::min();
  int Failures = 0;
  for (size_t I = 0; I < X.size() && Failures < 5; ++I) {
    double Exact = Want.Exact(static_cast<double>(X[I]));
    auto Rounded = static_cast<float>(Exact);
    bool Ok = std::isnan(Rounded) ? std::isnan(Y[I])
              : std::isinf(Rounded)
                  ? Y[I] == Rounded
                  : std::abs(Y[I] - Exact) <=
                        Want.Relative * std::abs(Exact) + Want.Absolute + Least;
    if (Ok)
      continue;
    ++Failures;
    ADD_FAILURE() << Level << ": f(" << X[I] << ") = " << Y[I] << ", expected "
                  << Exact;
  }
}

/// Where functions have something special about them.
static std::vector<float> corners() {
  std::vector<float> Result = {
      0.0F,       -0.0F,  InfinityF, -InfinityF, NotANumber, 1e-40F,
      -1e-40F,    0.5F,   -0.5F,     1.5F,       -1.5F,      3e38F,
      -3e38F,     128.0F, -150.0F,   89.0F,      -104.0F,    2.5F,
      -2.5F,      3.0F,   -3.0F,     8388609.0F, 1.0F,       -1.0F,
      4194304.5F, 1e-30F, -1e-30F,   0.625F,     0.99999994F};
  return Result;
}

TEST(Functions, Exponentials) {
  Function Exp("math.exp");
  Expected Want{[](double X) { return std::exp(X); }, 3e-7};
  Exp.check(Want, Spread{-88, 88});
  Exp.check(Want, Spread{1e-30, 1, true});
  Exp.check(Want, corners());
  Function Exp2("math.exp2");
  Want.Exact = [](double X) { return std::exp2(X); };
  Exp2.check(Want, Spread{-127, 127.9});
  Exp2.check(Want, corners());
  // Of arguments that are known not to be positive.
  auto Least = [](double X) { return X > 0 ? 0 : X; };
  Function Fading("math.exp", /*HasPower=*/false, /*IsCapped=*/true);
  Want = {[&](double X) { return std::exp(Least(X)); }, 2e-7};
  Fading.check(Want, Spread{-90, 1});
  Fading.check(Want, Spread{-1, 0});
  Fading.check(Want, corners());
  Function Fading2("math.exp2", /*HasPower=*/false, /*IsCapped=*/true);
  Want.Exact = [&](double X) { return std::exp2(Least(X)); };
  Fading2.check(Want, Spread{-130, 1});
  Fading2.check(Want, corners());
}

TEST(Functions, Logarithms) {
  Function Log("math.log");
  Expected Want{[](double X) { return std::log(X); }, 3e-7};
  Log.check(Want, Spread{1e-44, 3e38, true});
  Log.check(Want, Spread{0.9, 1.1});
  Log.check(Want, corners());
  Function Log2("math.log2");
  Want.Exact = [](double X) { return std::log2(X); };
  Log2.check(Want, Spread{1e-44, 3e38, true});
  Log2.check(Want, Spread{0.9, 1.1});
  Log2.check(Want, corners());
}

TEST(Functions, Sigmoids) {
  Function Tanh("math.tanh");
  Expected Want{[](double X) { return std::tanh(X); }, 5e-7};
  Tanh.check(Want, Spread{-3, 3});
  Tanh.check(Want, Spread{1e-36, 20, true});
  Tanh.check(Want, corners());
  Function Erf("math.erf");
  Want.Exact = [](double X) { return std::erf(X); };
  Erf.check(Want, Spread{-5, 5});
  Erf.check(Want, Spread{1e-36, 20, true});
  Erf.check(Want, corners());
}

TEST(Functions, Waves) {
  auto Sine = [](double X) { return std::sin(X); };
  auto Cosine = [](double X) { return std::cos(X); };
  Function Sin("math.sin"), Cos("math.cos");
  for (double Limit : {10.0, 1e6, 2e9}) {
    double Absolute = 2e-7 + 3e-16 * Limit;
    Sin.check({Sine, 0, Absolute}, Spread{-Limit, Limit});
    Cos.check({Cosine, 0, Absolute}, Spread{-Limit, Limit});
  }
  Sin.check({Sine, 3e-7}, Spread{1e-30, 1, true});
  Sin.check({Sine, 3e-7}, std::vector<float>{InfinityF, NotANumber, 0.0F});
  Cos.check({Cosine, 3e-7}, std::vector<float>{-InfinityF, NotANumber, 0.0F});
}

TEST(Functions, Powers) {
  Function Pow("math.powf", /*HasPower=*/true);
  for (float Power :
       {0.0F, 1.0F, 2.0F, -1.0F, 0.5F, 3.0F, -2.5F, 17.0F, 0.1F, -30.0F}) {
    Expected Want{[=](double X) { return std::pow(X, double(Power)); }, 1e-6};
    Pow.check(Want, Spread{1e-40, 3e38, true}, Power);
    Pow.check(Want, Spread{0.5, 2}, Power);
    Pow.check(Want, Spread{-20, 20}, Power);
  }
  for (float Power : {2.0F, -1.0F, 3.0F}) {
    Expected Want{[=](double X) { return std::pow(X, double(Power)); }, 1e-6};
    Pow.check(Want, corners(), Power);
  }
}

TEST(Functions, Roots) {
  Function Sqrt("math.sqrt"), Rsqrt("math.rsqrt");
  Spread Positive{1e-37, 3e38, true};
  Sqrt.check({[](double X) { return std::sqrt(X); }, 1e-7}, Positive);
  Rsqrt.check({[](double X) { return 1 / std::sqrt(X); }, 2e-7}, Positive);
}

TEST(Functions, Rounding) {
  Function Floor("math.floor"), Ceil("math.ceil"), Abs("math.absf");
  for (const std::vector<float> &X :
       {corners(), Spread{-10, 10}.draw(), Spread{-1e7, 1e7}.draw()}) {
    Floor.check({[](double Y) { return std::floor(Y); }, 0}, X);
    Ceil.check({[](double Y) { return std::ceil(Y); }, 0}, X);
    Abs.check({[](double Y) { return std::abs(Y); }, 0}, X);
  }
}
