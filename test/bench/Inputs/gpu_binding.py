# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Cases for bench/gpu/heddle.py, arguments BENCH LIBRARY host|device BUNDLES."""

import ctypes
import math
import random
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1] + "/gpu")

import heddle

HEADS, KEY_HEADS, QUERIES, KEYS, DIM = 4, 2, 21, 33, 8
SOURCE = random.Random(3)


def made(count):
    return (ctypes.c_float * count)(*(SOURCE.gauss(0, 1) for _ in range(count)))


def tensor(array, shape, dtype=heddle.F32):
    return heddle.Tensor(ctypes.addressof(array), dtype, shape, array)


def attention(q, k, v, keep):
    """Rows of all heads, by the definition."""
    for head in range(HEADS):
        shared = head * KEY_HEADS // HEADS
        for row in range(QUERIES):
            at = (head * QUERIES + row) * DIM
            weights = {}
            for key in range(KEYS):
                if keep(head, row, key):
                    to = (shared * KEYS + key) * DIM
                    score = sum(q[at + i] * k[to + i] for i in range(DIM)) / math.sqrt(DIM)
                    weights[key] = math.exp(score)
            total = sum(weights.values())
            for i in range(DIM):
                yield sum(w * v[(shared * KEYS + key) * DIM + i]
                          for key, w in weights.items()) / total if weights else 0.0


def check(library, pool, path, values, keep, origin=0):
    bundle = heddle.Bundle(library, Path(path))
    entry = bundle.entry
    assert (entry.dtype, entry.d_qk, entry.d_v) == (heddle.F32, DIM, DIM)
    plan = heddle.Plan(bundle, heddle.Problem(1, HEADS, KEY_HEADS, QUERIES, KEYS, origin, values))
    assert plan.level.startswith("cpu"), plan.level
    q, k, v = (made(n * DIM) for n in (HEADS * QUERIES, KEY_HEADS * KEYS, KEY_HEADS * KEYS))
    o, lse = made(HEADS * QUERIES * DIM), made(HEADS * QUERIES)
    shapes = (1, HEADS, QUERIES, DIM), (1, KEY_HEADS, KEYS, DIM)
    tensors = heddle.Tensors(tensor(q, shapes[0]), tensor(k, shapes[1]), tensor(v, shapes[1]),
                             tensor(o, shapes[0]), tensor(lse, shapes[0][:3]))
    heddle.launch(plan, tensors, pool)
    for i, (got, wanted) in enumerate(zip(o, attention(q, k, v, keep))):
        assert abs(got - wanted) < 1e-5, (path, i, got, wanted)
    pairs = sum(keep(h, i, j) for h in range(HEADS) for i in range(QUERIES) for j in range(KEYS))
    assert plan.kept_pairs(pool) == pairs, (path, plan.kept_pairs(pool), pairs)
    plan.close()
    bundle.close()


def refused(expected, make):
    try:
        make()
    except heddle.HeddleError as why:
        assert expected in str(why), why
    else:
        raise AssertionError(f"expected a failure: {expected}")


