// What an error of Cassandra says to whom: never a row's key, and what to do where that is known.
#include "sinks/cassandra/bridge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cassandra {
namespace {

using testing::HasSubstr;
using testing::Not;

Error server_says(std::int32_t code, std::string_view text) {
    return translate(SLC_DB, code, text, "cassandra.write");
}

TEST(CassandraBridge, KeysOfRowsStandInNoError) {
    const auto large = server_says(0x2200,
                                   "Rejected an oversized mutation (9437184/8388608) for keyspace: "
                                   "shop. Top keys are: orders.SECRET. and more");
    EXPECT_EQ(large.detail, "Rejected an oversized mutation (9437184/8388608) for keyspace: shop");
    const auto denied = server_says(
        0x2200,
        "Unable to write to denylisted partition [0xDecoratedKey(-9, 5345)] in shop/orders");
    EXPECT_EQ(denied.detail, "Unable to write to denylisted partition [...] in shop/orders");
    const auto cut = server_says(0x2200, "Unable to write to denylisted partition [0xDecora");
    EXPECT_EQ(cut.detail, "Unable to write to denylisted partition [") << "without the full stops";
}

TEST(CassandraBridge, ANodeWhoseDiskIsFullBlamesNoRow) {
    const auto full = server_says(
        0x2200, "Write request failed because disk usage exceeds failure threshold");
    EXPECT_EQ(full.action, Action::retry);
    EXPECT_EQ(full.code, "0x2200");
    EXPECT_EQ(server_says(0x2200, "Invalid null value").action, Action::configure);
}

TEST(CassandraBridge, WhoseFaultACodeIs) {
    for (const auto code : {0x0000, 0x1000, 0x1001, 0x1002, 0x1100, 0x1500, 0x1600, 0x2500}) {
        EXPECT_EQ(server_says(code, "text").action, Action::retry) << code;
    }
    for (const auto code : {0x0100, 0x2000, 0x2100, 0x2200, 0x2300}) {
        EXPECT_EQ(server_says(code, "text").action, Action::configure) << code;
    }
    for (const auto code : {0x000A, 0x9999}) {
        EXPECT_EQ(server_says(code, "text").action, Action::stop) << code;
    }
}

TEST(CassandraBridge, AMissingPrivilegeNamesTheGrant) {
    const auto error = server_says(
        0x2100, "User App has no MODIFY permission on <table shop.Orders> or any "
                "of its parents");
    EXPECT_EQ(error.action, Action::configure);
    EXPECT_THAT(error.hint, HasSubstr("GRANT MODIFY ON TABLE \"shop\".\"Orders\" TO \"App\""));
}

TEST(CassandraBridge, AMissingPrivilegeInOtherWordsStillSaysWhatToDo) {
    for (const auto* text : {"You have not logged in", "User a has no CREATE permission on <all",
                             "User a has no MODIFY permission on <table", ""}) {
        const auto error = server_says(0x2100, text);
        EXPECT_THAT(error.hint, HasSubstr("grant")) << text;
        EXPECT_THAT(error.hint, Not(HasSubstr("GRANT"))) << text;
    }
}

TEST(CassandraBridge, RefusedCredentialsHaveTheServersCodeOrNone) {
    EXPECT_EQ(translate(SLC_AUTH, 0x0100, "wrong", "cassandra.connect").code, "0x0100");
    EXPECT_EQ(translate(SLC_AUTH, 0, "wrong", "cassandra.connect").code, "");
}

}  // namespace
}  // namespace sluice::cassandra
