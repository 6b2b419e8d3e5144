// The arguments of `sluice dlq`; inside app only.
#pragma once

#include <string>

#include "app/cli.hpp"
#include "app/cli_values.hpp"

namespace sluice {

struct DlqFlags {
    DlqOptions options;  // But for its configuration.

    // Declares the commands; the parser fills `values` and this, which must outlive it.
    void add(CLI::App& app, FlagValues& values, const std::string& footer);
    [[nodiscard]] bool parsed() const;
    // Of the command that read() has found: it makes no sense with flags alone.
    [[nodiscard]] bool needs_file() const;
    // Fills `options`, and gives the lane that is named; empty without one.
    std::string read(Flags& flags);

private:
    CLI::App& add_command(FlagValues& values, const char* name, const char* help,
                          const std::string& footer);
    [[nodiscard]] bool is(DlqCommand command) const { return options.command == command; }

    CLI::App* dlq_ = nullptr;
    std::string place_;
    bool all_ = false;
};

}  // namespace sluice
