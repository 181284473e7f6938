#include "server/control/inject_calls.h"

#include <string>

#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

v1::InjectHttpRequestRequest Get(const std::string& target) {
  v1::InjectHttpRequestRequest request;
  request.set_target(target);
  return request;
}

v1::InjectHttpRequestRequest With(const std::string& name, const std::string& value) {
  v1::InjectHttpRequestRequest request = Get("/");
  request.add_headers()->set_name(name);
  request.mutable_headers(0)->set_value(value);
  return request;
}

// The message, without the field's name.
std::string Problem(const v1::InjectHttpRequestRequest& request, const std::string& field) {
  const auto checked = CheckInjected(request);
  if (checked.ok()) return "none";
  EXPECT_EQ(checked.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tasks::RefusalReason(checked.status()), "INJECTED_REQUEST_INVALID");
  const std::string message(checked.status().message());
  EXPECT_EQ(message.substr(0, field.size()), field);
  return message;
}

TEST(InjectedRequest, WhatIsLeftOutIsFilledIn) {
  const auto checked = CheckInjected(Get("/orders?page=2"));
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->method(), "GET");
  ASSERT_EQ(checked->headers_size(), 1);
  EXPECT_EQ(checked->headers(0).name(), "Host");
  EXPECT_EQ(checked->body_bytes_max(), kInjectedAnswerDefault);
  EXPECT_EQ(checked->timeout().seconds(), 10);
}

TEST(InjectedRequest, OwnHostAndBoundsStand) {
  v1::InjectHttpRequestRequest request = With("HOST", "shop.example");
  request.set_body_bytes_max(7);
  request.mutable_timeout()->set_seconds(300);
  const auto checked = CheckInjected(request);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->headers_size(), 1);
  EXPECT_EQ(checked->body_bytes_max(), 7);
  EXPECT_EQ(checked->timeout().seconds(), 300);
}

TEST(InjectedRequest, NothingInItCanFrameAnotherOne) {
  EXPECT_NE(Problem(Get(""), "target"), "none");
  EXPECT_NE(Problem(Get("orders"), "target"), "none");
  EXPECT_NE(Problem(Get("/a b"), "target"), "none");
  EXPECT_NE(Problem(Get("/a\r\nX: y"), "target"), "none");
  EXPECT_NE(Problem(Get("/\xc3\xa4"), "target"), "none");
  EXPECT_EQ(Problem(Get("*"), "target"), "none");
  EXPECT_NE(Problem(With("X Y", "1"), "headers"), "none");
  EXPECT_NE(Problem(With("", "1"), "headers"), "none");
  EXPECT_NE(Problem(With("X", "1\r\nY: 2"), "headers"), "none");
  EXPECT_NE(Problem(With("X", std::string("\0", 1)), "headers"), "none");
  EXPECT_EQ(Problem(With("X", "a\tb \xc3\xa4"), "headers"), "none");
  EXPECT_NE(Problem(With("content-length", "3"), "headers"), "none");
  EXPECT_NE(Problem(With("Transfer-Encoding", "chunked"), "headers"), "none");
  v1::InjectHttpRequestRequest request = Get("/");
  request.set_method("GET /x");
  EXPECT_NE(Problem(request, "method"), "none");
}

TEST(InjectedRequest, AnUpgradeIsRefusedInPlainWords) {
  EXPECT_NE(Problem(With("Upgrade", "websocket"), "headers").find("WebSocket"), std::string::npos);
  EXPECT_NE(Problem(With("Sec-WebSocket-Key", "x"), "headers"), "none");
  v1::InjectHttpRequestRequest request = Get("/");
  request.set_method("CONNECT");
  EXPECT_NE(Problem(request, "method"), "none");
}

TEST(InjectedRequest, ItsBoundsHaveBounds) {
  v1::InjectHttpRequestRequest request = Get("/");
  request.set_body(std::string(kInjectedBodyMax, 'x'));
  EXPECT_EQ(Problem(request, "body"), "none");
  request.mutable_body()->push_back('x');
  EXPECT_NE(Problem(request, "body"), "none");
  request = Get("/");
  request.set_body_bytes_max(kInjectedAnswerMax + 1);
  EXPECT_NE(Problem(request, "body_bytes_max"), "none");
  request.set_body_bytes_max(-1);
  EXPECT_NE(Problem(request, "body_bytes_max"), "none");
  request = Get("/");
  request.mutable_timeout()->set_seconds(0);
  EXPECT_NE(Problem(request, "timeout"), "none");
  request.mutable_timeout()->set_seconds(301);
  EXPECT_NE(Problem(request, "timeout"), "none");
  request = Get("/" + std::string(kInjectedHeadMax, 'x'));
  EXPECT_NE(Problem(request, "headers"), "none");
}

}  // namespace
}  // namespace grove::control
