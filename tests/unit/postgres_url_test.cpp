// PostgreSQL's URLs and other addresses: what becomes of them, and that no message quotes one.
#include <gtest/gtest.h>

#include "app/address.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

using test::canary;

// "url | password", or "error: detail; hint".
std::string show(std::string_view text) {
    const auto url = parse_postgres_url(text);
    if (!url) {
        return "error: " + url.error().message();
    }
    return url->url + (url->password ? " | " + *url->password : "");
}

TEST(PostgresUrl, LibpqsFormsPassUnchanged) {
    for (const std::string url :
         {"postgresql://localhost/app", "postgresql://", "postgresql:///app",
          "postgresql://u@h:5433/d?sslmode=verify-full&connect_timeout=3",
          "postgresql://h1:1,h2:2/d?target_session_attrs=primary", "postgresql://[::1]:5433/d",
          "postgresql://%2Fvar%2Frun/d", "postgresql://h?sslrootcert=/etc/ca.pem"}) {
        EXPECT_EQ(show(url), url);
    }
    EXPECT_EQ(show("postgres://u@h/d"), "postgresql://u@h/d");
    EXPECT_EQ(show("postgresql://h/d?user=a%40b"), "postgresql://a%40b@h/d");
}

TEST(PostgresUrl, PasswordMovesOutDecoded) {
    EXPECT_EQ(show("postgresql://u:p%40%2F%25w@h/d"), "postgresql://u@h/d | p@/%w");
    EXPECT_EQ(show("postgresql://u:p:q?x@h"), "postgresql://u@h | p:q?x");
    EXPECT_EQ(show("postgresql://:pw@h/d"), "postgresql://h/d | pw");
    EXPECT_EQ(show("postgresql://u@h/d?password=p%26w&sslmode=require"),
              "postgresql://u@h/d?sslmode=require | p&w");
    EXPECT_EQ(show("postgresql://u:@h/d"), "postgresql://u@h/d");
}

TEST(PostgresUrl, JdbcParametersAreTranslated) {
    EXPECT_EQ(show("jdbc:postgresql://h:5433/d?user=me@x&password=a+b%2B&ssl=true"),
              "postgresql://me%40x@h:5433/d?sslmode=verify-full | a b+");
    EXPECT_EQ(show("jdbc:postgresql://h/d?ssl=true&sslmode=require"),
              "postgresql://h/d?sslmode=require");
    EXPECT_EQ(show("jdbc:postgresql://h/d?ssl=false"), "postgresql://h/d");
    EXPECT_EQ(show("jdbc:postgresql://h/d?currentSchema=a,b c&ApplicationName=x"),
              "error: the URL holds a space or a control character; write a space as %20");
    EXPECT_EQ(show("jdbc:postgresql://h/d?currentSchema=a,b%20c&ApplicationName=x"),
              "postgresql://h/d?options=-csearch_path%3Da,b%5C%20c");
    EXPECT_EQ(show("jdbc:postgresql://h/d?connectTimeout=5"), "postgresql://h/d?connect_timeout=5");
    EXPECT_EQ(show("jdbc:postgresql://h/d?reWriteBatchedInserts=true"),
              "error: the URL has an unknown parameter 'reWriteBatchedInserts'; allowed: user, "
              "password, ssl, sslmode, sslrootcert, sslcert, sslkey, currentSchema, "
              "connectTimeout, ApplicationName");
}

TEST(PostgresUrl, SluiceNamesItsConnectionsItself) {
    EXPECT_EQ(show("postgresql://h/d?application_name=x&sslmode=require"),
              "postgresql://h/d?sslmode=require");
}

TEST(PostgresUrl, MistakesAreNamed) {
    EXPECT_NE(show("postgresql://h/d?sslmod=x").find("did you mean 'sslmode'?"), std::string::npos);
    EXPECT_NE(show("postgresql://h/d?client_encoding=x").find("Sluice writes UTF-8"),
              std::string::npos);
    EXPECT_NE(show("postgresql://h:x/d").find("a port in the URL is not a number"),
              std::string::npos);
    EXPECT_NE(show("postgresql://h/d?a").find("has no value"), std::string::npos);
    EXPECT_NE(show("host=localhost dbname=app").find("this is not a PostgreSQL URL"),
              std::string::npos);
    EXPECT_NE(show("jdbc:postgresql:app").find("this is not a PostgreSQL URL"), std::string::npos);
    EXPECT_NE(show("postgresql://u:p%zz@h/d").find("not followed by two hex digits"),
              std::string::npos);
    EXPECT_NE(show("postgresql://h/d%00").find("not followed by two hex digits"),
              std::string::npos);
}

TEST(PostgresUrl, NoMessageQuotesAPassword) {
    for (const std::string text :
         {"postgresql://u:/canary-8b1f@h/d", "postgresql://u:x@canary-8b1f@h/d",
          "postgresql://u:1/x?canary-8b1f@h/d", "postgresql://u:x/d?y=canary-8b1f@h",
          "postgresql://u:%zz-canary-8b1f@h", "mysql://u:canary-8b1f@h/d",
          "postgresql://u:canary-8b1f@h/d?password=canary-8b1f",
          "postgresql://h/d?sslpassword=canary-8b1f", "postgresql://u:canary-8b1f@h:x/d",
          "postgresql://u:canary-8b1f", "postgresql://u:canary-8b1f@h/d?nosuch=1",
          "jdbc:postgresql://h/d?passwort=canary-8b1f", "postgresql://u:canary-8b1f @h"}) {
        const std::string shown = show(text);
        EXPECT_TRUE(shown.starts_with("error: ")) << text;
        EXPECT_EQ(shown.find("canary"), std::string::npos) << shown;
    }
}

TEST(Address, HostsGetTheirPort) {
    const auto parsed = [](std::string_view text) {
        const auto result = parse_host_port(text, 9092);
        return result ? *result : "error";
    };
    EXPECT_EQ(parsed("h"), "h:9092");
    EXPECT_EQ(parsed("h.x-y_z:1"), "h.x-y_z:1");
    EXPECT_EQ(parsed("10.0.0.1:65535"), "10.0.0.1:65535");
    EXPECT_EQ(parsed("[::1]"), "[::1]:9092");
    EXPECT_EQ(parsed("[fe80::1]:2"), "[fe80::1]:2");
    for (const auto* bad : {"", ":1", "h:", "h:0", "h:65536", "h:1x", "h:+1", "h:1:2", "::1",
                            "[::1", "[::1]1", "[x]:1", "a b", "x://h", "h/d", "u@h"}) {
        EXPECT_EQ(parsed(bad), "error") << bad;
    }
}

TEST(Address, CassandraInOneFlag) {
    const auto address = parse_cassandra_address("u:p@/:w@c1:1,c2/ks");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->hosts, "c1:1,c2");
    EXPECT_EQ(address->keyspace, "ks");
    EXPECT_EQ(address->user, "u");
    EXPECT_EQ(address->password, "p@/:w");
    EXPECT_FALSE(parse_cassandra_address("c1/ks")->user);
    for (const std::string bad :
         {"c1", "c1/", "/ks", "@c1/ks", "cassandra://c1/ks", "u:canary-8b1f@c1", ""}) {
        const auto result = parse_cassandra_address(bad);
        ASSERT_FALSE(result) << bad;
        EXPECT_EQ(result.error().message().find(canary), std::string::npos);
    }
}

}  // namespace
}  // namespace sluice
