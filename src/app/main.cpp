#include <fcntl.h>

#include <cstdio>
#include <string>
#include <vector>

#include "app/check.hpp"
#include "app/cli.hpp"
#include "app/dlq.hpp"
#include "app/init.hpp"
#include "app/produce.hpp"
#include "app/reset.hpp"
#include "app/run.hpp"
#include "app/version.hpp"
#include "base/log.hpp"

namespace sluice {
namespace {

int act(const CliExit& end) {
    std::fputs(end.text.c_str(), end.code == 0 ? stdout : stderr);
    return end.code;
}
int act(const RunOptions& options) {
    if (options.print_config) {
        std::fputs(print_config(options.config).c_str(), stdout);
        return 0;
    }
    return run(options);
}
int act(const CheckOptions& options) { return check_pipeline(options); }
int act(const InitOptions& options) { return init(options); }
int act(const ResetOptions& options) { return reset(options); }
int act(const ProduceOptions& options) { return produce(options); }
int act(const DlqOptions& options) { return dlq(options); }

int act(const CommandLine& line) {
    if (auto logging = start_logging(line.log_level, line.log_format); !logging) {
        std::fprintf(stderr, "sluice: %s\n", logging.error().message().c_str());
        return 2;
    }
    const auto log = make_logger("sluice");
    for (const auto& warning : line.warnings) {
        log->warn("{}", warning);
    }
    return std::visit([](const auto& action) { return act(action); }, line.action);
}

// With stderr closed the next socket would take its number, and the log would go to a server.
void open_standard_files() {
    for (int descriptor = 0; descriptor <= 2; ++descriptor) {
        if (fcntl(descriptor, F_GETFD) == -1) {
            (void)open("/dev/null", O_RDWR);  // Takes the lowest number that is free: this one.
        }
    }
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
    sluice::open_standard_files();
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return sluice::act(
        sluice::parse_command_line(arguments, sluice::version_text(), sluice::real_checks()));
}
