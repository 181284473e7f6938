// AppTest: grovectl, run in the test's process against a server of the test's own.
#ifndef GROVE_CLIENT_CLI_APP_FIXTURE_H_
#define GROVE_CLIENT_CLI_APP_FIXTURE_H_

#include <unistd.h>

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "client/cli/app.h"
#include "client/fake_grove.h"
#include "gtest/gtest.h"

namespace grove::client::cli {

class AppTest : public testing::Test {
 protected:
  // Its exit code; what it printed is in out_ and err_.
  [[nodiscard]] int Run(const std::vector<std::string>& line, const std::string& input = "") {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    close(ends[1]);
    std::ostringstream out, err;
    Shell shell{
        .in_fd = ends[0],
        .out = out,
        .err = err,
        .in_is_terminal = person_is_there_,
        .out_is_terminal = out_is_terminal_,
        .err_is_terminal = person_is_there_,
        .environment = [&](const char* name) -> std::optional<std::string> {
          const auto found = variables_.find(name);
          if (found == variables_.end()) return std::nullopt;
          return found->second;
        },
    };
    const int code = RunApp(line, shell);
    close(ends[0]);
    out_ = out.str();
    err_ = err.str();
    return code;
  }

  FakeGrove server_;
  std::string address_ = server_.address();
  std::map<std::string, std::string> variables_ = {{"GROVE_ADDRESS", address_}};
  bool out_is_terminal_ = false;
  // At the input, and to read errors.
  bool person_is_there_ = false;
  std::string out_;
  std::string err_;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_APP_FIXTURE_H_
