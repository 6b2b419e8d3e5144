# The two native parts that come from Rust's registry: librdkafka and the Cassandra driver, built
# by cargo into one static archive. Gives
#   sluice_rdkafka           librdkafka/rdkafka.h
#   sluice_cassandra_bridge  sluice/cassandra_bridge.h
# Both link the same archive, so a program that needs both gets it once.

option(SLUICE_SYSTEM_RDKAFKA "Link the system's librdkafka (2.6.1 or later) instead of our own" OFF)

# For copies of the tree that change only C++ (scripts/mutants).
set(SLUICE_NATIVE_BUILT "" CACHE PATH "Take the native parts from here instead of building them")

# Keep in step with `rust-version` in native/Cargo.toml.
set(SLUICE_CARGO_VERSION_MIN 1.88)

find_program(SLUICE_CARGO cargo PATHS "$ENV{HOME}/.cargo/bin"
             DOC "Rust's build tool, ${SLUICE_CARGO_VERSION_MIN} or later")
if(NOT SLUICE_CARGO)
    message(FATAL_ERROR "Sluice needs cargo ${SLUICE_CARGO_VERSION_MIN} or later for the "
        "Cassandra driver, and none was found. Install Rust by rustup, or set "
        "-DSLUICE_CARGO=/path/to/cargo.")
endif()
execute_process(COMMAND "${SLUICE_CARGO}" --version
                WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}/native"
                OUTPUT_VARIABLE sluice_cargo_says ERROR_VARIABLE sluice_cargo_complains
                RESULT_VARIABLE sluice_cargo_result)
if(NOT sluice_cargo_result EQUAL 0
   OR NOT sluice_cargo_says MATCHES "cargo ([0-9]+\\.[0-9]+\\.[0-9]+)")
    message(FATAL_ERROR "${SLUICE_CARGO} --version failed: "
        "${sluice_cargo_says}${sluice_cargo_complains}")
endif()
if(CMAKE_MATCH_1 VERSION_LESS SLUICE_CARGO_VERSION_MIN)
    message(FATAL_ERROR "Sluice needs cargo ${SLUICE_CARGO_VERSION_MIN} or later, but "
        "${SLUICE_CARGO} is ${CMAKE_MATCH_1}. Run `rustup update`, or set "
        "-DSLUICE_CARGO=/path/to/cargo.")
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)

# Shared by all presets: the archive does not depend on the C++ flags, and it takes minutes. The
# build without librdkafka has a folder of its own, or the two would take turns in one archive.
if(SLUICE_SYSTEM_RDKAFKA)
    set(sluice_native_dir "${CMAKE_SOURCE_DIR}/build/native-system-rdkafka")
    set(sluice_cargo_features --no-default-features)
    pkg_check_modules(SLUICE_RDKAFKA IMPORTED_TARGET "rdkafka>=2.6.1")
    if(NOT SLUICE_RDKAFKA_FOUND)
        message(FATAL_ERROR "SLUICE_SYSTEM_RDKAFKA is ON, but pkg-config knows no librdkafka "
            "2.6.1 or later (older ones cannot log in to Kafka 4 by SCRAM). Install one, or leave "
            "the option OFF to build our own.")
    endif()
else()
    set(sluice_native_dir "${CMAKE_SOURCE_DIR}/build/native")
    set(sluice_cargo_features "")
    find_package(ZLIB)
    find_package(CURL)
    pkg_check_modules(SLUICE_ZSTD IMPORTED_TARGET libzstd)
    pkg_check_modules(SLUICE_SASL2 IMPORTED_TARGET libsasl2)
    if(NOT (ZLIB_FOUND AND CURL_FOUND AND SLUICE_ZSTD_FOUND AND SLUICE_SASL2_FOUND))
        message(FATAL_ERROR "librdkafka needs the development files of zlib, curl, zstd and Cyrus "
            "SASL (Debian: zlib1g-dev libcurl4-openssl-dev libzstd-dev libsasl2-dev).")
    endif()
endif()
if(SLUICE_NATIVE_BUILT)
    set(sluice_native_dir "${SLUICE_NATIVE_BUILT}")
endif()
set(sluice_native_archive "${sluice_native_dir}/release/libsluice_native.a")
# An imported target refuses an include folder that does not exist yet.
file(MAKE_DIRECTORY "${sluice_native_dir}/include")

if(SLUICE_NATIVE_BUILT)
    add_custom_target(sluice_native)
else()
    # Runs at every build: cargo alone knows what changed, and leaves the archive alone if nothing did.
    add_custom_target(sluice_native
        COMMAND "${CMAKE_COMMAND}" -E env
                "CARGO_TARGET_DIR=${sluice_native_dir}"
                "SLUICE_NATIVE_INCLUDE=${sluice_native_dir}/include"
                "${SLUICE_CARGO}" build --release --locked --quiet ${sluice_cargo_features}
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}/native"
        BYPRODUCTS "${sluice_native_archive}"
        COMMENT "Building the native parts with cargo (minutes the first time)"
        USES_TERMINAL VERBATIM)
endif()

add_library(sluice_native_archive STATIC IMPORTED GLOBAL)
set_target_properties(sluice_native_archive PROPERTIES IMPORTED_LOCATION "${sluice_native_archive}")
add_dependencies(sluice_native_archive sluice_native)
target_link_libraries(sluice_native_archive INTERFACE
    OpenSSL::SSL OpenSSL::Crypto Threads::Threads ${CMAKE_DL_LIBS} m)
if(NOT SLUICE_SYSTEM_RDKAFKA)
    target_link_libraries(sluice_native_archive INTERFACE
        CURL::libcurl ZLIB::ZLIB PkgConfig::SLUICE_ZSTD PkgConfig::SLUICE_SASL2)
endif()

add_library(sluice_cassandra_bridge INTERFACE)
target_include_directories(sluice_cassandra_bridge SYSTEM INTERFACE
    "${CMAKE_SOURCE_DIR}/native/include")
target_link_libraries(sluice_cassandra_bridge INTERFACE sluice_native_archive)
add_dependencies(sluice_cassandra_bridge sluice_native)

add_library(sluice_rdkafka INTERFACE)
if(SLUICE_SYSTEM_RDKAFKA)
    target_link_libraries(sluice_rdkafka INTERFACE PkgConfig::SLUICE_RDKAFKA)
else()
    target_include_directories(sluice_rdkafka SYSTEM INTERFACE "${sluice_native_dir}/include")
    target_link_libraries(sluice_rdkafka INTERFACE sluice_native_archive)
    add_dependencies(sluice_rdkafka sluice_native)
endif()
