// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What calls.ptx was made of, by
//   clang++-22 -x cuda -nocudainc -nocudalib --cuda-gpu-arch=sm_80
//     --cuda-device-only --cuda-feature=+ptx80 -S -O2 calls.cu -o calls.ptx
// and what LlvmTest.cpp compares it with. DEVICE and KERNEL are empty there.
#ifndef DEVICE
#define DEVICE __attribute__((noinline)) __attribute__((device))
#define KERNEL __attribute__((global))
#define THREAD __nvvm_read_ptx_sreg_tid_x()
#endif

typedef long long Wide;

struct Block {
  int A;
  double B;
  char C[24];
};

extern "C" {

DEVICE Wide helper(const int *P, Wide N, Wide X) {
  Wide Sum = 0;
  for (Wide I = 0; I < N; I++) {
    if (P[I] > X)
      Sum += P[I] / (X + 1);
    else
      Sum ^= __builtin_popcountll(P[I]);
    if (Sum == 77)
      return helper(P + 1, N - 1, X - 1);
  }
  return Sum;
}

DEVICE Block make(int A, Block In) {
  Block Out;
  Out.A = A + In.A;
  Out.B = A * 0.5;
  for (int I = 0; I < 24; I++)
    Out.C[I] = char(A + I + In.C[I]);
  return Out;
}

KERNEL void mix(int *Out, const int *In, Wide N, float F, Block B) {
  unsigned T = THREAD;
  int Local[16];
  for (int I = 0; I < 16; I++)
    Local[I] = In[(T * I) & 15];
  Block R = make(int(T), B);
  Out[T] = int(helper(In, N, T) + Local[In[T] & 15] + R.C[In[T] % 24] +
               int(F * R.B) + int(__builtin_sqrtf(F)) + T % unsigned(In[0]));
  switch (In[T]) {
  case 0:
    Out[T] = 3;
    break;
  case 1:
    Out[T] += 7;
    break;
  case 2:
    Out[T] *= 9;
    break;
  case 3:
    Out[T] ^= 12345;
    break;
  case 4:
    Out[T] -= In[5];
    break;
  case 5:
    Out[T] /= 3;
    break;
  default:
    Out[T]--;
  }
}
}
