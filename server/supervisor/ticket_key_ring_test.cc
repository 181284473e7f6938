#include "server/supervisor/ticket_key_ring.h"

#include "gtest/gtest.h"
#include "runtime/tls/ticket_keys.h"

namespace grove::supervisor {
namespace {

TEST(TicketKeyRing, HasNoneAtFirst) {
  EXPECT_EQ(TicketKeyRing().keys(), "");
}

TEST(TicketKeyRing, PutsEachNewKeyInFrontAndForgetsTheOldest) {
  TicketKeyRing ring;
  std::string before;
  for (size_t renewal = 1; renewal <= TicketKeyRing::kKeysMax + 2; ++renewal) {
    ASSERT_TRUE(ring.Renew().ok());
    const size_t kept = std::min(renewal, TicketKeyRing::kKeysMax) * TlsTicketKeys::kKeyBytes;
    ASSERT_EQ(ring.keys().size(), kept);
    EXPECT_EQ(ring.keys().substr(TlsTicketKeys::kKeyBytes),
              before.substr(0, kept - TlsTicketKeys::kKeyBytes));
    EXPECT_NE(ring.keys().substr(0, TlsTicketKeys::kKeyBytes),
              before.substr(0, TlsTicketKeys::kKeyBytes));
    before = ring.keys();
  }
}

}  // namespace
}  // namespace grove::supervisor
