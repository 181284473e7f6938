#include "server/link/green_list.h"

#include <unistd.h>

#include "gtest/gtest.h"
#include "runtime/green/green_report.h"
#include "runtime/hub/hub_fixture.h"

namespace grove::link {
namespace {

class GreenListTest : public HubTest {
 protected:
  GreenListTest() { ResetGreenReport(); }
  ~GreenListTest() override { ResetGreenReport(); }

  internal::v1::ListGreenCallsReply List(int limit) {
    internal::v1::ListGreenCalls request;
    request.set_request(7);
    request.set_limit(limit);
    return ListGreenCalls(request, offload_);
  }

  OffloadPool offload_{{.threads = 1}};
};

TEST_F(GreenListTest, TellsEachCallWithItsPlaceAndWhatBecameOfIt) {
  Run([&] {
    EXPECT_EQ(List(10).calls_size(), 0);
    const auto* site = reinterpret_cast<const void*>(&getppid);
    CountGreenCall("recv", site, GreenOutcome::kParked);
    CountGreenCall("recv", site, GreenOutcome::kParked);
    CountGreenCall("recv", site, GreenOutcome::kReady);
    CountGreenCall("fsync", site, GreenOutcome::kOffloaded);
    CountGreenCall("epoll_wait", nullptr, GreenOutcome::kEscaped, absl::Milliseconds(3));
    CountGreenCall("epoll_wait", nullptr, GreenOutcome::kRefused, absl::Milliseconds(4));
    const auto reply = List(10);
    EXPECT_EQ(reply.request(), 7u);
    EXPECT_FALSE(reply.more());
    ASSERT_EQ(reply.calls_size(), 3);
    EXPECT_EQ(reply.calls(0).function(), "epoll_wait");
    EXPECT_EQ(reply.calls(0).library(), "");
    EXPECT_EQ(reply.calls(0).escaped(), 1u);
    EXPECT_EQ(reply.calls(0).refused(), 1u);
    EXPECT_EQ(reply.calls(0).blocked_us(), 7000);
    EXPECT_EQ(reply.calls(1).function(), "fsync");
    EXPECT_EQ(reply.calls(1).offloaded(), 1u);
    EXPECT_EQ(reply.calls(2).function(), "recv");
    EXPECT_EQ(reply.calls(2).parked(), 2u);
    EXPECT_EQ(reply.calls(2).ready(), 1u);
    EXPECT_NE(reply.calls(2).library(), "");
    EXPECT_NE(reply.calls(2).caller(), "");
  });
}

TEST_F(GreenListTest, IsBounded) {
  Run([&] {
    CountGreenCall("poll", nullptr, GreenOutcome::kReady);
    CountGreenCall("recv", nullptr, GreenOutcome::kEscaped, absl::Seconds(1));
    const auto reply = List(1);
    EXPECT_TRUE(reply.more());
    ASSERT_EQ(reply.calls_size(), 1);
    EXPECT_EQ(reply.calls(0).function(), "recv");
    EXPECT_EQ(List(0).calls_size(), 1) << "one at least";
    EXPECT_EQ(List(2).calls_size(), 2);
  });
}

}  // namespace
}  // namespace grove::link
