// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Manifest.h"

#include "dialect/tile/Tile.h"
#include "passes/LinearCost.h"

#include "runtime/src/Dtype.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;
using llvm::json::OStream;
using runtime::dtypeName;

std::string heddle::compilerName() { return "heddle " HEDDLE_VERSION; }

heddle_param_kind heddle::paramKind(mlir::Type Type) {
  if (Type.isF32())
    return HEDDLE_REAL;
  if (mlir::isa<attn::SetType>(Type))
    return HEDDLE_SET;
  if (auto Table = mlir::dyn_cast<mlir::RankedTensorType>(Type))
    return Table.getElementType().isIndex() ? HEDDLE_INTEGER_TABLE
                                            : HEDDLE_REAL_TABLE;
  return HEDDLE_INTEGER;
}

static llvm::StringRef kindName(heddle_param_kind Kind) {
  switch (Kind) {
  case HEDDLE_INTEGER:
    return "integer";
  case HEDDLE_REAL:
    return "real";
  case HEDDLE_INTEGER_TABLE:
    return "integer table";
  case HEDDLE_REAL_TABLE:
    return "real table";
  case HEDDLE_SET:
    return "set";
  }
  llvm_unreachable("every kind has a name");
}

/// The arguments of a launch: what they are and how their axes are called.
static void writeArguments(OStream &Json, const KernelInfo &Kernel) {
  auto Write = [&](llvm::StringRef Role, llvm::StringRef Dtype,
                   std::initializer_list<llvm::StringRef> Axes, bool Output,
                   bool Optional) {
    Json.object([&] {
      Json.attribute("role", Role);
      Json.attribute("dtype", Dtype);
      Json.attributeArray("axes", [&] {
        for (llvm::StringRef Axis : Axes)
          Json.value(Axis);
      });
      Json.attribute("output", Output);
      Json.attribute("optional", Optional);
    });
  };
  llvm::StringRef Input = dtypeName(Kernel.dtype());
  Write("q", Input, {"batch", "heads_q", "seq_q", "d_qk"}, false, false);
  Write("k", Input, {"batch", "heads_kv", "seq_k", "d_qk"}, false, false);
  Write("v", Input, {"batch", "heads_kv", "seq_k", "d_v"}, false, false);
  for (size_t I = 1; I < Kernel.Spec.sources.size(); ++I) {
    std::string Number = std::to_string(I);
    Write("k" + Number, Input, {"batch", "heads_kv", "more_seq_k", "d_qk"},
          false, false);
    Write("v" + Number, Input, {"batch", "heads_kv", "more_seq_k", "d_v"},
          false, false);
  }
  Write("o", dtypeName(Kernel.outputDtype()),
        {"batch", "heads_q", "seq_q", "d_v"}, true, false);
  if (Kernel.Spec.isLinear()) {
    for (bool Output : {false, true})
      Write(Output ? "state_out" : "state_in", "f32",
            {"batch", "heads_q", "state_rows", "d_v"}, Output, true);
    for (bool Output : {false, true})
      if (Kernel.Spec.entry.getState().getSums())
        Write(Output ? "sums_out" : "sums_in", "f32",
              {"batch", "heads_q", "state_rows"}, Output, true);
  } else if (Kernel.Spec.isSoftmax()) {
    Write("lse", "f32", {"batch", "heads_q", "seq_q"}, true, true);
  }
  attn::OutputsAttr Outputs = Kernel.Spec.outputs();
  if (Outputs.getRowMax())
    Write("row_max", "f32", {"batch", "heads_q", "seq_q"}, true, true);
  for (size_t I = 0; I < Kernel.Spec.sources.size(); ++I) {
    std::string Number = I > 0 ? std::to_string(I) : "";
    if (Outputs.getColumnSums())
      Write("column_sums" + Number, "f32",
            {"batch", "heads_q", I > 0 ? "more_seq_k" : "seq_k"}, true, true);
    if (Outputs.hasBlockMax())
      Write("block_max" + Number, "f32",
            {"batch", "heads_q", "blocks_q",
             I > 0 ? "more_blocks_k" : "blocks_k"},
            true, true);
  }
  Write("origin", "i64", {"batch"}, false, true);
}

