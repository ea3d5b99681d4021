// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontends/common/Run.h"

#include "codegen/cpu/FmaPeak.h"
#include "frontends/common/Settings.h"
#include "runtime/npy/Npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

using namespace heddle;
using namespace heddle::frontend;

using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point Start) {
  return std::chrono::duration<double>(Clock::now() - Start).count();
}

ErrorText frontend::toText(heddle_error *Error) {
  if (!Error)
    return std::nullopt;
  std::string Text = heddle_error_message(Error);
  heddle_error_free(Error);
  return Text;
}

double frontend::median(std::vector<double> Values) {
  size_t Middle = Values.size() / 2;
  std::nth_element(Values.begin(), Values.begin() + Middle, Values.end());
  if (Values.size() % 2 == 1)
    return Values[Middle];
  double Below = *std::max_element(Values.begin(), Values.begin() + Middle);
  return (Below + Values[Middle]) / 2;
}

ErrorText Runner::prepare(const heddle_kernel *Kernel, const heddle_code *Code,
                          const Problem &TheSizes,
                          const RunOptions &TheOptions) {
  Entry = heddle_kernel_entry(Kernel);
  Options = &TheOptions;
  Sizes = TheSizes;
  std::vector<Parameter> Known;
  for (int64_t I = 0; I < Entry->num_params; ++I) {
    const heddle_param &P = Entry->params[I];
    Known.push_back({P.name, std::nullopt});
    if (P.has_default)
      Known.back().Default = P.default_value;
  }
  if (ErrorText Bad =
          bindParameters(Entry->pattern, Known, Options->Settings, Params))
    return Bad;
  if (!Code)
    if (ErrorText Bad = toText(heddle_kernel_code(Kernel, &Code)))
      return Bad;
  if (!Pool) {
    heddle_pool *NewPool = nullptr;
    if (ErrorText Bad = toText(heddle_pool_create(Options->Threads, &NewPool)))
      return Bad;
    Pool.reset(NewPool);
  }
  Origins.assign(static_cast<size_t>(Sizes.Batch), Options->Origin);
  heddle_problem Problem = {Sizes.Batch,  Sizes.HeadsQ, Sizes.HeadsKv,
                            Sizes.SeqQ,   Sizes.SeqK,   Origins.data(),
                            Params.data()};
  heddle_plan *NewPlan = nullptr;
  Clock::time_point Start = Clock::now();
  if (ErrorText Bad =
          toText(heddle_plan_create_with(Kernel, Code, &Problem, &NewPlan)))
    return Bad;
  PlanMilliseconds = secondsSince(Start) * 1e3;
  Plan.reset(NewPlan);
  return std::nullopt;
}

ErrorText Runner::launch(Operands &Inputs, Tensor &O, Tensor &Lse) {
  heddle_tensor Q = Inputs.Q.view(), K = Inputs.K.view(), V = Inputs.V.view();
  heddle_tensor OutO = O.view(), OutLse = Lse.view();
  heddle_tensors All = {&Q, &K, &V, &OutO, &OutLse, Options->Scale};
  return toText(heddle_launch(Plan.get(), &All, Pool.get()));
}

ErrorText Runner::run(Operands &Data, Report &Out) {
  Out.Kernel = Entry->name;
  Out.Pattern = Entry->pattern;
  Out.Level = code().level;
  Out.Dtype = "f32";
  for (int64_t I = 0; I < Entry->num_params; ++I)
    Out.Parameters.emplace_back(Entry->params[I].name, Params[I]);
  Out.Sizes = Sizes;
  Out.Order = Options->Order;
  Out.Origin = Options->Origin;
  Out.Threads = heddle_pool_threads(Pool.get());
  Out.Repeat = Options->Repeat;
  Out.QueryTile = code().query_tile;
  Out.KeyTile = code().key_tile;
  Out.PlanBytes = heddle_plan_bytes(Plan.get());
  Out.PlanMilliseconds = PlanMilliseconds;
  if (ErrorText Bad =
          toText(heddle_plan_stats(Plan.get(), Pool.get(), &Out.Stats)))
    return Bad;
  std::vector<double> Times;
  for (int64_t I = 0; I < Options->Repeat; ++I) {
    Clock::time_point Start = Clock::now();
    if (ErrorText Bad = launch(Data, Data.O, Data.Lse))
      return Bad;
    Times.push_back(secondsSince(Start));
  }
  Out.MedianSeconds = median(std::move(Times));
  Out.FmaPeak = cpu::measureFmaPeak(Out.Threads);
  return std::nullopt;
}

ErrorText frontend::checkOutputs(const RunOptions &Options) {
  for (const std::string *Path : {&Options.OutputPath, &Options.LsePath})
    if (!Path->empty())
      if (ErrorText Bad = npy::checkWritable(*Path))
        return Bad;
  return std::nullopt;
}

ErrorText frontend::writeOutputs(const RunOptions &Options,
                                 const Operands &Data) {
  npy::PendingFile O, Lse;
  // All that can fail for want of space comes before the first file appears.
  if (!Options.OutputPath.empty())
    if (ErrorText Bad = npy::stage(Options.OutputPath, Data.O.storedShape(),
                                   Data.O.data(), O))
      return Bad;
  if (!Options.LsePath.empty())
    if (ErrorText Bad = npy::stage(Options.LsePath, Data.Lse.storedShape(),
                                   Data.Lse.data(), Lse))
      return Bad;
  if (!Options.OutputPath.empty())
    if (ErrorText Bad = O.commit())
      return Bad;
  if (!Options.LsePath.empty())
    return Lse.commit();
  return std::nullopt;
}

ErrorText frontend::printText(const std::string &Text) {
  if (std::fwrite(Text.data(), 1, Text.size(), stdout) != Text.size() ||
      std::fflush(stdout) != 0)
    return fmt::format("cannot write to standard output: {}",
                       std::strerror(errno));
  return std::nullopt;
}

ErrorText frontend::printReport(const RunOptions &Options, const Report &R) {
  return printText(Options.Json ? R.json() : R.text());
}
