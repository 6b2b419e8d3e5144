"""Mistakes in the file and on the command line: exit 2, the place, what is allowed. And secrets: nowhere."""

import json
from pathlib import Path

import pytest
import verify
from servers import eventually

GOOD = """pipeline: shop
kafka:
  brokers: [localhost:9092]
postgres:
  url: postgresql://localhost/shop
routes:
  - topic: orders
    postgres:
      table: orders
      mode: upsert
      key: [id]
      columns:
        id: value.id
"""

# what is replaced, by what, line and column of the mistake, words of the message
MISTAKES = {
    "unknown setting": ("  brokers", "  brokerz", "3:3", "did you mean 'brokers'?"),
    "unknown section": ("postgres:\n  url", "postgers:\n  url", "4:1", "did you mean 'postgres'?"),
    "repeated setting": ("pipeline: shop\n", "pipeline: shop\npipeline: again\n", "2:1", "pipeline"),
    "unknown mode": ("mode: upsert", "mode: upsrt", "10:13", "did you mean 'upsert'?"),
    "bad path": ("id: value.id", "id: vlaue.id", "13:13", "value"),
    "bad number": ("  url:", "  pool: many\n  url:", "5:9", "64"),
    "number out of range": ("  url:", "  pool: 65\n  url:", "5:9", "64"),
    "bad duration": ("pipeline: shop\n", "start_timeout: 5 minutes\n", "1:16", "30s"),
    "bad broker": ("[localhost:9092]", "['localhost:99999']", "3:13", "port"),
    "bad URL": ("postgresql://localhost/shop", "mysql://localhost/shop", "5:8", "postgresql://"),
    "missing environment variable": ("shop\nkafka", "${SLUICE_NOT_SET}\nkafka", "1:11", "SLUICE_NOT_SET"),
    "missing file": ("shop\nkafka", "${file:/nowhere}\nkafka", "1:11", "/nowhere"),
    "upsert without key": ("      key: [id]\n", "", "9:7", "key"),
    "key that is no column": ("key: [id]", "key: [uid]", "11:13", "uid"),
    "topic twice": ("routes:\n", "routes:\n  - topic: orders\n", "8:5", "orders"),
    "anchor": ("pipeline: shop", "pipeline: &x shop", "1:11", "anchor"),
    "not YAML": ("[localhost:9092]", "[localhost:9092", "", ""),
    "refused property": ("  brokers", "  properties: {enable.auto.commit: true}\n  brokers", "3:16",
                         "enable.auto.commit"),
    "bad start": ("  brokers", "  start: erliest\n  brokers", "3:10", "did you mean 'earliest'?"),
    "no database": ("postgres:\n  url: postgresql://localhost/shop\n", "", "", "postgres"),
    "list for a text": ("pipeline: shop", "pipeline: [shop]", "1:11", "pipeline"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_name_file_line_and_column(sluice, name):
    old, new, place, words = MISTAKES[name]
    assert old in GOOD
    file = sluice.write_file(GOOD.replace(old, new, 1))
    done = sluice.run("run", "-c", file).expect(2)
    done.has(f"{file}:{place}" if place else str(file), words)
    assert sluice.run("check", "-c", file).expect(2).err == done.err


def test_all_mistakes_are_named_at_once(sluice):
    text = GOOD.replace("  brokers", "  brokerz").replace("mode: upsert", "mode: x").replace(
        "  url:", "  pool: 0\n  url:")
    file = sluice.write_file(text)
    done = sluice.run("run", "-c", file).expect(2)
    assert len([line for line in done.err.splitlines() if line.startswith(f"{file}:")]) >= 3


USAGE = {
    "no arguments": ([], ""), "unknown command": (["rum"], "run"),
    "unknown flag": (["run", "--topik", "x"], "--topic"),
    "missing brokers": (["run", "--topic", "t", "--postgres", "postgresql://h/d"], "brokers"),
    "no database": (["run", "--brokers", "b", "--topic", "t"], "postgres"),
    "flag beside file": (["run", "-c", "x.yaml", "--topic", "t"], "--topic"),
    "missing file": (["run", "-c", "/nowhere.yaml"], "/nowhere.yaml"),
    "bad level": (["--log-level", "loud", "run"], "debug"),
    "bad lane": (["reset", "--lane", "mysql", "--brokers", "b", "--topic", "t", "--postgres",
                  "postgresql://h/d"], "postgres"),
    "lane not there": (["reset", "--lane", "cassandra", "--brokers", "b", "--topic", "t", "--postgres",
                        "postgresql://h/d"], "cassandra"),
    "bad property": (["run", "-X", "nonsense", "--brokers", "b", "--topic", "t"], "NAME=VALUE"),
    "no keyspace": (["run", "--brokers", "b", "--topic", "t", "--cassandra", "host"], "keyspace"),
}


@pytest.mark.parametrize("name", USAGE)
def test_wrong_usage_exits_2_and_says_what_is_right(sluice, name):
    arguments, words = USAGE[name]
    assert words in sluice.run(*arguments).expect(2).err


def test_help_and_version_exit_0(sluice):
    assert "Examples:" in sluice.run("--help").expect(0).out
    for command in ("run", "check", "produce", "reset"):
        assert "Examples:" in sluice.run(command, "--help").expect(0).out
    version = sluice.run("--version").expect(0).out
    assert all(name in version for name in ("sluice ", "librdkafka", "libpq", "scylla", "simdjson"))


def test_print_config_is_a_file_that_means_the_same(sluice, topic, database, keyspace):
    topic.send("1", "2")
    flags = sluice.flags(topic, database, keyspace)
    printed = sluice.run("run", *flags, "--pool", "2", "--print-config").expect(0).out
    file = sluice.write_file(printed)
    assert sluice.run("run", "-c", file, "--print-config").expect(0).out == printed
    sluice.drain_file(file).expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_jdbc_urls_and_password_files_work(sluice, topic, database, addresses):
    topic.send("1")
    secret = sluice.write_file("sluice\n", "secret")
    url = f"jdbc:postgresql://{addresses.postgres}/{database.name}"
    flags = sluice.flags(topic)
    sluice.run("run", "--until-end", *flags, "--postgres", url, "--postgres-user", "sluice",
               "--postgres-password-file", secret, PGPASSWORD="").expect(0)
    verify.assert_equal(topic, database)


def test_references_bring_passwords_into_a_file(sluice, topic, database, keyspace):
    topic.send("1")
    secret = sluice.write_file("sluice\n", "secret")
    file = sluice.config(topic, "", database, keyspace, password="${file:" + str(secret) + "}")
    sluice.run("run", "--until-end", "-c", file, PGPASSWORD="").expect(0)
    verify.assert_equal(topic, database, keyspace)


def test_sslmode_of_libpq_works(sluice, topic, database, addresses):
    topic.send("1")
    certificate = addresses.postgres_log.parents[1] / "data/postgres/cluster/server.crt"
    copy = sluice.write_file(certificate.read_text(), "root.crt")
    database.url += f"?sslmode=verify-full&sslrootcert={copy}"
    process = sluice.start("run", *sluice.flags(topic, database))
    eventually(lambda: database.has("events") and database.value("SELECT count(*) FROM events") == 1,
               what="rows arrive")
    assert database.value("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                          f"WHERE application_name = 'sluice:{topic.name}'")
    process.stop().expect(0)


def test_librdkafka_settings_pass_through(sluice, topic, database):
    topic.send("1")
    sluice.drain(topic, database, None, "-X", "fetch.min.bytes=1", "-X", "client.rack=r1").expect(0)
    sluice.drain(topic, database, None, "-X", "no.such.setting=1").expect(2).has("no.such.setting")


SECRETS = {"PGPASSWORD": "s3cret-pg", "CASSANDRA_PASSWORD": "s3cret-cql"}


def test_no_password_in_printed_configuration(sluice, topic, database, keyspace):
    flags = sluice.flags(topic, None, keyspace)
    printed = sluice.run("run", "--print-config", *flags, "--postgres",
                         "postgresql://u:s3cret-url@h/d", "--cassandra-password", "s3cret-flag",
                         "-X", "sasl.password=s3cret-sasl", "-X", "sasl.username=me",
                         "-X", "sasl.mechanism=PLAIN", "-X", "security.protocol=sasl_ssl", **SECRETS)
    printed.expect(0).lacks("s3cret")
    file = sluice.config(topic, "", database, password="s3cret-file")
    sluice.run("run", "--print-config", "-c", file).expect(0).lacks("s3cret")


def test_no_password_in_messages_or_the_process_list(sluice, topic, database, keyspace):
    secret = sluice.write_file("s3cret-file", "secret")
    flags = sluice.flags(topic, database, keyspace)
    process = sluice.start("--log-level", "debug", "run", *flags, "--postgres-password-file", secret,
                           **SECRETS)
    process.wait_for("can't start")
    assert b"s3cret" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
    process.wait().expect(3).lacks("s3cret")


@pytest.mark.parametrize("flag, value", [("--postgres-password", "s3cret"),
                                         ("--cassandra-password", "s3cret"),
                                         ("--postgres", "postgresql://u:s3cret@127.0.0.1:1/d"),
                                         ("--cassandra", "u:s3cret@127.0.0.1:1/ks"),
                                         ("-X", "sasl.password=s3cret")])
def test_a_password_on_the_command_line_warns(sluice, flag, value):
    flags = ["--brokers", "127.0.0.1:1", "--topic", "t"]
    flags += [] if flag == "--postgres" else ["--postgres", "postgresql://u@127.0.0.1:1/d"]
    flags += [] if flag != "--cassandra-password" else ["--cassandra", "u@127.0.0.1:1/ks"]
    done = sluice.run("run", "--print-config", *flags, flag, value)
    done.has("warn", "a password on the command line is visible").lacks("s3cret")


def test_misplaced_passwords_are_not_repeated(sluice):
    sluice.run("run", "postgresql://u:s3cret@h/d").expect(2).lacks("s3cret")
    sluice.run("run", "--postgres", "postgresql//u:s3cret@h/d", "--brokers", "b",
               "--topic", "t").expect(2).lacks("s3cret")


def test_log_format_json_is_one_object_a_line(sluice, topic, database):
    topic.send("1", "{")
    done = sluice.run("--log-format", "json", "run", "--until-end", *sluice.flags(topic, database))
    lines = [json.loads(line) for line in done.expect(1).err.splitlines()]
    assert any("is stopped" in json.dumps(line) for line in lines)


def test_log_level_error_leaves_out_the_rest(sluice, topic, database):
    topic.send("1")
    done = sluice.run("--log-level", "error", "run", "--until-end", *sluice.flags(topic, database))
    assert done.expect(0).err == ""
