// What docs/runtime.md shows of TLS.
#include <string>
#include <utility>

#include "runtime/hub/hub_fixture.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/tls/fixture.h"
#include "runtime/tls/stream.h"

namespace grove {
namespace {

using TlsExample = HubTest;

// [tls server]
absl::Status ServeTls(Socket socket, const TlsServerContext& context) {
  absl::StatusOr<TlsStream> stream = TlsStream::Accept(std::move(socket), context);
  if (!stream.ok()) return stream.status();
  BufferedReader reader(*stream);  // as over a Socket: both are Streams
  absl::StatusOr<std::string> line = reader.ReadLine();
  return line.ok() ? stream->Write(*line + " over " + std::string(stream->alpn()) + "\n")
                   : line.status();
}
// [/tls server]

TEST_F(TlsExample, Tls) {
  Run([] {
    TestAuthority authority("example");
    const TlsCertificateFiles files = authority.Issue("server", {.names = "DNS:example.org"});
    // [tls]
    auto server = TlsServerContext::Create({.certificates = {files}, .alpn = {"echo"}});
    auto client = TlsClientContext::Create({.ca_file = authority.ca_file(), .alpn = {"echo"}});
    // [/tls]
    ASSERT_TRUE(server.ok() && client.ok());
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    auto serving = *Spawn("server", [&] { return ServeTls(*listener.Accept(), *server); });
    Socket socket = *Socket::Connect(listener.LocalAddress());
    // [tls client]
    auto stream = TlsStream::Connect(std::move(socket), *client, "example.org");
    if (!stream.ok()) return;  // kUnauthenticated: the certificate isn't example.org's, or expired
    EXPECT_TRUE(stream->Write("hello\n").ok());
    EXPECT_EQ(*BufferedReader(*stream).ReadLine(), "hello over echo");
    // [/tls client]
    EXPECT_TRUE(serving.Join().ok());
  });
}

}  // namespace
}  // namespace grove
