// The URL forms of libpq (its documentation, "Connection URIs"; details as in fe-connect.c) and
// of pgjdbc ("Connecting to the Database").
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "app/address.hpp"
#include "app/settings.hpp"
#include "app/yaml_reader.hpp"
#include "base/text.hpp"

namespace sluice {
namespace {

using Parameters = std::vector<std::pair<std::string, std::string>>;  // Decoded.

// libpq's parameters up to version 18, less those in `refused` and `dropped`.
constexpr std::array<std::string_view, 45> libpq_parameters{"host",
                                                            "hostaddr",
                                                            "port",
                                                            "dbname",
                                                            "user",
                                                            "password",
                                                            "passfile",
                                                            "require_auth",
                                                            "channel_binding",
                                                            "connect_timeout",
                                                            "options",
                                                            "keepalives",
                                                            "keepalives_idle",
                                                            "keepalives_interval",
                                                            "keepalives_count",
                                                            "tcp_user_timeout",
                                                            "gssencmode",
                                                            "sslmode",
                                                            "ssl",
                                                            "requiressl",
                                                            "sslnegotiation",
                                                            "sslcompression",
                                                            "sslcert",
                                                            "sslkey",
                                                            "sslcertmode",
                                                            "sslrootcert",
                                                            "sslcrl",
                                                            "sslcrldir",
                                                            "sslsni",
                                                            "requirepeer",
                                                            "ssl_min_protocol_version",
                                                            "ssl_max_protocol_version",
                                                            "min_protocol_version",
                                                            "max_protocol_version",
                                                            "sslkeylogfile",
                                                            "krbsrvname",
                                                            "gsslib",
                                                            "gssdelegation",
                                                            "service",
                                                            "servicefile",
                                                            "target_session_attrs",
                                                            "load_balance_hosts",
                                                            "oauth_issuer",
                                                            "oauth_client_id",
                                                            "oauth_scope"};

constexpr std::array<std::string_view, 10> jdbc_parameters{
    "user",    "password", "ssl",           "sslmode",        "sslrootcert",
    "sslcert", "sslkey",   "currentSchema", "connectTimeout", "ApplicationName"};

struct RefusedParameter {
    std::string_view name;
    std::string_view why;
};
constexpr std::string_view secret_hint =
    "a secret in the URL would be shown; name a service file (service=…) that holds it";
constexpr std::array refused{
    RefusedParameter{"sslpassword", secret_hint},
    RefusedParameter{"oauth_client_secret", secret_hint},
    RefusedParameter{"scram_client_key", secret_hint},
    RefusedParameter{"scram_server_key", secret_hint},
    RefusedParameter{"replication", "a replication connection can't write tables; remove it"},
    RefusedParameter{"client_encoding", "Sluice writes UTF-8 and says so itself; remove it"},
};

// Java decodes '+' to a space, libpq does not.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            return std::nullopt;
        }
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return out;
}

// Everything but letters, digits and what `plain` adds.
std::string percent_encode(std::string_view text, std::string_view plain) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || (c >= '0' && c <= '9') || plain.find(c) != std::string_view::npos) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(digits[byte >> 4]);
            out.push_back(digits[byte & 15]);
        }
    }
    return out;
}

// The text between scheme and parameters, still encoded.
struct Parts {
    std::string_view user;
    std::optional<std::string_view> password;
    std::string_view hosts;
    std::string_view path;   // With its slash; may be empty.
    std::string_view query;  // Without the question mark.
};

