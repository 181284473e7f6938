#include "runtime/switch/errno_status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace grove {
namespace {

using absl::StatusCode;

struct Row {
  int error;
  StatusCode code;
};

void Expect(const Row& row) {
  const absl::Status status = ErrnoStatus(row.error, "call /a");
  EXPECT_EQ(status.code(), row.code) << status;
  EXPECT_EQ(status.message(), std::string("call /a: ") + strerror(row.error));
}

// ETIMEDOUT, too: kDeadlineExceeded is a time-out of the caller's own.
TEST(ErrnoStatus, AConnectionThatPeerOrNetworkEndedIsUnavailable) {
  for (const int error : {ECONNRESET, EPIPE, ESHUTDOWN, ENOTCONN, ECONNABORTED, ECONNREFUSED,
                          ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, ENETDOWN}) {
    Expect({error, StatusCode::kUnavailable});
  }
}

TEST(ErrnoStatus, ALimitThatWasReachedIsResourceExhausted) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC}) {
    Expect({error, StatusCode::kResourceExhausted});
  }
}

TEST(ErrnoStatus, TheRestIsAbseilsMapping) {
  for (const Row& row : {Row{EINVAL, StatusCode::kInvalidArgument},
                         {ENOENT, StatusCode::kNotFound},
                         {EACCES, StatusCode::kPermissionDenied},
                         {EEXIST, StatusCode::kAlreadyExists},
                         {EBADF, StatusCode::kFailedPrecondition},
                         {EOPNOTSUPP, StatusCode::kUnimplemented},
                         {ECANCELED, StatusCode::kCancelled}}) {
    Expect(row);
  }
}

}  // namespace
}  // namespace grove
