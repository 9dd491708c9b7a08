# SPDX-License-Identifier: Apache-2.0
# Toolchain: kernels and their tests for AArch64, linked statically and run under QEMU's user mode.
#   cmake -S . -B build-arm64 -DCMAKE_TOOLCHAIN_FILE=tests/tools/aarch64.cmake -DINLINED_KERNELS_ONLY=ON
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# Every instruction set that the emulator knows; a test's QEMU_CPU in the environment has less.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