Result<Parts> split(std::string_view rest, bool jdbc) {
    Parts parts;
    // As libpq: what ends at the first @ before any slash is the login, first colon included.
    const auto at = rest.find_first_of("@/");
    if (at != std::string_view::npos && rest[at] == '@') {
        const auto login = rest.substr(0, at);
        const auto colon = login.find(':');
        parts.user = login.substr(0, colon);
        if (colon != std::string_view::npos) {
            parts.password = login.substr(colon + 1);
        }
        rest.remove_prefix(at + 1);
    }
    const auto question = rest.find('?');
    const auto before = rest.substr(0, question);
    if (question != std::string_view::npos) {
        parts.query = rest.substr(question + 1);
    }
    const auto slash = before.find('/');
    parts.hosts = before.substr(0, slash);
    parts.path = slash == std::string_view::npos ? std::string_view{} : before.substr(slash);
    // A stray @ means that part of a password was taken for something else: say so before any
    // message could quote it.
    if (before.find('@') != std::string_view::npos ||
        (!jdbc && parts.query.find('@') != std::string_view::npos)) {
        return bad_setting("an '@' stands where none can be",
                           "in the user, the password and parameters write @ as %40, / as %2F, "
                           "or give user and password apart from the URL");
    }
    return parts;
}

Result<void> check_hosts(std::string_view hosts) {
    while (!hosts.empty()) {
        const auto comma = std::min(hosts.find(','), hosts.size());
        auto host = hosts.substr(0, comma);
        hosts.remove_prefix(std::min(comma + 1, hosts.size()));
        if (host.starts_with('[')) {
            host.remove_prefix(std::min(host.find(']'), host.size()));
        }
        const auto colon = host.find(':');
        if (colon != std::string_view::npos && colon + 1 < host.size() &&
            !parse_port(host.substr(colon + 1))) {
            return bad_setting("a port in the URL is not a number from 1 to 65535",
                               "write postgresql://host:5432/database; in a password write : "
                               "as it is, @ as %40 and / as %2F");
        }
    }
    return {};
}

constexpr std::string_view percent_hint = "write a % of the text itself as %25";

Result<Parameters> split_query(std::string_view query, bool jdbc) {
    Parameters parameters;
    while (!query.empty()) {
        const auto end = std::min(query.find('&'), query.size());
        const auto entry = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const auto equals = entry.find('=');
        if (equals == std::string_view::npos) {
            return bad_setting("a parameter of the URL has no value",
                               "write parameters as ?name=value&name=value");
        }
        auto name = percent_decode(entry.substr(0, equals), jdbc);
        auto value = percent_decode(entry.substr(equals + 1), jdbc);
        if (!name || !value) {
            return bad_setting("a '%' in the URL's parameters is not followed by two hex digits",
                               std::string(percent_hint));
        }
        parameters.emplace_back(*std::move(name), *std::move(value));
    }
    return parameters;
}

tl::unexpected<Error> unknown_parameter(std::string_view name, settings::Names known) {
    return bad_setting("the URL has an unknown parameter '" + printable(name) + "'",
                       allowed_names(name, known));
}

