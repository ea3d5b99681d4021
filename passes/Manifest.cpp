// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Manifest.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace heddle;
using llvm::json::OStream;

std::string heddle::compilerName() { return "heddle " HEDDLE_VERSION; }

static llvm::StringRef dtypeName(heddle_dtype Dtype) {
  switch (Dtype) {
  case HEDDLE_F32:
    return "f32";
  }
  llvm_unreachable("every dtype has a name");
}

// [attention-2]: f32 is the one storage type.
heddle_dtype KernelInfo::dtype() const { return HEDDLE_F32; }

/// The arguments of a launch: what they are and how their axes are called.
static void writeArguments(OStream &Json, llvm::StringRef Dtype) {
  struct Argument {
    llvm::StringLiteral Role;
    llvm::StringLiteral Dtype; ///< Empty: the kernel's.
    std::initializer_list<llvm::StringLiteral> Axes;
    bool Output, Optional;
  };
  static const Argument Arguments[] = {
      {"q", "", {"batch", "heads_q", "seq_q", "d_qk"}, false, false},
      {"k", "", {"batch", "heads_kv", "seq_k", "d_qk"}, false, false},
      {"v", "", {"batch", "heads_kv", "seq_k", "d_v"}, false, false},
      {"o", "", {"batch", "heads_q", "seq_q", "d_v"}, true, false},
      {"lse", "f32", {"batch", "heads_q", "seq_q"}, true, true},
      {"origin", "i64", {"batch"}, false, true},
  };
  for (const Argument &A : Arguments)
    Json.object([&] {
      Json.attribute("role", A.Role);
      Json.attribute("dtype",
                     A.Dtype.empty() ? Dtype : llvm::StringRef(A.Dtype));
      Json.attributeArray("axes", [&] {
        for (llvm::StringRef Axis : A.Axes)
          Json.value(Axis);
      });
      Json.attribute("output", A.Output);
      Json.attribute("optional", A.Optional);
    });
}

static void writeCode(OStream &Json, const CodeInfo &Code) {
  attn::ScheduleAttr Schedule = Code.Entry.getSchedule();
  Json.object([&] {
    Json.attribute("level", Code.Entry.getLevel());
    Json.attributeArray("features", [&] {
      llvm::SmallVector<llvm::StringRef> Features;
      Code.features().split(Features, ',', -1, /*KeepEmpty=*/false);
      for (llvm::StringRef Feature : Features)
        Json.value(Feature);
    });
    Json.attributeObject("schedule", [&] {
      Json.attribute("query_tile", Schedule.getQueryTile());
      Json.attribute("key_tile", Schedule.getKeyTile());
      Json.attribute("rows", Schedule.getRows());
      Json.attribute("lanes", Schedule.getLanes());
      Json.attribute("unroll", Schedule.getUnroll());
    });
    Json.attribute("workspace_bytes", Code.workspace());
  });
}

static void writeKernel(OStream &Json, const KernelInfo &Kernel) {
  attn::PatternOp Pattern = Kernel.Pattern;
  llvm::StringRef Dtype = dtypeName(Kernel.dtype());
  Json.object([&] {
    Json.attribute("name", Kernel.Entry.getName());
    Json.attribute("pattern", Pattern.getSymName());
    Json.attribute("dtype", Dtype);
    Json.attribute("d_qk", Kernel.Entry.getQk());
    Json.attribute("d_v", Kernel.Entry.getV());
    Json.attributeArray("arguments", [&] { writeArguments(Json, Dtype); });
    Json.attributeArray("parameters", [&] {
      for (unsigned I = 0; I < Pattern.getNumParams(); ++I)
        Json.object([&] {
          Json.attribute("name", Pattern.getParamName(I));
          if (std::optional<int64_t> Default = Pattern.getParamDefault(I))
            Json.attribute("default", *Default);
        });
    });
    Json.attribute("uses_batch", Kernel.UsesBatch);
    Json.attribute("uses_head", Kernel.UsesHead);
    Json.attributeArray("codes", [&] {
      for (const CodeInfo &Code : Kernel.Codes)
        writeCode(Json, Code);
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
