// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Binder.h"

#include <algorithm>
#include <cmath>
#include <iterator>

using namespace heddle;
using namespace heddle::runtime;

heddle_error *Binder::input(const std::string &Name,
                            const heddle_tensor *Tensor, int32_t Rank,
                            int32_t Dtype, heddle_view &View) {
  if (heddle_error *E = bindTensor(Name.c_str(), Tensor, Rank, Dtype, View))
    return E;
  Inputs.push_back({Name, &View, Dtype});
  return nullptr;
}

heddle_error *Binder::output(const std::string &Name,
                             const heddle_tensor *Tensor, int32_t Rank,
                             int32_t Dtype, heddle_view &View) {
  if (heddle_error *E = bindTensor(Name.c_str(), Tensor, Rank, Dtype, View))
    return E;
  Outputs.push_back({Name, &View, Dtype});
  return nullptr;
}

heddle_error *Binder::extraInput(const std::string &Name,
                                 const heddle_tensor *Tensor, int32_t Rank,
                                 bool Has, heddle_view &View) {
  if (!Tensor)
    return nullptr;
  if (!Has)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' is given, but kernel '{}' does not take it; "
                     "leave it null",
                     Name, Entry.name);
  return input(Name, Tensor, Rank, HEDDLE_F32, View);
}

heddle_error *Binder::extraOutput(const std::string &Name,
                                  const heddle_tensor *Tensor, int32_t Rank,
                                  bool Has, heddle_view &View) {
  if (!Tensor)
    return nullptr;
  if (!Has)
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "tensor '{}' is given, but kernel '{}' does not compute "
                     "it; leave it null",
                     Name, Entry.name);
  return output(Name, Tensor, Rank, HEDDLE_F32, View);
}

bool Binder::isInPlace(const heddle_view *Output,
                       const heddle_view *Input) const {
  return std::find(InPlace.begin(), InPlace.end(), std::pair(Output, Input)) !=
             InPlace.end() &&
         Output->data == Input->data &&
         std::equal(std::begin(Output->stride), std::end(Output->stride),
                    Input->stride);
}

heddle_error *Binder::checkSharing() const {
  for (size_t I = 0; I < Outputs.size(); ++I) {
    if (heddle_error *E = checkDistinct(Outputs[I]))
      return E;
    for (const BoundTensor &Input : Inputs)
      if (!isInPlace(Outputs[I].View, Input.View))
        if (heddle_error *E = checkApart(Outputs[I], Input))
          return E;
    for (size_t J = I + 1; J < Outputs.size(); ++J)
      if (heddle_error *E = checkApart(Outputs[I], Outputs[J]))
        return E;
  }
  return nullptr;
}

heddle_error *Binder::scale(float Given, float &Out) const {
  if (!std::isfinite(Given))
    return makeError(HEDDLE_INVALID_ARGUMENT,
                     "'scale' is {}, expected a finite number", Given);
  Out = Given;
  if (Out == 0)
    Out = static_cast<float>(1.0 / std::sqrt(static_cast<double>(Entry.d_qk)));
  return nullptr;
}
