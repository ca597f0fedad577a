# The CUDA toolchain of src/backend/cuda. Machine code is made ahead of time for each architecture, and no PTX: nothing
# is compiled when a server starts.

set(GLM5_CUDA_ARCHITECTURES "90a;100a;120a" CACHE STRING "Architectures of the CUDA kernels, as in sm_90a")

if(NOT CMAKE_CUDA_COMPILER)
  find_program(CMAKE_CUDA_COMPILER nvcc HINTS /usr/local/cuda/bin REQUIRED)
endif()
set(CMAKE_CUDA_ARCHITECTURES OFF)  # the flags below say it, with the "a" that CMake 3.25 does not know
enable_language(CUDA)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # nor how to ask this nvcc for C++20, which CMAKE_CXX_STANDARD implies
find_package(CUDAToolkit 13.0 REQUIRED)

set(CMAKE_CUDA_FLAGS_RELEASE "-O3")
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
endif()

# GLM5_CUDA_FLAGS: of every .cu file.
set(GLM5_CUDA_FLAGS --expt-relaxed-constexpr -lineinfo)
foreach(architecture ${GLM5_CUDA_ARCHITECTURES})
  list(APPEND GLM5_CUDA_FLAGS "SHELL:-gencode arch=compute_${architecture},code=sm_${architecture}")
endforeach()
