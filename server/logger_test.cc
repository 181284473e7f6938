#include "server/logger.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/label_scope.h"
#include "runtime/trace/span_fixture.h"
#include "server/http/handler/request_id_scope.h"
#include "server/recent_lines.h"

namespace grove {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class LoggerTest : public HubTest {
 protected:
  // The last line that was logged.
  std::string Last() const {
    const std::vector<RecentLine> lines = recent_->Read(1);
    return lines.empty() ? "" : lines.back().text;
  }

  const std::unique_ptr<RecentLog> recent_ = std::make_unique<RecentLog>();
  const KeptRecentLog kept_{*recent_};
  const Logger log_ = {};
};

TEST_F(LoggerTest, ALineNamesRequestTaskAndTraceOfItsFiber) {
  Run([&] {
    const http::RequestIdScope request("r1");
    const LabelScope label(std::make_shared<const FiberLabel>(
        FiberLabel{.tenant = "acme", .task = "tenants/acme/tasks/1"}));
    const TraceScope trace(CallersTrace(), nullptr);
    log_.Info("charged", {{"order", 7}});
    EXPECT_THAT(Last(), EndsWith("\"charged\" order=7 request_id=r1 task=tenants/acme/tasks/1 "
                                 "trace_id=4bf92f3577b34da6a3ce929d0e0e4736"));
    log_.Warning("given", {{"task", "mine"}});
    EXPECT_THAT(Last(), HasSubstr("warning grove \"given\" task=mine request_id=r1 trace_id="));
  });
}

TEST_F(LoggerTest, WithoutThemItIsAsItWasGiven) {
  Run([&] {
    log_.Error("plain");
    EXPECT_THAT(Last(), EndsWith("error grove \"plain\""));
  });
  log_.Info("outside of fibers", {{"a", "b"}});
  EXPECT_THAT(Last(), EndsWith("\"outside of fibers\" a=b"));
}

TEST_F(LoggerTest, WhatIsBelowTheLevelIsNotWritten) {
  log_.Info("before");
  log_.Debug("not written");
  EXPECT_THAT(Last(), HasSubstr("\"before\""));
}

}  // namespace
}  // namespace grove
