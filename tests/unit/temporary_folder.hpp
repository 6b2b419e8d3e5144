// A folder of a test's own, gone with it: tests run side by side.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace sluice {

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = testing::TempDir() + "sluice-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("can't make " + name);
        }
        path_ = name;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

}  // namespace sluice
