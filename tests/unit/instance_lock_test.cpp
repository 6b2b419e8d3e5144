// One holder for each pipeline and instance; and folders that somebody else prepared are refused.
#include "app/instance_lock.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "temporary_folder.hpp"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class InstanceLocks : public testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(setenv("XDG_RUNTIME_DIR", base_.c_str(), 1), 0); }
    void TearDown() override { unsetenv("XDG_RUNTIME_DIR"); }

    TemporaryFolder temporary_;
    const fs::path& base_ = temporary_.path();
};

std::string why(const Result<InstanceLock>& taken) {
    return taken ? "it was taken" : taken.error().message();
}

TEST_F(InstanceLocks, ASecondHolderIsRefusedAndToldWhoTheFirstIs) {
    const auto first = InstanceLock::take("shop", "a");
    ASSERT_TRUE(first) << why(first);
    const auto second = InstanceLock::take("shop", "a");
    ASSERT_FALSE(second);
    EXPECT_NE(why(second).find("process " + std::to_string(getpid())), std::string::npos);
    EXPECT_NE(why(second).find("instance 'a' of pipeline 'shop'"), std::string::npos);
    EXPECT_EQ(second.error().action, Action::configure);
}

TEST_F(InstanceLocks, OtherNamesAreFree) {
    const auto first = InstanceLock::take("shop", "a.b");
    const auto instance = InstanceLock::take("shop", "a");
    const auto pipeline = InstanceLock::take("shop.a", "b");
    EXPECT_TRUE(first && instance && pipeline) << why(first) << why(instance) << why(pipeline);
}

TEST_F(InstanceLocks, AFileThatNobodyHoldsDoesNotHold) {
    for (int turn = 0; turn < 2; ++turn) {
        auto taken = InstanceLock::take("shop", "a");
        ASSERT_TRUE(taken) << why(taken);
        const InstanceLock moved = *std::move(taken);
    }
    const auto file = base_ / "sluice/shop/a.lock";
    std::ofstream(file) << "4000000\nmore than a number\n";
    const auto again = InstanceLock::take("shop", "a");
    ASSERT_TRUE(again) << why(again);
    std::string line;
    std::getline(std::ifstream(file) >> std::ws, line);
    EXPECT_EQ(line, std::to_string(getpid()));
}

TEST_F(InstanceLocks, TheFoldersAreTheUsersAlone) {
    const mode_t before = umask(0);
    const auto taken = InstanceLock::take("shop", "a");
    umask(before);
    ASSERT_TRUE(taken) << why(taken);
    for (const auto* folder : {"sluice", "sluice/shop"}) {
        EXPECT_EQ(fs::status(base_ / folder).permissions(), fs::perms::owner_all) << folder;
    }
    EXPECT_EQ(fs::status(base_ / "sluice/shop/a.lock").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(InstanceLocks, SymbolicLinksAreNotFollowed) {
    fs::create_directories(base_ / "elsewhere/shop");
    fs::permissions(base_ / "elsewhere", fs::perms::owner_all);
    fs::create_directory_symlink(base_ / "elsewhere", base_ / "sluice");
    EXPECT_NE(why(InstanceLock::take("shop", "a")).find("symbolic link"), std::string::npos);
    fs::remove(base_ / "sluice");

    ASSERT_TRUE(InstanceLock::take("shop", "b"));
    fs::create_symlink(base_ / "elsewhere/file", base_ / "sluice/shop/a.lock");
    EXPECT_FALSE(InstanceLock::take("shop", "a"));
    EXPECT_FALSE(fs::exists(base_ / "elsewhere/file"));
}

TEST_F(InstanceLocks, AFolderThatOthersCanChangeIsRefused) {
    fs::create_directory(base_ / "sluice");
    fs::permissions(base_ / "sluice", fs::perms::all);
    EXPECT_NE(why(InstanceLock::take("shop", "a")).find("chmod 700"), std::string::npos);
}

TEST_F(InstanceLocks, AFolderOfAnotherUserIsRefused) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can make a folder that is another user's";
    }
    fs::create_directory(base_ / "sluice");
    fs::permissions(base_ / "sluice", fs::perms::owner_all);
    ASSERT_EQ(chown((base_ / "sluice").c_str(), 65534, 65534), 0);
    EXPECT_NE(why(InstanceLock::take("shop", "a")).find("another user"), std::string::npos);
}

TEST_F(InstanceLocks, WithoutARuntimeFolderTheTemporaryOneServes) {
    setenv("XDG_RUNTIME_DIR", (base_ / "gone").c_str(), 1);
    const char* const before = std::getenv("TMPDIR");
    const std::optional<std::string> kept = before ? std::optional<std::string>(before)
                                                   : std::nullopt;
    setenv("TMPDIR", base_.c_str(), 1);
    const auto taken = InstanceLock::take("shop", "a");
    kept ? setenv("TMPDIR", kept->c_str(), 1) : unsetenv("TMPDIR");
    ASSERT_TRUE(taken) << why(taken);
    EXPECT_TRUE(fs::exists(base_ / ("sluice-" + std::to_string(geteuid())) / "shop/a.lock"));
}

}  // namespace
}  // namespace sluice
