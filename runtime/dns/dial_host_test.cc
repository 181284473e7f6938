#include "runtime/dns/dial_host.h"

#include <functional>
#include <memory>
#include <string_view>

#include "runtime/dns/dns_server_fixture.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/listener.h"

namespace grove {
namespace {

class DialHostTest : public HubTest {
 protected:
  void With(const std::function<void(FakeDns&, Resolver&)>& body) {
    Run([&] {
      FakeDns dns;
      ResolverOptions options;
      options.hosts_path = "/nonexistent";
      options.query.servers = {dns.address()};
      options.query.search_domains.emplace();
      std::unique_ptr<Resolver> resolver = *Resolver::Create(options);
      body(dns, *resolver);
      resolver.reset();
      dns.Stop();
    });
  }
  static uint16_t PortOf(const Listener& listener) {
    return SocketAddress::OfLocal(listener.fd()).port();
  }
  static SocketAddress Address(const char* text) {
    SocketAddress address;
    EXPECT_TRUE(ParseAddress(text, address));
    return address;
  }
};

TEST_F(DialHostTest, ReachesTheAddressThatAnswers) {
  With([](FakeDns& dns, Resolver& resolver) {
    Listener listener = *Listener::Adopt(*BindListener(Address("127.0.0.1")));
    dns.Address("svc.example", "::1");  // nobody listens there
    dns.Address("svc.example", "127.0.0.1");
    absl::StatusOr<Socket> socket = DialHost(resolver, "svc.example", PortOf(listener));
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(socket->PeerAddress().ToString().substr(0, 10), "127.0.0.1:");
  });
}

TEST_F(DialHostTest, AsksForTheFamilyOfItsOwnAddressOnly) {
  With([](FakeDns& dns, Resolver& resolver) {
    Listener listener = *Listener::Adopt(*BindListener(Address("127.0.0.1")));
    dns.Address("svc.example", "127.0.0.1");
    absl::StatusOr<Socket> socket = DialHost(resolver, "svc.example", PortOf(listener),
                                             {.connect = {.bind = Address("127.0.0.2")}});
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_EQ(dns.Asked("AAAA svc.example"), 0);
  });
}

TEST_F(DialHostTest, ErrorsNameTheHost) {
  With([](FakeDns& dns, Resolver& resolver) {
    uint16_t refusing;
    {
      Listener listener = *Listener::Adopt(*BindListener(Address("127.0.0.1")));
      refusing = PortOf(listener);
    }
    dns.Address("svc.example", "127.0.0.1");
    const absl::Status refused = DialHost(resolver, "svc.example", refusing).status();
    EXPECT_TRUE(absl::IsUnavailable(refused));
    EXPECT_NE(refused.message().find("dial svc.example port "), std::string_view::npos) << refused;
    EXPECT_TRUE(absl::IsNotFound(DialHost(resolver, "no.example", 1).status()));
  });
}

}  // namespace
}  // namespace grove
