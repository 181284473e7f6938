#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"

namespace grove::client::cli {
namespace {

using InjectTest = AppTest;

TEST_F(InjectTest, PrintsStatusHeadersAndBody) {
  EXPECT_EQ(Run({"inject", "get", "/orders?page=2", "--worker=1", "-H", "Accept: text/plain",
                 "--header=X-A:"}),
            0)
      << err_;
  EXPECT_EQ(out_, "HTTP/1.1 201\nX-Got: Accept=text/plain\nX-Got: X-A=\n\nGET /orders?page=2 ");
  EXPECT_EQ(err_, "workers/1: 201, head after 1.5 ms, all after 2 ms\n");
}

TEST_F(InjectTest, TheBodyComesFromTextFileOrInput) {
  EXPECT_EQ(Run({"inject", "POST", "/o", "-d", "text", "--body"}), 0);
  EXPECT_EQ(out_, "POST /o text");
  EXPECT_EQ(Run({"inject", "POST", "/o", "-d", "-", "--body"}, "typed"), 0);
  EXPECT_EQ(out_, "POST /o typed");
  const std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/body";
  std::ofstream(path) << "from a file";
  EXPECT_EQ(Run({"inject", "PUT", "/o", "--data=@" + path, "--body"}), 0);
  EXPECT_EQ(out_, "PUT /o from a file");
  EXPECT_EQ(Run({"inject", "PUT", "/o", "--data=@" + path + ".none"}), 1);
}

TEST_F(InjectTest, SaysThatABodyIsNotWhole) {
  EXPECT_EQ(Run({"inject", "GET", "/long"}), 0);
  EXPECT_TRUE(absl::StrContains(err_, "; there is more of the body (--body_bytes_max)\n")) << err_;
}

TEST_F(InjectTest, IsOneDocumentInJson) {
  EXPECT_EQ(Run({"inject", "GET", "/", "-H", "A:b", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["status"], 201);
  EXPECT_EQ(json["worker"], "workers/0");
  EXPECT_EQ(json["headers"][0]["value"], "A=b");
  EXPECT_EQ(json["body_text"], "GET / ");
  EXPECT_EQ(json["body_end"], "COMPLETE");
}

TEST_F(InjectTest, FailsWhereNothingAnswered) {
  EXPECT_EQ(Run({"inject", "GET", "/none"}), 1);
  EXPECT_TRUE(absl::StrContains(err_, "is not asked")) << err_;
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"inject", "GET"}), 2);
  EXPECT_EQ(Run({"inject", "GET", "/", "--header=x"}), 2);
  EXPECT_EQ(Run({"inject", "GET", "/", "--worker=x"}), 2);
  EXPECT_EQ(Run({"inject", "GET", "/", "--body_bytes_max=0"}), 2);
}

}  // namespace
}  // namespace grove::client::cli
