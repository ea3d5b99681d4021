// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef HEDDLE_FRONTENDS_COMMON_RANDOM_H
#define HEDDLE_FRONTENDS_COMMON_RANDOM_H

#include <cmath>
#include <cstdint>

namespace heddle::frontend {

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
  /// In [0, Count), Count > 0.
  int64_t below(int64_t Count) {
    return static_cast<int64_t>(next() % static_cast<uint64_t>(Count));
  }
  /// Two independent standard normal values (Box and Muller, 1958).
  void normal(double &First, double &Second) {
    constexpr double TwoPi = 6.283185307179586;
    double Radius = std::sqrt(-2 * std::log(uniform()));
    double Angle = TwoPi * uniform();
    First = Radius * std::cos(Angle);
    Second = Radius * std::sin(Angle);
  }

private:
  uint64_t State;
};

} // namespace heddle::frontend

#endif // HEDDLE_FRONTENDS_COMMON_RANDOM_H
