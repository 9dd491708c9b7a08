# SPDX-License-Identifier: Apache-2.0
# Decides whether the CUDA backend is built: turns INLINED_CUDA = AUTO into ON or OFF and, for ON,
# enables the language with our architectures.
include(CheckLanguage)
if(INLINED_CUDA STREQUAL "AUTO")
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(INLINED_CUDA ON)
  else()
    set(INLINED_CUDA OFF)
  endif()
endif()
if(INLINED_CUDA)
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    # A plain number is machine code and PTX: 120's PTX serves what comes after it.
    set(CMAKE_CUDA_ARCHITECTURES "80-real;89-real;90-real;120")
  endif()
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
  enable_language(CUDA)
  if(CMAKE_VERSION VERSION_LESS 3.26 AND NOT TARGET CUDA::nvToolsExt)
    add_library(CUDA::nvToolsExt INTERFACE IMPORTED) # gone in CUDA 13; the find module of 3.25 stops
  endif()
  find_package(CUDAToolkit REQUIRED)
  message(STATUS "inlined: CUDA backend for ${CMAKE_CUDA_ARCHITECTURES}")
else()
  message(STATUS "inlined: no CUDA compiler, the build is complete on the CPU")
endif()
