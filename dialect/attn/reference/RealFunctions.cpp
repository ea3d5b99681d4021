// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/attn/reference/RealFunctions.h"

#include "llvm/ADT/StringMap.h"

#include <cmath>

using namespace heddle::attn;

namespace {

double pickNan(double A, double B) { return std::isnan(A) ? A : B; }

// Of two zeros the positive one is the larger.
double maximum(double A, double B) {
  if (std::isnan(A) || std::isnan(B))
    return pickNan(A, B);
  return A > B || (A == B && !std::signbit(A)) ? A : B;
}

double minimum(double A, double B) {
  if (std::isnan(A) || std::isnan(B))
    return pickNan(A, B);
  return A < B || (A == B && std::signbit(A)) ? A : B;
}

} // namespace

UnaryFunction heddle::attn::findUnary(llvm::StringRef Name) {
  static const llvm::StringMap<UnaryFunction> Functions = {
      {"arith.negf", [](double X) { return -X; }},
      {"math.absf", [](double X) { return std::fabs(X); }},
      {"math.ceil", [](double X) { return std::ceil(X); }},
      {"math.cos", [](double X) { return std::cos(X); }},
      {"math.erf", [](double X) { return std::erf(X); }},
      {"math.exp", [](double X) { return std::exp(X); }},
      {"math.exp2", [](double X) { return std::exp2(X); }},
      {"math.floor", [](double X) { return std::floor(X); }},
      {"math.log", [](double X) { return std::log(X); }},
      {"math.log2", [](double X) { return std::log2(X); }},
      {"math.rsqrt", [](double X) { return 1 / std::sqrt(X); }},
      {"math.sin", [](double X) { return std::sin(X); }},
      {"math.sqrt", [](double X) { return std::sqrt(X); }},
      {"math.tanh", [](double X) { return std::tanh(X); }},
  };
  return Functions.lookup(Name);
}

BinaryFunction heddle::attn::findBinary(llvm::StringRef Name) {
  static const llvm::StringMap<BinaryFunction> Functions = {
      {"arith.addf", [](double A, double B) { return A + B; }},
      {"arith.subf", [](double A, double B) { return A - B; }},
      {"arith.mulf", [](double A, double B) { return A * B; }},
      {"arith.divf", [](double A, double B) { return A / B; }},
      {"arith.maximumf", maximum},
      {"arith.minimumf", minimum},
      {"arith.maxnumf", [](double A, double B) { return std::fmax(A, B); }},
      {"arith.minnumf", [](double A, double B) { return std::fmin(A, B); }},
      {"math.powf", [](double A, double B) { return std::pow(A, B); }},
  };
  return Functions.lookup(Name);
}
