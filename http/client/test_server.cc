#include "http/client/test_server.h"

#include <arpa/inet.h>

#include <cstdlib>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/io/buffered_reader.h"

namespace grove::http {
namespace {

// Of a head or a body that a test sends.
constexpr size_t kRequestBytesMax = size_t{1} << 20;

// The next request, head and body; an error at the end of the connection. **Parks.**
absl::StatusOr<std::string> ReadRequest(BufferedReader& reader) {
  absl::StatusOr<std::string> head = reader.ReadUntil("\r\n\r\n", kRequestBytesMax);
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = head.ok() ? head->find(kLength) : std::string::npos;
  if (at == std::string::npos) return head;
  const size_t bytes = strtoul(head->c_str() + at + kLength.size(), nullptr, 10);
  absl::StatusOr<std::string> body = reader.ReadExactly(bytes);
  if (!body.ok()) return body;
  return *head + *body;
}

Listener ListenOnLoopback(int& port) {
  const int fd = BindListener(SocketAddress::Parse("127.0.0.1:0").value()).value();
  port = SocketAddress::OfLocal(fd).port();
  return Listener::Adopt(fd).value();
}

}  // namespace

TestServer::TestServer() : listener_(ListenOnLoopback(port_)) {
  const bool spawned =
      group_
          .Spawn("test-server",
                 [this] {
                   return server_.Serve(listener_, [this](Socket& each) { return Serve(each); });
                 })
          .ok();
  GROVE_CHECK(spawned, "the test server does not start");
}

void TestServer::Answer(std::string path, std::string response) {
  answers_[std::move(path)] = std::move(response);
}

std::string TestServer::Url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
}

void TestServer::Stop() {
  if (std::exchange(stopped_, true)) return;
  group_.Cancel();
  group_.Join().IgnoreError();
  listener_.Close();
}

absl::Status TestServer::Serve(Socket& connection) {
  BufferedReader reader(connection);
  absl::Status served;
  while (served.ok()) served = ServeRequest(connection, reader);
  ++closed_;
  changed_.Set();
  return served;
}

absl::Status TestServer::ServeRequest(Socket& connection, BufferedReader& reader) {
  absl::StatusOr<std::string> request = ReadRequest(reader);
  if (!request.ok()) return request.status();
  const size_t start = request->find(' ') + 1;
  const std::string path = request->substr(start, request->find(' ', start) - start);
  requests_.push_back(*std::move(request));
  changed_.Set();
  if (path == "/held") {
    if (absl::Status released = released_.Wait(); !released.ok()) return released;
  }
  const auto answer = answers_.find(path);
  return answer == answers_.end() ? absl::OkStatus() : connection.Write(answer->second);
}

void TestServer::AwaitRequests(size_t count) {
  while (requests_.size() < count && changed_.Wait().ok()) changed_.Reset();
}

void TestServer::AwaitClosed(size_t count) {
  while (closed_ < count && changed_.Wait().ok()) changed_.Reset();
}

void TestServer::Release(std::string response) {
  Answer("/held", std::move(response));
  released_.Set();
}

}  // namespace grove::http