def host(library, folder):
    """Kernels on threads of this machine, against the definition."""
    pool = heddle.Pool(library, 2)

    check(library, pool, folder / "causal.so", {}, lambda h, q, k: q + 12 >= k, origin=12)
    check(library, pool, folder / "window.so", {"window": 5}, lambda h, q, k: 0 <= q - k < 5)

    # A table and a set: documents, and a column set for each head.
    ids = [0] * 10 + [1] * 7 + [2] * 16
    table = (ctypes.c_int32 * KEYS)(*ids)
    check(library, pool, folder / "documents.so",
          {"doc": heddle.Tensor(ctypes.addressof(table), heddle.I32, (1, KEYS), table)},
          lambda h, q, k: q >= k and ids[q] == ids[k])
    bits = [SOURCE.random() < 0.3 for _ in range(HEADS * KEYS)]
    near = [distance < 3 for distance in range(KEYS)]
    columns, slashes = (ctypes.c_bool * len(bits))(*bits), (ctypes.c_bool * KEYS)(*near)
    sets = {"cols": heddle.SetMap(tensor(columns, (1, HEADS, KEYS), heddle.BOOL)),
            "diags": heddle.SetMap(tensor(slashes, (1, 1, KEYS), heddle.BOOL))}
    check(library, pool, folder / "slashes.so", sets,
          lambda h, q, k: q >= k and (bits[h * KEYS + k] or near[q - k]))

    # What is wrong is said in the runtime's words, or the binding's.
    bundle = heddle.Bundle(library, folder / "slashes.so")
    problem = heddle.Problem(1, HEADS, KEY_HEADS, QUERIES, KEYS)
    refused("parameter 'cols' has no value", lambda: heddle.Plan(bundle, problem))
    problem.values = {**sets, "rows": 1}
    refused("the kernel has no parameter 'rows'", lambda: heddle.Plan(bundle, problem))
    problem.values = {**sets, "cols": 1}
    refused("parameter 'cols' is of another kind", lambda: heddle.Plan(bundle, problem))
    problem.values, problem.heads = sets, 3
    refused("heads", lambda: heddle.Plan(bundle, problem))
    bundle.close()
    refused("nowhere.so", lambda: heddle.Bundle(library, folder / "nowhere.so"))
    pool.close()


def device(library, folder):
    """A kernel on a device, against the code of this machine."""
    there, pool = heddle.Device(library), heddle.Pool(library, 1)
    found = there.describe()
    assert found["name"] == "Test Device" and found["arch"] == "sm_86", found
    assert found["driver_version"] == "12.4" and found["driver"].endswith("driver.so"), found
    bundle = heddle.Bundle(library, folder / "both.so", "window")
    dims = bundle.entry.d_qk, bundle.entry.d_v
    problem = heddle.Problem(2, HEADS, KEY_HEADS, QUERIES, KEYS, 5, {"window": 4})
    plans = heddle.Plan(bundle, problem), heddle.Plan(bundle, problem, there)
    assert [plan.level for plan in plans] == ["test-best", "test-device"]
    shapes = [(2, HEADS, QUERIES, dims[0]), (2, KEY_HEADS, KEYS, dims[0]),
              (2, KEY_HEADS, KEYS, dims[1]), (2, HEADS, QUERIES, dims[1])]
    arrays = [made(math.prod(shape)) for shape in shapes]
    heddle.launch(plans[0], heddle.Tensors(*map(tensor, arrays, shapes)), pool)

    addresses = [there.allocate(ctypes.sizeof(array)) for array in arrays]
    for address, array in zip(addresses[:3], arrays):
        there.upload(address, bytes(array))
    launched = heddle.DevicePlan(there, plans[1])
    launched.launch(heddle.Tensors(*(heddle.Tensor(address, heddle.F32, shape)
                                     for address, shape in zip(addresses, shapes))))
    there.synchronize()
    size = ctypes.sizeof(arrays[3])
    got = (ctypes.c_float * len(arrays[3])).from_buffer_copy(there.download(addresses[3], size))
    for i, (mine, wanted) in enumerate(zip(got, arrays[3])):
        assert abs(mine - wanted) < 1e-5, (i, mine, wanted)

    # An address of nowhere is refused before anything is launched.
    nowhere = heddle.Tensors(*(heddle.Tensor(0, heddle.F32, shape) for shape in shapes))
    refused("q", lambda: launched.launch(nowhere))
    refused("there is no device 1", lambda: heddle.Device(library, 1))
    for address in addresses:
        there.free(address)
    for item in (launched, *plans, bundle, there, pool):
        item.close()


{"host": host, "device": device}[sys.argv[3]](heddle.Library(Path(sys.argv[2])), Path(sys.argv[4]))
