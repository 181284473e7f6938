#include "server/functions/test_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove::functions {
namespace {

// Of a whole request at the front of `bytes`; 0 if it is not complete.
size_t RequestBytes(std::string_view bytes) {
  const size_t head = bytes.find("\r\n\r\n");
  if (head == std::string_view::npos) return 0;
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = bytes.substr(0, head).find(kLength);
  const size_t body = at == std::string_view::npos
                          ? 0
                          : strtoul(bytes.substr(at + kLength.size()).data(), nullptr, 10);
  return bytes.size() >= head + 4 + body ? head + 4 + body : 0;
}

Listener ListenOnLoopback(int& port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.length = sizeof(v4);
  const int fd = BindListener(address).value();
  getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  port = ntohs(v4.sin_port);
  return Listener::Adopt(fd).value();
}

}  // namespace

TestServer::TestServer() : listener_(ListenOnLoopback(port_)) {
  const bool spawned = fibers_.TrySpawn({.name = "test-server"}, [this] { Accept(); });
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
  while (fibers_.running() > 0) {
    fibers_.CancelAll();
    Yield();
  }
  listener_.Close();
}

void TestServer::Accept() {
  for (;;) {
    absl::StatusOr<Socket> socket = listener_.Accept();
    if (!socket.ok()) return;
    fibers_.TrySpawn({.name = "test-connection"},
                     [this, socket = *std::move(socket)]() mutable { Serve(std::move(socket)); });
  }
}

void TestServer::Serve(Socket socket) {
  std::string unread;
  while (ServeRequest(socket, unread)) {
  }
  ++closed_;
  changed_.Set();
}

bool TestServer::ServeRequest(Socket& socket, std::string& unread) {
  std::array<char, 4096> buffer;
  while (RequestBytes(unread) == 0) {
    const absl::StatusOr<size_t> got = socket.Read(buffer);
    if (!got.ok() || *got == 0) return false;
    unread.append(buffer.data(), *got);
  }
  requests_.push_back(unread.substr(0, RequestBytes(unread)));
  unread.erase(0, requests_.back().size());
  changed_.Set();
  const std::string& request = requests_.back();
  const size_t start = request.find(' ') + 1;
  const std::string path = request.substr(start, request.find(' ', start) - start);
  if (path == "/held" && !released_.Wait().ok()) return false;
  const auto answer = answers_.find(path);
  return answer == answers_.end() || socket.Write(answer->second).ok();
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

}  // namespace grove::functions
