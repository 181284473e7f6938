#include "server/process/peer_credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "runtime/hub/hub_fixture.h"

namespace grove::process {
namespace {

using PeerCredentials = HubTest;

TEST_F(PeerCredentials, OurOwnUserMaySpeak) {
  Run([] {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const Socket one = *Socket::Adopt(ends[0]);
    const Socket other = *Socket::Adopt(ends[1]);
    EXPECT_TRUE(CheckPeer(one).ok());
  });
}

// The kernel knows no user behind a TCP connection, and calls it -1: anybody but us.
TEST_F(PeerCredentials, AnyOtherMayNot) {
  Run([] {
    const Socket socket = *Socket::Adopt(::socket(AF_INET, SOCK_STREAM, 0));
    const absl::Status refused = CheckPeer(socket);
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_NE(std::string(refused.message()).find("belongs to another user"), std::string::npos);
  });
}

TEST_F(PeerCredentials, WhatIsNoSocketIsAnError) {
  Run([] {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const Socket one = *Socket::Adopt(ends[0]);
    const Socket other = *Socket::Adopt(ends[1]);
    EXPECT_EQ(CheckPeer(one).code(), absl::StatusCode::kInvalidArgument);
  });
}

}  // namespace
}  // namespace grove::process