// In -c search_path=…, a space or backslash would end the value.
std::string escape_option(std::string_view value) {
    std::string out;
    for (const char c : value) {
        if (c == ' ' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out;
}

// pgjdbc's parameter as libpq's; "" where there is nothing to say.
Result<std::pair<std::string, std::string>> from_jdbc(const std::string& name,
                                                      const std::string& value, bool has_sslmode) {
    using Pair = std::pair<std::string, std::string>;
    if (std::ranges::find(jdbc_parameters, name) == jdbc_parameters.end()) {
        return unknown_parameter(name, jdbc_parameters);
    }
    if (name == "ssl") {
        // pgjdbc: sslmode wins; else ssl=true, or ssl alone, is verify-full, false its default.
        const bool on = value == "true" || value.empty();
        return on && !has_sslmode ? Pair{"sslmode", "verify-full"} : Pair{};
    }
    if (name == "currentSchema") {
        return Pair{"options", "-csearch_path=" + escape_option(value)};
    }
    if (name == "connectTimeout") {
        return Pair{"connect_timeout", value};
    }
    return Pair{name, value};
}

Result<void> check_parameter(const std::string& name) {
    const auto bad = std::ranges::find(refused, name, &RefusedParameter::name);
    if (bad != refused.end()) {
        return bad_setting("the URL's parameter '" + name + "' is not accepted",
                           std::string(bad->why));
    }
    if (std::ranges::find(libpq_parameters, name) == libpq_parameters.end()) {
        return unknown_parameter(name, libpq_parameters);
    }
    return {};
}

// Sluice names its connections itself: a new owner finds its predecessor's by that name.
bool is_dropped(std::string_view name) {
    return name == "application_name" || name == "fallback_application_name" ||
           name == "ApplicationName";
}

struct Login {
    std::optional<std::string> user;
    std::optional<std::string> password;
};

Result<void> put_once(std::optional<std::string>& slot, std::string value, std::string_view what) {
    if (slot) {
        return bad_setting("the URL gives the " + std::string(what) + " twice", "keep one");
    }
    slot = std::move(value);
    return {};
}

// Moves user and password into `login`; returns the other parameters, libpq's, checked.
Result<Parameters> sort_parameters(const Parameters& given, bool jdbc, Login& login) {
    const bool has_sslmode = std::ranges::any_of(
        given, [](const auto& parameter) { return parameter.first == "sslmode"; });
    Parameters out;
    for (auto [name, value] : given) {
        if (is_dropped(name)) {
            continue;
        }
        if (jdbc) {
            SLUICE_ASSIGN(std::tie(name, value), from_jdbc(name, value, has_sslmode));
            if (name.empty()) {
                continue;
            }
        }
        SLUICE_TRY(check_parameter(name));
        if (name == "password") {
            SLUICE_TRY(put_once(login.password, value, name));
        } else if (name == "user") {
            SLUICE_TRY(put_once(login.user, value, name));
        } else {
            out.emplace_back(name, value);
        }
    }
    return out;
}

}  // namespace

Result<PostgresUrl> parse_postgres_url(std::string_view text) {
    const std::string form = "write postgresql://host:port/database";
    const bool jdbc = text.starts_with("jdbc:");
    std::string_view rest = text.substr(jdbc ? 5 : 0);
    const auto scheme = rest.find("://");
    const auto name = rest.substr(0, scheme);
    if (scheme == std::string_view::npos ||
        (name != "postgresql" && (jdbc || name != "postgres"))) {
        return bad_setting("this is not a PostgreSQL URL",
                           form + "; allowed: postgresql://, postgres://, jdbc:postgresql://");
    }
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x21; })) {
        return bad_setting("the URL holds a space or a control character", "write a space as %20");
    }
    SLUICE_ASSIGN(const Parts parts, split(rest.substr(scheme + 3), jdbc));
    SLUICE_TRY(check_hosts(parts.hosts));
    Login login;
    for (const auto piece : {parts.user, parts.password.value_or(""), parts.hosts, parts.path}) {
        if (!percent_decode(piece, false)) {
            return bad_setting("a '%' in the URL is not followed by two hex digits",
                               std::string(percent_hint));
        }
    }
    if (!parts.user.empty()) {
        login.user = percent_decode(parts.user, false);
    }
    if (parts.password && !parts.password->empty()) {
        login.password = percent_decode(*parts.password, false);
    }
    SLUICE_ASSIGN(const auto given, split_query(parts.query, jdbc));
    SLUICE_ASSIGN(const auto parameters, sort_parameters(given, jdbc, login));

    PostgresUrl out;
    out.url = "postgresql://";
    if (login.user) {
        out.url.append(percent_encode(*login.user, "-._~")).append("@");
    }
    out.url.append(parts.hosts).append(parts.path);
    char separator = '?';
    for (const auto& [key, value] : parameters) {
        out.url.push_back(std::exchange(separator, '&'));
        out.url.append(percent_encode(key, "_")).append("=");
        out.url.append(percent_encode(value, "-._~/:,"));
    }
    out.has_user = login.user.has_value();
    out.password = std::move(login.password);
    return out;
}

}  // namespace sluice
