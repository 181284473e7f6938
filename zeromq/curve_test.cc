#include "zeromq/curve.h"

#include <memory>
#include <utility>

#include "zeromq/monitor.h"
#include "zeromq/socket_fixture.h"

namespace grove::zeromq {
namespace {

class CurveTest : public SocketTest {};

TEST_F(CurveTest, AKeysPublicHalfFollowsFromItsSecretOne) {
  const CurveKeys keys = *CurveKeys::Generate();
  EXPECT_EQ(keys.public_key.size(), 40u);
  EXPECT_EQ(CurveKeys::OfSecret(keys.secret_key)->public_key, keys.public_key);
  EXPECT_NE(CurveKeys::Generate()->secret_key, keys.secret_key);
  EXPECT_TRUE(absl::IsInvalidArgument(CurveKeys::OfSecret("short").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(CurveKeys::OfSecret(std::string(40, '"')).status()));
}

TEST_F(CurveTest, AClientThatKnowsTheServersKeyIsLetInAndAnotherIsNot) {
  Run([this] {
    const CurveKeys server = *CurveKeys::Generate();
    auto rep = Open(SocketType::kRep, {.curve_server = CurveServer{server.secret_key}});
    auto monitor = *Monitor::Open(*rep);
    const std::string address = *rep->Bind("tcp://127.0.0.1:*");

    const CurveKeys stranger = *CurveKeys::Generate();
    auto wrong =
        Open(SocketType::kReq, {.linger = absl::ZeroDuration(),
                                .curve_client = CurveClient{stranger.public_key, stranger}});
    EXPECT_TRUE(wrong->Connect(address).ok());
    auto plain = Open(SocketType::kReq, {.linger = absl::ZeroDuration()});
    EXPECT_TRUE(plain->Connect(address).ok());
    for (int refused = 0; refused < 2;) {
      const MonitorEvent::Kind kind = monitor->Next()->kind;
      refused += kind == MonitorEvent::Kind::kHandshakeFailedProtocol ? 1 : 0;
      ASSERT_NE(kind, MonitorEvent::Kind::kHandshakeSucceeded);
    }

    auto right = Open(SocketType::kReq,
                      {.curve_client = CurveClient{server.public_key, *CurveKeys::Generate()}});
    EXPECT_TRUE(right->Connect(address).ok());
    EXPECT_TRUE(right->Send("secret").ok());
    EXPECT_EQ(Text(rep->Receive()), "secret");
    EXPECT_TRUE(rep->Send("ok").ok());
    EXPECT_EQ(Text(right->Receive()), "ok");
  });
}

}  // namespace
}  // namespace grove::zeromq
