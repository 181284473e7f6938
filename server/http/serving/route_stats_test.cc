#include "server/http/serving/route_stats.h"

#include <array>
#include <deque>
#include <map>
#include <tuple>

#include "gtest/gtest.h"
#include "server/http/serving/stats.h"

namespace grove::http {
namespace {

class RouteStatsTest : public testing::Test {
 protected:
  struct Place {
    RouteStats::Cell requests{0};
    std::array<RouteStats::Cell, kDurationBounds.size() + 2> durations{};
  };

  Place& Of(const std::string& route, size_t method = 0, int status = 200) {
    return places_[{route, method, status}];
  }

  std::map<std::tuple<std::string, size_t, int>, Place> places_;
  int asked_ = 0;
  RouteStats stats_{[this](std::string_view route, size_t method, int status) {
    ++asked_;
    Place& place = Of(std::string(route), method, status);
    return RouteStats::Cells{&place.requests, place.durations};
  }};
};

TEST_F(RouteStatsTest, CountsByRouteMethodAndCode) {
  const std::string route = "/a";
  stats_.Count(route, 0, 200, 1, 3000);
  stats_.Count(route, 0, 200, 1, 2000);
  stats_.Count(route, 2, 200, 0, 0);
  stats_.Count(route, 0, 404, 0, 0);
  EXPECT_EQ(Of("/a").requests, 2u);
  EXPECT_EQ(Of("/a").durations[1], 2u);
  EXPECT_EQ(Of("/a").durations.back(), 5u);
  EXPECT_EQ(Of("/a", 2).requests, 1u);
  EXPECT_EQ(Of("/a", 0, 404).requests, 1u);
  EXPECT_EQ(asked_, 3);
}

TEST_F(RouteStatsTest, ARequestWithoutADurationIsCountedAlone) {
  const std::string route = "/a";
  stats_.Count(route, 0, 101, RouteStats::kNoDuration, -1);
  EXPECT_EQ(Of("/a", 0, 101).requests, 1u);
  EXPECT_EQ(Of("/a", 0, 101).durations.back(), 0u);
}

TEST_F(RouteStatsTest, AnotherPatternAtTheSameAddressIsAnotherRoute) {
  std::string route = "/a";
  stats_.Count(route, 0, 200, 0, 0);
  route = "/b";  // As after a reload.
  stats_.Count(route, 0, 200, 0, 0);
  stats_.Count(route, 0, 200, 0, 0);
  EXPECT_EQ(Of("/a").requests, 1u);
  EXPECT_EQ(Of("/b").requests, 2u);
}

TEST_F(RouteStatsTest, BeyondItsTableAllShareOnePlace) {
  std::deque<std::string> routes;
  for (int i = 0; i < 16384 + 5; ++i) {
    stats_.Count(routes.emplace_back("/" + std::to_string(i)), 0, 200, 0, 0);
  }
  EXPECT_EQ(Of("", 0, 0).requests, 5u);
  stats_.Count(routes[0], 0, 200, 0, 0);
  EXPECT_EQ(Of("/0").requests, 2u);
}

TEST_F(RouteStatsTest, WhatWasForgottenIsAskedForAgain) {
  const std::string route = "/a";
  stats_.Count(route, 0, 200, 0, 0);
  stats_.Forget();
  stats_.Count(route, 0, 200, 0, 0);
  EXPECT_EQ(Of("/a").requests, 2u);
  EXPECT_EQ(asked_, 2);
}

}  // namespace
}  // namespace grove::http
