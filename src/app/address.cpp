#include "app/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "app/settings.hpp"

namespace sluice {
namespace {

bool is_host(std::string_view host) {
    return !host.empty() && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    });
}

bool is_ipv6(std::string_view host) {
    return host.find(':') != std::string_view::npos && std::ranges::all_of(host, [](char c) {
               return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') ||
                      c == '.' || c == ':';
           });
}

}  // namespace

std::optional<int> parse_port(std::string_view text) {
    int port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (problem != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65535) {
        return std::nullopt;
    }
    return port;
}

Result<std::string> parse_host_port(std::string_view text, int port_default) {
    const std::string example = "write host or host:port, for example localhost:" +
                                std::to_string(port_default);
    if (text.find("://") != std::string_view::npos) {
        return bad_setting("an address without a protocol is needed", example);
    }
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        host = text.substr(1, end == std::string_view::npos ? end : end - 1);
        const auto rest = end == std::string_view::npos ? end : end + 1;
        has_port = rest < text.size();
        port = has_port ? text.substr(rest) : std::string_view{};
        if (end == std::string_view::npos || !is_ipv6(host) || (has_port && port.front() != ':')) {
            return bad_setting("this is not an IPv6 address in brackets", "write [::1]:9092");
        }
        port.remove_prefix(has_port ? 1 : 0);
    } else {
        const auto colon = text.find(':');
        if (colon != text.rfind(':')) {
            return bad_setting("an IPv6 address needs brackets, and a host only one port",
                               "write [::1]:" + std::to_string(port_default) +
                                   ", and separate hosts with commas");
        }
        has_port = colon != std::string_view::npos;
        host = text.substr(0, colon);
        port = has_port ? text.substr(colon + 1) : std::string_view{};
        if (!is_host(host)) {
            return bad_setting("this is not the name of a host", example);
        }
    }
    const auto number = has_port ? parse_port(port) : std::optional(port_default);
    if (!number) {
        return bad_setting("the port is not a number from 1 to 65535", example);
    }
    const std::string name = text.starts_with('[') ? "[" + std::string(host) + "]"
                                                   : std::string(host);
    return name + ":" + std::to_string(*number);
}

Result<std::string> parse_listen_address(std::string_view text, int port_default) {
    SLUICE_ASSIGN(const std::string address, parse_host_port(text, port_default));
    const auto colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host == "localhost") {
        host = "127.0.0.1";
    }
    const bool brackets = host.starts_with('[');
    const std::string bare = brackets ? host.substr(1, host.size() - 2) : host;
    in6_addr parsed{};
    if (inet_pton(brackets ? AF_INET6 : AF_INET, bare.c_str(), &parsed) != 1) {
        return bad_setting("an IP address of this machine is needed",
                           "write 127.0.0.1:" + std::to_string(port_default) +
                               " for this machine alone, 0.0.0.0 for all who reach it, or [::1]");
    }
    return host + address.substr(colon);
}

Result<CassandraAddress> parse_cassandra_address(std::string_view text) {
    const std::string form = "write host[:port][,host[:port]]/keyspace, for example "
                             "localhost:9042/app";
    CassandraAddress address;
    // The last @: hosts and keyspaces have none, a password may.
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const auto login = text.substr(0, at);
        const auto colon = login.find(':');
        address.user = std::string(login.substr(0, colon));
        if (colon != std::string_view::npos) {
            address.password = std::string(login.substr(colon + 1));
        }
        text.remove_prefix(at + 1);
        if (address.user->empty()) {
            return bad_setting("no user stands before the @", form);
        }
    }
    if (text.find("://") != std::string_view::npos) {
        return bad_setting("an address without a protocol is needed", form);
    }
    const auto slash = text.find('/');
    if (slash == std::string_view::npos || slash + 1 == text.size()) {
        return bad_setting("the keyspace is missing", form);
    }
    address.hosts = text.substr(0, slash);
    address.keyspace = text.substr(slash + 1);
    if (address.hosts.empty()) {
        return bad_setting("the host is missing", form);
    }
    return address;
}

}  // namespace sluice