static void writeNumbers(OStream &Json, llvm::StringRef Name,
                         llvm::ArrayRef<int64_t> Numbers) {
  Json.attributeArray(Name, [&] {
    for (int64_t Number : Numbers)
      Json.value(Number);
  });
}

static void writeParams(OStream &Json, const KernelSpec &Spec) {
  for (const KernelParam &Param : Spec.params)
    Json.object([&] {
      Json.attribute("name", Param.name);
      Json.attribute("kind", kindName(paramKind(Param.type)));
      if (Param.rank)
        Json.attribute("rank", Param.rank);
      if (auto Integer =
              llvm::dyn_cast_or_null<mlir::IntegerAttr>(Param.defaultValue))
        Json.attribute("default", Integer.getInt());
      else if (auto Real =
                   llvm::dyn_cast_or_null<mlir::FloatAttr>(Param.defaultValue))
        Json.attribute("default", Real.getValueAsDouble());
    });
}

/// The names of the parameters that are the extents of a grid.
static void writeGrid(OStream &Json, llvm::StringRef Name,
                      attn::PatternOp Pattern, llvm::ArrayRef<int64_t> Grid) {
  Json.attributeArray(Name, [&] {
    for (int64_t Param : Grid)
      Json.value(Pattern.getParamName(Param));
  });
}

/// What a device's kernels ask for, and what their code takes; null where that
/// is not known, because the code was not assembled.
static void writeDevice(OStream &Json, const CodeInfo &Code) {
  const DeviceInfo &Device = Code.Device;
  Json.attribute("target", Device.code(tile::kTarget).getValue());
  Json.attribute("arch", Device.arch());
  Json.attribute("tf32", Code.Entry.getTf32());
  Json.attribute("text_bytes", Device.code(tile::kText).size());
  mlir::StringAttr Binary = Device.code(tile::kBinary);
  Json.attribute("binary_bytes",
                 Binary ? static_cast<int64_t>(Binary.size()) : int64_t(0));
  Json.attributeArray("warnings", [&] {
    for (mlir::Attribute Warning : Device.warnings())
      Json.value(llvm::cast<mlir::StringAttr>(Warning).getValue());
  });
  Json.attributeArray("kernels", [&] {
    for (mlir::LLVM::LLVMFuncOp Kernel :
         {Device.Task, Device.Columns, Device.Merge}) {
      if (!Kernel)
        continue;
      Json.object([&] {
        Json.attribute("symbol", Kernel.getSymName());
        for (mlir::NamedAttribute Resource :
             Kernel->getAttrOfType<mlir::DictionaryAttr>(tile::kResourcesAttr))
          if (auto Number =
                  llvm::dyn_cast<mlir::IntegerAttr>(Resource.getValue()))
            Json.attribute(Resource.getName(), Number.getInt());
          else
            Json.attribute(Resource.getName(), nullptr);
      });
    }
  });
}

/// The schedule, the scratch memory and what a device takes.
static void writeSizes(OStream &Json, const CodeInfo &Code) {
  attn::ScheduleAttr Schedule = Code.Entry.getSchedule();
  Json.attributeObject("schedule", [&] {
    Json.attribute("query_tile", Schedule.getQueryTile());
    Json.attribute("key_tile", Schedule.getKeyTile());
    Json.attribute("rows", Schedule.getRows());
    Json.attribute("lanes", Schedule.getLanes());
    Json.attribute("unroll", Schedule.getUnroll());
    if (!Schedule.getQueryBox().empty()) {
      writeNumbers(Json, "query_box", Schedule.getQueryBox());
      writeNumbers(Json, "key_box", Schedule.getKeyBox());
    }
    if (Schedule.getStages())
      Json.attribute("stages", Schedule.getStages());
    if (Schedule.getHeads() != 1)
      Json.attribute("heads", Schedule.getHeads());
  });
  Json.attribute("workspace_bytes", Code.workspace());
  if (Code.Device)
    Json.attributeObject("device", [&] { writeDevice(Json, Code); });
}

