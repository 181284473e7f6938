// TestServer: an HTTP server of canned answers on loopback, for tests on a hub.
//
// Answers by path; unknown paths stay silent ("/silent"), and "/held" waits for Release().
// Each fiber of it ends with Stop(). Hub thread only.
#ifndef GROVE_HTTP_CLIENT_TEST_SERVER_H_
#define GROVE_HTTP_CLIENT_TEST_SERVER_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/group/fiber_group.h"
#include "runtime/io/buffered_reader.h"
#include "runtime/io/listener.h"
#include "runtime/io/serve.h"
#include "runtime/sync/event.h"

namespace grove::http {

class TestServer {
 public:
  TestServer();
  ~TestServer() { Stop(); }

  // The whole response, head and body.
  void Answer(std::string path, std::string response);
  // Ends all connections.
  void Stop();

  int port() const { return port_; }
  std::string Url(std::string_view path) const;
  // Whole requests, as they came.
  const std::vector<std::string>& requests() const { return requests_; }

  // **Park.**
  void AwaitRequests(size_t count);
  void AwaitClosed(size_t count);
  // Answers those that wait at "/held", and later ones at once.
  void Release(std::string response);

 private:
  // Until the connection ends.
  absl::Status Serve(Socket& connection);
  absl::Status ServeRequest(Socket& connection, BufferedReader& reader);

  int port_ = 0;  // set while listener_ is made
  Listener listener_;
  StreamServer server_{{.name = "test-connection"}};
  FiberGroup group_;
  std::map<std::string, std::string> answers_;
  std::vector<std::string> requests_;
  size_t closed_ = 0;
  Event changed_;
  Event released_;
  bool stopped_ = false;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_TEST_SERVER_H_
