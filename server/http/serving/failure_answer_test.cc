#include "server/http/serving/failure_answer.h"

#include "gtest/gtest.h"
#include "server/http/handler/retry_delay.h"

namespace grove::http {
namespace {

TEST(FailureAnswer, TellsTheClientWhatItDidWrong) {
  const FailureAnswer answer = AnswerOf(absl::NotFoundError("no such task"), 0);
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.text, "no such task\r\n");
  EXPECT_EQ(answer.retry_after, "");
}

TEST(FailureAnswer, KeepsWhatFailedInsideToItself) {
  const FailureAnswer answer = AnswerOf(absl::InternalError("a secret"), 0);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.text, "Internal Server Error\r\n");
}

TEST(FailureAnswer, OfAHandlerThatForgotToFinishIs500) {
  const FailureAnswer answer = AnswerOf(absl::OkStatus(), 0);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.text, "Internal Server Error\r\n");
}

TEST(FailureAnswer, WhatWasWrongWithTheBodyWins) {
  const FailureAnswer answer = AnswerOf(absl::InternalError("short read"), 408);
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.text, "short read\r\n");
}

TEST(FailureAnswer, WithoutAMessageItIsTheReasonPhrase) {
  EXPECT_EQ(AnswerOf(absl::NotFoundError(""), 0).text, "Not Found\r\n");
}

TEST(FailureAnswer, RoundsTheDelayUpToWholeSeconds) {
  const auto delayed = [](absl::Duration delay) {
    return AnswerOf(WithRetryDelay(absl::UnavailableError("busy"), delay), 0).retry_after;
  };
  EXPECT_EQ(delayed(absl::Seconds(2)), "2");
  EXPECT_EQ(delayed(absl::Seconds(2) + absl::Nanoseconds(1)), "3");
}

TEST(FailureAnswer, AsksOnlyThoseToRetryWhomItHelps) {
  const auto after = [](const absl::Status& status) {
    return AnswerOf(WithRetryDelay(status, absl::Seconds(1)), 0).retry_after;
  };
  EXPECT_EQ(after(absl::ResourceExhaustedError("")), "1");
  EXPECT_EQ(after(absl::NotFoundError("")), "");
}

}  // namespace
}  // namespace grove::http