static void writeCode(OStream &Json, const KernelSpec &Spec,
                      const CodeInfo &Code, const CodeInfo *Packed) {
  Json.object([&] {
    Json.attribute("level", Code.Entry.getLevel());
    Json.attributeArray("features", [&] {
      llvm::SmallVector<llvm::StringRef> Features;
      Code.features().split(Features, ',', -1, /*KeepEmpty=*/false);
      for (llvm::StringRef Feature : Features)
        Json.value(Feature);
    });
    writeSizes(Json, Code);
    if (Spec.isLinear()) {
      Json.attribute("step_tokens", Code.stepTokens(Spec.recurrence));
      if (int64_t Values = Code.sliceValues(Spec.recurrence))
        Json.attribute("slice_values", Values);
      Json.attribute("chunk_flop", chunkFlop(Spec.recurrence, Code.Entry));
    }
    if (Packed)
      Json.attributeObject("short_queries", [&] { writeSizes(Json, *Packed); });
  });
}

static llvm::StringRef normalizerName(const KernelSpec &Spec) {
  attn::RecurrenceOp Recurrence = Spec.recurrence;
  return Recurrence
             ? attn::stringifyLinearNormalizer(Recurrence.getNormalize())
             : attn::stringifyNormalizerKind(Spec.normalizer().getKind());
}

static void writeState(OStream &Json, const KernelSpec &Spec) {
  attn::RecurrenceOp Recurrence = Spec.recurrence;
  Json.attribute("state_rows", Spec.entry.getState().getRows());
  Json.attribute("causal", Spec.entry.getState().getCausal());
  Json.attribute("segments", Recurrence.canScan());
  if (std::optional<unsigned> Window = Recurrence.getWindowParam())
    Json.attribute("window", Recurrence.getParamName(*Window));
}

static void writeKernel(OStream &Json, const KernelInfo &Kernel) {
  const KernelSpec &Spec = Kernel.Spec;
  Json.object([&] {
    Json.attribute("name", Spec.entry.getName());
    Json.attribute("form", Spec.isLinear() ? "linear" : "attention");
    Json.attribute("pattern", Spec.entry.getPattern().getValue());
    if (Spec.sources.size() > 1)
      Json.attributeArray("sources", [&] {
        for (const KernelSource &Source : Spec.sources) {
          attn::PatternOp Pattern = Source.pattern;
          Json.value(Pattern.getSymName());
        }
      });
    Json.attribute("dtype", dtypeName(Kernel.dtype()));
    Json.attribute("output_dtype", dtypeName(Kernel.outputDtype()));
    Json.attribute("d_qk", Spec.entry.getQk());
    Json.attribute("d_v", Spec.entry.getV());
    Json.attribute("normalizer", normalizerName(Spec));
    Json.attributeArray("arguments", [&] { writeArguments(Json, Kernel); });
    Json.attributeArray("parameters", [&] { writeParams(Json, Spec); });
    if (Spec.isLinear()) {
      writeState(Json, Spec);
    } else if (attn::PatternOp First = Spec.first(); First.hasGrid()) {
      writeGrid(Json, "query_grid", First, First.getQueryGrid());
      writeGrid(Json, "key_grid", First, First.getKeyGrid());
    }
    if (Spec.outputs().hasBlockMax())
      writeNumbers(Json, "block",
                   {Spec.outputs().getBlockQ(), Spec.outputs().getBlockK()});
    Json.attribute("uses_batch", Kernel.UsesBatch);
    Json.attribute("uses_head", Kernel.UsesHead);
    Json.attributeArray("codes", [&] {
      for (const CodeInfo &Code : Kernel.Codes)
        writeCode(Json, Spec, Code, Kernel.packed(Code.Entry.getLevel()));
    });
  });
}

std::string heddle::writeManifest(llvm::ArrayRef<KernelInfo> Kernels,
                                  llvm::StringRef Arch) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  OStream Json(Out);
  Json.object([&] {
    Json.attribute("compiler", compilerName());
    Json.attribute("abi_version", HEDDLE_ABI_VERSION);
    Json.attribute("arch", Arch);
    Json.attributeArray("kernels", [&] {
      for (const KernelInfo &Kernel : Kernels)
        writeKernel(Json, Kernel);
    });
  });
  return Text;
}
