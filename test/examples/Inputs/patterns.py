# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The examples once more, as their papers put them, to count kept pairs with.

Each function takes the head h, the absolute query position i, the key position j
and the number of keys n, and says whether the pair is kept. They are written
from the papers' definitions, not from the files in examples/.
"""


def is_power_of_two(x):
    return x >= 1 and x & (x - 1) == 0


def dense(h, i, j, n):
    return True


def causal(h, i, j, n):
    return j <= i


def sliding_window(h, i, j, n, window=1024):
    return i - window < j <= i


def a_shape(h, i, j, n, sink=64, window=1024):
    return j <= i and (j < sink or j > i - window)


def prefix_lm(h, i, j, n, prefix=512):
    return j < prefix or j <= i


def dilated_window(h, i, j, n, window=256):
    return j in range(i, i - 4 * window, -4)


def strided(h, i, j, n):
    return j in range(i, -1, -128)


def local_strided(h, i, j, n, window=128):
    return i - window < j <= i or strided(h, i, j, n)


def power_block(h, i, j, n, sink=64, window=256):
    if j > i:
        return False
    return is_power_of_two(i // 64 - j // 64) or i - j < window or j < sink


def power_token(h, i, j, n, sink=64, window=256):
    if j > i:
        return False
    return is_power_of_two(i - j) or i - j < window or j < sink


def global_local(h, i, j, n, radius=256, **others):
    # A keyword of Python cannot name a parameter, `global` included.
    count = others.get("global", 64)
    return abs(i - j) <= radius or i < count or j < count


def block_diagonal(h, i, j, n):
    return i // 512 == j // 512


def s2_shards(h, i, j, n, local=4):
    if j > i:
        return False
    return i // 64 - j // 64 < local or (j // 64 + h + 1) % 8 == 0


def moa_wedge(h, i, j, n, sink=64, alpha=256):
    span = alpha + (i - alpha) // 4 if i > alpha else alpha
    return j <= i and (i - j < span or j < sink)


def neighborhood_1d(h, i, j, n, window=256):
    # NATTEN: so many neighbours left and right, then shifted into the sequence.
    left = window // 2
    right = window // 2 + window % 2 - 1
    start = max(i - left, 0)
    if i + right >= n:
        start += n - i - right - 1
    start = max(start, 0)
    return start <= j < start + window


def landmark(h, i, j, n):
    return j <= i


def sigmoid_attention(h, i, j, n):
    return j <= i


def softcap(h, i, j, n, window=1024):
    return i - window < j <= i
