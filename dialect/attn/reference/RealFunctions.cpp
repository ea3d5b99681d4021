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
      {"math.acos", [](double X) { return std::acos(X); }},
      {"math.acosh", [](double X) { return std::acosh(X); }},
      {"math.asin", [](double X) { return std::asin(X); }},
      {"math.asinh", [](double X) { return std::asinh(X); }},
      {"math.atan", [](double X) { return std::atan(X); }},
      {"math.atanh", [](double X) { return std::atanh(X); }},
      {"math.cbrt", [](double X) { return std::cbrt(X); }},
      {"math.ceil", [](double X) { return std::ceil(X); }},
      {"math.cos", [](double X) { return std::cos(X); }},
      {"math.cosh", [](double X) { return std::cosh(X); }},
      {"math.erf", [](double X) { return std::erf(X); }},
      {"math.erfc", [](double X) { return std::erfc(X); }},
      {"math.exp", [](double X) { return std::exp(X); }},
      {"math.exp2", [](double X) { return std::exp2(X); }},
      {"math.expm1", [](double X) { return std::expm1(X); }},
      {"math.floor", [](double X) { return std::floor(X); }},
      {"math.log", [](double X) { return std::log(X); }},
      {"math.log10", [](double X) { return std::log10(X); }},
      {"math.log1p", [](double X) { return std::log1p(X); }},
      {"math.log2", [](double X) { return std::log2(X); }},
      {"math.round", [](double X) { return std::round(X); }},
      {"math.roundeven", [](double X) { return std::nearbyint(X); }},
      {"math.rsqrt", [](double X) { return 1 / std::sqrt(X); }},
      {"math.sin", [](double X) { return std::sin(X); }},
      {"math.sinh", [](double X) { return std::sinh(X); }},
      {"math.sqrt", [](double X) { return std::sqrt(X); }},
      {"math.tan", [](double X) { return std::tan(X); }},
      {"math.tanh", [](double X) { return std::tanh(X); }},
      {"math.trunc", [](double X) { return std::trunc(X); }},
  };
  return Functions.lookup(Name);
}

BinaryFunction heddle::attn::findBinary(llvm::StringRef Name) {
  static const llvm::StringMap<BinaryFunction> Functions = {
      {"arith.addf", [](double A, double B) { return A + B; }},
      {"arith.subf", [](double A, double B) { return A - B; }},
      {"arith.mulf", [](double A, double B) { return A * B; }},
      {"arith.divf", [](double A, double B) { return A / B; }},
      {"arith.remf", [](double A, double B) { return std::fmod(A, B); }},
      {"arith.maximumf", maximum},
      {"arith.minimumf", minimum},
      {"arith.maxnumf", [](double A, double B) { return std::fmax(A, B); }},
      {"arith.minnumf", [](double A, double B) { return std::fmin(A, B); }},
      {"math.atan2", [](double A, double B) { return std::atan2(A, B); }},
      {"math.copysign", [](double A, double B) { return std::copysign(A, B); }},
      {"math.powf", [](double A, double B) { return std::pow(A, B); }},
  };
  return Functions.lookup(Name);
}

TestFunction heddle::attn::findTest(llvm::StringRef Name) {
  static const llvm::StringMap<TestFunction> Functions = {
      {"math.isfinite", [](double X) { return std::isfinite(X); }},
      {"math.isinf", [](double X) { return std::isinf(X); }},
      {"math.isnan", [](double X) { return std::isnan(X); }},
  };
  return Functions.lookup(Name);
}
