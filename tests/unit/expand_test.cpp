// Patterns of topics and names of tables that are made: what a configuration becomes once the
// topics are known.
#include "app/expand.hpp"

#include <gtest/gtest.h>

#include "app/table_template.hpp"
#include "app/topic_pattern.hpp"
#include "config_fixture.hpp"

namespace sluice {
namespace {

ConfigResult parse(const std::string& yaml) { return parse_config(yaml, "f", test::fake_checks()); }

// "topic → table" of the PostgreSQL lane, in order.
std::vector<std::string> tables_of(const std::string& routes, std::vector<std::string> names,
                                   std::size_t refused = 0) {
    const auto config = parse(
        "pipeline: p\nkafka: {brokers: [k1]}\npostgres: {url: postgresql://localhost/app}\n"
        "dead_letters: {topic: lost}\nroutes:\n" +
        routes);
    EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().front().message());
    const Expanded expanded = expand(*config, names);
    EXPECT_EQ(expanded.refused.size(), refused);
    std::vector<std::string> out;
    for (const auto& route : expanded.config.routes) {
        EXPECT_EQ(route.topic_pattern, "");
        for (const auto& topic : route.topics) {
            for (const auto& target : route.postgres) {
                out.push_back(topic + " → " + target.target.table);
            }
        }
    }
    return out;
}

using Lines = std::vector<std::string>;

TEST(Expand, LeavesAloneWhatHasNames) {
    EXPECT_EQ(tables_of("  - topics: [b, a]\n    postgres: [{table: x}, true]\n", {"c"}),
              (Lines{"b → x", "b → ", "a → x", "a → "}));
}

TEST(Expand, FindsTopicsByTheirWholeName) {
    EXPECT_EQ(tables_of("  - topic_pattern: shop[.].+\n    postgres: {table: x}\n",
                        {"shop.b", "shop.a", "workshop.a", "shop.", "other"}),
              (Lines{"shop.a → x", "shop.b → x"}));
}

TEST(Expand, MakesATableOfATopicsParts) {
    EXPECT_EQ(tables_of("  - topic_pattern: (\\w+)[.](.+)\n    postgres: {table: \"{1}.t_{2}\"}\n",
                        {"sales.big-orders", "hr.people"}),
              (Lines{"hr.people → hr.t_people", "sales.big-orders → sales.t_big_orders"}));
    EXPECT_EQ(tables_of("  - topics: [a.b, c]\n    postgres: {table: \"raw_{topic}\"}\n", {}),
              (Lines{"a.b → raw_a_b", "c → raw_c"}));
}

TEST(Expand, GivesATopicToTheRouteThatNamesItElseToTheFirstPattern) {
    EXPECT_EQ(tables_of("  - topic_pattern: a.*\n    postgres: {table: x}\n"
                        "  - topic_pattern: .*\n    postgres: {table: y}\n"
                        "  - topic: ab\n    postgres: {table: z}\n",
                        {"aa", "ab", "b"}),
              (Lines{"aa → x", "b → y", "ab → z"}));
}

TEST(Expand, FindsNothingThatIsNoData) {
    const std::vector<std::string> names{"__consumer_offsets", "__debezium-heartbeat.shop", "lost",
                                         "shop.transaction", "shop.public.transaction"};
    EXPECT_EQ(tables_of("  - topic_pattern: .*\n    postgres: {table: x, mode: changes}\n", names),
              (Lines{"shop.public.transaction → x"}));
    EXPECT_EQ(tables_of("  - topic_pattern: .*\n    postgres: {table: x}\n", names),
              (Lines{"shop.public.transaction → x", "shop.transaction → x"}));
    EXPECT_EQ(tables_of("  - topic_pattern: __deb.*\n    postgres: {table: x}\n", names),
              (Lines{"__debezium-heartbeat.shop → x"}));
}

TEST(Expand, LeavesOutATopicOfWhichNoTableCanHaveTheName) {
    const std::string long_name(70, 'x');
    EXPECT_EQ(tables_of("  - topic_pattern: .*\n    postgres: {table: \"{topic}\"}\n",
                        {"a", long_name}, 1),
              (Lines{"a → a"}));
}

TEST(Expand, MakesATargetForEachValueOfAField) {
    const auto config = parse(
        "kafka: {brokers: [k1]}\npostgres: {url: postgresql://localhost/app}\nroutes:\n"
        "  - topic: a\n    postgres: {table: \"app.{value.type}s\", tables: [click, view]}\n");
    ASSERT_TRUE(config.has_value());
    const auto targets = expand(*config, {}).config.routes.front().postgres;
    ASSERT_EQ(targets.size(), 2U);
    EXPECT_EQ(targets[1].target.table, "app.views");
    ASSERT_TRUE(targets[1].target.branch.has_value());
    EXPECT_EQ(targets[1].target.branch->mine.terms.front().values, Lines{"view"});
    EXPECT_EQ(targets[1].target.branch->anyone.terms.front().values, (Lines{"click", "view"}));
}

TEST(TopicPattern, IsRefusedWhereItIsNoExpression) {
    for (const char* wrong : {"(", "a{2,1}", "[z-a]", "*"}) {
        EXPECT_FALSE(TopicPattern::parse(wrong).has_value()) << wrong;
    }
}

}  // namespace
}  // namespace sluice
