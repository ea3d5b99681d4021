# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
import resource
import shutil
import subprocess

import lit.formats

config.name = "heddle"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
# GoogleTest programs, and files that tests read.
config.excludes = ["unit", "exec", "fuzz", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.heddle_build_dir, "test")

# Tools are called by their plain names: heddle, heddle-opt, heddle-run, and
# FileCheck, not, split-file, … of LLVM.
config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.heddle_build_dir, "bin"),
        config.llvm_tools_dir,
        os.environ.get("PATH", ""),
    ]
)
# A failing CHECK shows its input.
config.environment["FILECHECK_OPTS"] = "--dump-input=fail"
for name in (
    "HEDDLE_LEVEL",
    "HEDDLE_CPU_FEATURES",
    "HEDDLE_DEVICE_ALL",
    "ASAN_OPTIONS",
):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# The assembler of devices: where the compiler finds it (see heddle compile
# --help). Tests of what it says need it.
for name in ("HEDDLE_PTXAS", "CUDA_HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
ptxas = os.environ.get("HEDDLE_PTXAS") or next(
    filter(
        None,
        (
            shutil.which("ptxas", path=os.path.join(folder, "bin"))
            for folder in (os.environ.get("CUDA_HOME", ""), "/usr/local/cuda")
            if folder
        ),
    ),
    shutil.which("ptxas"),
)
if ptxas and ptxas != "none":
    config.available_features.add("ptxas")
else:
    lit_config.note("no ptxas: whether kernels of devices spill is not tested")

# A folder of a few pages, which a test fills: a file system that it mounts.
if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                  stderr=subprocess.DEVNULL, check=False).returncode == 0:
    config.available_features.add("mounts")
else:
    lit_config.note("no file system can be mounted: full disks are not tested")

# The build may leave the benchmarks out.
if config.heddle_bench:
    config.available_features.add("bench")

config.substitutions += [
    ("%{path}", config.environment["PATH"]),
    ("%heddle_src", config.heddle_source_dir),
    ("%heddle_build", config.heddle_build_dir),
    ("%heddle_lib_dir", os.path.join(config.heddle_build_dir, "lib")),
    ("%examples", os.path.join(config.heddle_source_dir, "examples")),
    ("%python", config.python),
    ("%cc", config.host_cc),
    ("%cxx", config.host_cxx),
]

# No process of a test may use more CPU time than this; lit's own time limit
# would need a package.
CPU_SECONDS = 300
resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
# A crash is a failure; its core file is of no use here.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
