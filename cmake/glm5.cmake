# Compiler settings of the whole project, and glm5_library / glm5_test: one library per folder of src/, one test
# program per folder of tests/. The link edges given here are checked against the #include lines by tests/house.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)

add_library(glm5_options INTERFACE)
target_compile_options(glm5_options INTERFACE -Wall -Wextra -Wshadow -Wno-missing-field-initializers)
target_include_directories(glm5_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(glm5_options INTERFACE GLM5_VERSION="${PROJECT_VERSION}")
target_link_libraries(glm5_options INTERFACE fmt::fmt Threads::Threads)

if(GLM5_SANITIZE)
  target_compile_options(glm5_options INTERFACE -fsanitize=${GLM5_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(glm5_options INTERFACE -fsanitize=${GLM5_SANITIZE})
  if(GLM5_SANITIZE MATCHES "thread")
    # The sanitizer does not model fences, which Asio uses otherwise.
    target_compile_definitions(glm5_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # Reports calls through type-erased pointers inside Boost.
    target_compile_options(glm5_options INTERFACE -fno-sanitize=function)
  endif()
endif()
if(GLM5_FUZZ)
  target_compile_options(glm5_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# glm5_library(NAME [LINKS libraries…]): glm5_NAME from every .cpp of this folder, or an interface library when it
# has none. LINKS names other folders (as base, json), or packages (as PkgConfig::PCRE2).
function(glm5_library name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(scope PUBLIC)
  if(sources)
    add_library(glm5_${name} STATIC ${sources})
  else()
    add_library(glm5_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(glm5_${name} ${scope} glm5_options)
  foreach(link ${ARG_LINKS})
    if(link MATCHES "::")
      target_link_libraries(glm5_${name} ${scope} ${link})
    else()
      target_link_libraries(glm5_${name} ${scope} glm5_${link})
    endif()
  endforeach()
endfunction()

add_custom_target(unit_tests)     # every test program
add_custom_target(fuzz_programs)  # every fuzz target

# glm5_test(NAME [LINKS libraries…] [SLOW filter]): NAME_test from every .cpp of this folder, each case a CTest. Cases that
# the filter of gtest matches have the label slow, which sanitizer runs leave out.
function(glm5_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;SLOW" "LINKS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name}_test ${sources})
  add_dependencies(unit_tests ${name}_test)
  list(TRANSFORM ARG_LINKS PREPEND glm5_)
  target_link_libraries(${name}_test PRIVATE ${ARG_LINKS} glm5_options GTest::gtest_main GTest::gmock)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_test PRIVATE GLM5_SOURCE_DIR="${PROJECT_SOURCE_DIR}" GLM5_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(discover TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS)
  if(ARG_SLOW)
    gtest_discover_tests(${name}_test TEST_FILTER "${ARG_SLOW}" ${discover} slow)
    gtest_discover_tests(${name}_test TEST_FILTER "-${ARG_SLOW}" ${discover} ${name})
  else()
    gtest_discover_tests(${name}_test ${discover} ${name})
  endif()
endfunction()

# glm5_fuzz(NAME LINKS libraries…): fuzz_NAME from fuzz/NAME_fuzz.cpp.
function(glm5_fuzz name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  add_executable(fuzz_${name} ${name}_fuzz.cpp)
  add_dependencies(fuzz_programs fuzz_${name})
  list(TRANSFORM ARG_LINKS PREPEND glm5_)
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_LINKS} glm5_options -fsanitize=fuzzer)
endfunction()
